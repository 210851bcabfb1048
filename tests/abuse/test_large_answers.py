"""Queries with very large answers: the loop is not blocked, and the answers in flight are bounded."""

import json
import os
import sqlite3

import anyio

from abuse.callers import Watch, answer_of, connect_as, head_of
from abuse.test_operator_input import MIB, STALL_SECONDS, Socket, folder
from pagerforce.service.control.roles import Role
from process import open_stage
from userbase import make_user_base, needs_users

__all__ = ["folder"]
LINKS = 40_000 * int(os.environ.get("ABUSE", "1"))
LETTERS = 5_000
EVENTS = 150_000
AT = "2026-01-01T00:00:00.000000Z"
DEEP = json.dumps({"text": "x" * 300_000})
EVENT = json.dumps(
    {
        "id": "e",
        "source": "pagerduty",
        "type": "trigger",
        "at": AT,
        "incident_id": "P",
        "changed": [],
    }
)


def fill(path):
    with sqlite3.connect(path) as base:
        base.executemany(
            "INSERT INTO link VALUES (?, ?, 'BMCServiceDesk__Incident__c', 1, ?, ?)",
            ((f"P{i:012}", f"a0R{i:012}EAA", AT, AT) for i in range(LINKS)),
        )
        (first,) = base.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
        base.executemany(
            "INSERT INTO event (seq, id, source, type, at, seen_at, incident_id, data, context, rules) "
            "VALUES (?, ?, 'pagerduty', 'trigger', ?, ?, 'P', ?, ?, '[]')",
            ((first + i, f"pd:{i}", AT, AT, EVENT, DEEP) for i in range(1, 201)),
        )
        base.executemany(
            "INSERT INTO event (seq, id, source, type, at, seen_at, incident_id, data, context, rules) "
            "VALUES (?, ?, 'pagerduty', 'trigger', ?, ?, 'P', ?, '{}', '[]')",
            ((first + i, f"pd:{i}", AT, AT, EVENT) for i in range(201, EVENTS)),
        )
        columns = (
            "id, seq, event_seq, ruleset, rule, position, do, object, written, lane, is_page, state"
        )
        base.executemany(
            f"INSERT INTO action ({columns}, next_at, created_at, reason) "
            "VALUES (?, ?, ?, 'x', 'y', 0, 'pagerduty.add_note', 'o', '{}', ?, 0, 'dead_letter', ?, ?, ?)",
            (
                (f"a{i:020}", 10_000_000 + i, first + 1, f"l{i}", AT, AT, "z" * 500)
                for i in range(LETTERS)
            ),
        )


@needs_users
async def test_large_answers_stop_nothing_and_are_bounded(folder):
    users = make_user_base(folder, [role.value for role in Role])
    async with open_stage(folder) as stage:
        async with stage.daemon(prefix=users.prefix) as running:
            await running.ready(60)
            await running.stop()
        fill(folder / "state" / "pagerforce.db")
        async with stage.daemon(prefix=users.prefix) as running:
            await running.ready(60)
            door = Socket(stage, running, users)
            for word, form in (
                ("links list", {}),
                ("failed list", {}),
                ("log", {}),
                ("status", {}),
                ("simulate", {}),
                ("failed retry", {"ids": [f"b{i}" for i in range(9_000)]}),
            ):
                with Watch(running) as watch:
                    answer = await door.form(word, 7, Role.MANAGER, **form)
                assert answer is not None, word
                if word == "simulate":
                    assert answer["result"]["is_cut"], "too many for the time limit"
                    assert 0 < answer["result"]["events"] < EVENTS
                assert watch.stall < STALL_SECONDS, (word, watch.stall)
                assert watch.memory < 512 * MIB, (word, watch.memory)
            await nobody_reads(door)


async def nobody_reads(door):
    """Many clients ask for all links and read none of the answer."""
    held = []
    with Watch(door.running) as watch:
        for uid in range(60_000, 60_005):
            for _ in range(4):
                connection = connect_as(door.path, uid, door.users.gids[Role.USER.value])
                connection.sendall(head_of("links list", 2) + b"{}")
                held.append(connection)
        await anyio.sleep(8)
    assert watch.memory < 512 * MIB, watch.memory
    assert watch.stall < STALL_SECONDS
    for connection in held[:-1]:
        connection.close()
    answer = await anyio.to_thread.run_sync(answer_of, held[-1])
    assert answer is None or {"result", "error"} & answer.keys()
