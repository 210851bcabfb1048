"""The state database over real files."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from pagerforce.errors import SchemaTooNewError, StoreError
from pagerforce.model.event import CommentText, Event
from pagerforce.model.ids import ActionId, EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, IncidentStatus, Person, Ref
from pagerforce.model.outbox import ActionState, NewAction, Settlement
from pagerforce.model.ports import Position
from pagerforce.model.record import Record
from pagerforce.store import (
    attempts,
    cursors,
    facts,
    journal,
    lanes,
    links,
    outbox,
    pauses,
    snapshots,
)
from pagerforce.store.codec import parse_incident, parse_record, to_event, to_text
from pagerforce.store.lanes import find_heads, has_work
from pagerforce.store.sqlite.engine import open_database
from pagerforce.store.sqlite.migrate import known_schema

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LINKED = links.LinkTime(NOW, NOW)
PAGE, NOTE = "pagerduty.create_incident", "pagerduty.add_note"


def event(number, record="r1"):
    return Event(
        EventId(f"e{number}"),
        Side.SALESFORCE,
        "update",
        NOW,
        object="Case",
        record_id=RecordId(record),
        record={},
    )


def action(name, do=NOTE, **values):
    return NewAction(ActionId(name), "set", "rule", 0, do, "Case", {}, {}, do == PAGE, **values)


async def enqueue(tx, number, members, *actions):
    (seq,) = await journal.append(tx, [journal.Entry(event(number))], NOW)
    lane = await links.join_lanes(tx, members)
    await outbox.enqueue(tx, [outbox.Queued(seq, lane, actions)], NOW)


async def heads(tx, now=NOW, kinds=(PAGE, NOTE), limit=10):
    found = await find_heads(tx, now, limit=limit, kinds=kinds)
    return [item.id for item in found.actions]


async def settle(tx, name, state=ActionState.DELIVERED, next_at=None):
    found = await outbox.find_action(tx, name)
    await attempts.begin_attempt(tx, [found], None, NOW)
    await outbox.settle(tx, found, Settlement(state, state.value, "", next_at), NOW)


async def test_the_file_is_private_and_survives_reopening(tmp_path):
    path = tmp_path / "state" / "pagerforce.db"
    async with open_database(path) as database, database.write() as tx:
        await facts.put_fact(tx, "a", "1")
    assert path.stat().st_mode & 0o777 == 0o600
    async with open_database(path, read_only=True) as database, database.read() as tx:
        assert await facts.find_fact(tx, "a") == "1"


async def test_nothing_of_a_failed_transaction_remains(state):
    async with state.open() as database:
        with pytest.raises(RuntimeError):
            async with database.write() as tx:
                await facts.put_fact(tx, "a", "1")
                raise RuntimeError
        async with database.read() as tx:
            assert await facts.find_fact(tx, "a") is None


async def test_a_newer_schema_is_refused_and_nothing_changed(tmp_path):
    path = tmp_path / "p.db"
    async with open_database(path):
        pass
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA user_version = {known_schema() + 1}")
    raw.close()
    with pytest.raises(SchemaTooNewError, match="later pagerforce"):
        async with open_database(path):
            pass


async def test_a_file_that_is_no_database_is_reported(tmp_path):
    path = tmp_path / "p.db"
    path.write_text("this is not a database, whatever its name says" * 50)
    with pytest.raises(StoreError, match=r"p\.db"):
        async with open_database(path):
            pass
    with pytest.raises(StoreError, match="has the daemon run"):
        async with open_database(tmp_path / "none.db", read_only=True):
            pass


async def test_a_cursor_never_moves_back(state):
    async with state.open() as database, database.write() as tx:
        for seconds in (10, 5, 7):
            await cursors.move_cursor(tx, "Case", Position(NOW + timedelta(seconds=seconds)))
        assert (await cursors.read_cursors(tx))["Case"].stamp == NOW + timedelta(seconds=10)


async def test_a_lane_is_busy_with_what_was_claimed_although_it_has_joined_another_since(state):
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["i2"], action("b1"))
        await enqueue(tx, 2, ["i1"], action("a1"))
        claimed = await outbox.find_action(tx, "b1")
        await links.join_lanes(tx, ["i1", "i2"])
        assert claimed.lane != (await outbox.find_action(tx, "b1")).lane
        found = await find_heads(tx, NOW, kinds=[NOTE], limit=10, under_way=["b1"])
        assert found.actions == [], "it would be sent a second time"


async def test_one_action_of_a_lane_at_a_time_in_order_pages_first(state):
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["i1", "r1"], action("a1"), action("a2"))
        await enqueue(tx, 2, ["i2", "r2"], action("b1"))
        await enqueue(tx, 3, ["r3"], action("c1", PAGE))
        assert await heads(tx) == ["c1", "a1", "b1"]
        assert await heads(tx, kinds=[NOTE]) == ["a1", "b1"]
        assert await heads(tx, limit=1) == ["c1"]
        await attempts.begin_attempt(tx, [await outbox.find_action(tx, "a1")], None, NOW)
        assert await heads(tx) == ["c1", "b1"], "a lane with an action in flight returns nothing"
        await outbox.recover(tx)
        assert (await outbox.find_action(tx, "a1")).is_uncertain
        await settle(tx, "a1")
        assert await heads(tx) == ["c1", "a2", "b1"]


@pytest.mark.parametrize(
    "how", ["behind a late trigger", "lanes join", "lanes join it", "discarded"]
)
async def test_actions_of_which_one_left_its_place_since_it_was_chosen_do_not_begin(state, how):
    async with state.open() as database, database.write() as tx:
        mine, other = ("i1", "i2") if how == "lanes join it" else ("i2", "i1")
        await enqueue(tx, 1, [other], action("b1"))
        await enqueue(tx, 2, [mine], action("a1"), action("a2"))
        chosen = [await outbox.find_action(tx, name) for name in ("a1", "a2")]
        if how == "behind a late trigger":
            await tx.run("UPDATE action SET seq = 9 WHERE id = 'a2'")
        elif how.startswith("lanes"):
            await links.join_lanes(tx, ["i1", "i2"])
        else:
            await tx.run("UPDATE action SET state = 'discarded' WHERE id = 'a2'")
        assert not await attempts.begin_attempt(tx, chosen, None, NOW)
        found = await outbox.find_action(tx, "a1")
        assert (found.state, found.attempts) == (ActionState.PENDING, 0)
        if how.startswith("lanes"):
            await settle(tx, "b1")
        assert await attempts.begin_attempt(tx, [found], None, NOW)


async def test_there_is_work_while_anything_waits_is_under_way_or_is_paused(state):
    async with state.open() as database, database.write() as tx:
        assert not await has_work(tx)
        await enqueue(tx, 1, ["i1"], action("a1"))
        assert await has_work(tx)
        found = await outbox.find_action(tx, "a1")
        await attempts.begin_attempt(tx, [found], None, NOW)
        assert await has_work(tx)
        done = Settlement(ActionState.DELIVERED, "delivered", "", None)
        await outbox.settle(tx, found, done, NOW)
        assert not await has_work(tx)
        await pauses.begin(tx, found.lane, NOW, NOW + timedelta(minutes=15), reason="loop")
        assert await has_work(tx), "the pause must end"
        await pauses.end_due(tx, NOW + timedelta(minutes=15))
        assert not await has_work(tx)


async def test_a_waiting_head_holds_its_lane_only(state):
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["r1"], action("a1"), action("a2"))
        await enqueue(tx, 2, ["r2"], action("b1"))
        await settle(tx, "a1", ActionState.PENDING, NOW + timedelta(seconds=30))
        assert await heads(tx) == ["b1"]
        assert await heads(tx, NOW + timedelta(seconds=30)) == ["a1", "b1"]


async def test_a_link_joins_lanes_with_what_waits_in_them(state):
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["i1"], action("a1"))
        await enqueue(tx, 2, ["r1"], action("b1"))
        assert await heads(tx) == ["a1", "b1"]
        await links.put_link(tx, "i1", "Case", "r1", LINKED)
        assert await heads(tx) == ["a1"]


async def test_a_paused_lane_gives_nothing_until_resumed(state):
    async with state.open() as database, database.write() as tx:
        await links.put_link(tx, "i1", "Case", "r1", LINKED)
        await enqueue(tx, 1, ["i1"], action("a1"))
        lane = (await outbox.find_action(tx, "a1")).lane
        await pauses.begin(tx, lane, NOW, NOW + timedelta(minutes=15), reason="loop")
        assert await heads(tx) == []
        assert [link.state.value for link in await links.read_links(tx)] == ["paused"]
        assert await links.count_links(tx) == (1, 1)
        assert await pauses.end_due(tx, NOW + timedelta(minutes=14)) == 0
        assert await pauses.last_end(tx, lane, NOW) is None
        assert await pauses.resume(tx, "r1", NOW + timedelta(minutes=14))
        assert not await pauses.resume(tx, "r1", NOW + timedelta(minutes=14))
        assert await heads(tx) == ["a1"]
        assert await links.count_links(tx) == (1, 0)
        end = NOW + timedelta(minutes=14)
        assert await pauses.last_end(tx, lane, end) == end


async def test_joined_lanes_are_paused_for_as_long_as_either_was(state):
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["i1"], action("a1"))
        await enqueue(tx, 2, ["r1"], action("b1"))
        for minutes, name in ((5, "a1"), (15, "b1")):
            lane = (await outbox.find_action(tx, name)).lane
            until = NOW + timedelta(minutes=minutes)
            await pauses.begin(tx, lane, NOW, until, reason="loop")
        await links.put_link(tx, "i1", "Case", "r1", LINKED)
        assert await pauses.end_due(tx, NOW + timedelta(minutes=14)) == 0
        assert await heads(tx) == []
        assert await pauses.end_due(tx, NOW + timedelta(minutes=15)) == 1
        assert await heads(tx) == ["a1"]


async def test_the_time_left_follows_from_the_last_minutes(state):
    async with state.open() as database, database.write() as tx:
        assert await outbox.estimate_seconds(tx, NOW) == 0.0
        names = [f"a{number}" for number in range(4)]
        await enqueue(tx, 1, ["r1"], *map(action, names))
        assert await outbox.estimate_seconds(tx, NOW) is None
        await settle(tx, "a0")
        later = NOW + timedelta(minutes=1)
        assert await outbox.estimate_seconds(tx, later) == 3 * 300
        await settle(tx, "a1", ActionState.SKIPPED)
        assert await outbox.estimate_seconds(tx, later) == 2 / 2 * 300


async def test_a_lane_with_a_page_goes_first_from_its_head_on(state):
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["r1"], action("a1"))
        await enqueue(tx, 2, ["r2"], action("b1"), action("b2", do=PAGE))
        assert await heads(tx) == ["b1", "a1"]


async def test_parts_keep_the_place_of_the_action_they_were_split_from(state):
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["r1"], action("a1"), action("a2"))
        await lanes.split(tx, await outbox.find_action(tx, "a1"), ["x", "y", "z"])
        order = []
        while found := (await find_heads(tx, NOW, limit=1, kinds=[NOTE])).actions:
            order.append((found[0].id, found[0].target))
            await settle(tx, found[0].id)
        assert order == [("a1", "x"), ("a1-2", "y"), ("a1-3", "z"), ("a2", None)]


@pytest.mark.parametrize("known", ["y", None])
async def test_the_part_that_was_tried_keeps_its_attempts(state, known):
    """If nobody knows which part was tried, each may have been."""
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["r1"], action("a1"))
        await attempts.begin_attempt(tx, [await outbox.find_action(tx, "a1")], None, NOW)
        await tx.run(
            "UPDATE action SET state = 'pending', is_uncertain = 1, record_id = ?", (known,)
        )
        await lanes.split(tx, await outbox.find_action(tx, "a1"), ["x", "y", "z"])
        rows = await tx.rows("SELECT id, target, is_uncertain FROM action")
        tried = {target: len(await attempts.tried(tx, key)) for key, target, _ in rows}
        assert tried == ({"x": 0, "y": 1, "z": 0} if known else {"x": 1, "y": 1, "z": 1})
        assert {target: doubt for _, target, doubt in rows} == tried


@pytest.mark.parametrize("known", ["y", None])
async def test_each_part_of_an_action_from_before_a_restore_may_have_been_done(state, known):
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["r1"], action("a1"))
        sql = "UPDATE action SET is_uncertain = 1, doubt_since = ?, record_id = ?"
        await tx.run(sql, ("2026-03-02T08:00:00.000000Z", known))
        await lanes.split(tx, await outbox.find_action(tx, "a1"), ["x", "y", "z"])
        rows = await tx.rows("SELECT target, is_uncertain FROM action ORDER BY target")
        assert rows == [("x", 1), ("y", 1), ("z", 1)]


async def test_links_follow_the_survivor_of_a_merge(state):
    async with state.open() as database, database.write() as tx:
        await links.put_link(tx, "i1", "Case", "r1", LINKED)
        await links.put_link(tx, "i1", "Case", "r2", LINKED)
        await links.put_link(tx, "i2", "Case", "r2", LINKED)
        await links.move_links(tx, "i1", "i2")
        found = {(link.incident_id, link.record_id) for link in await links.read_links(tx)}
        assert found == {("i2", "r1"), ("i2", "r2")}


async def test_what_a_merge_took_is_known_also_after_the_next_merge(state):
    async with state.open() as database, database.write() as tx:
        for incident_id, record_id in (("i1", "r1"), ("i2", "r2"), ("i9", "r1")):
            await links.put_link(tx, incident_id, "Case", record_id, LINKED)
        for source, survivor in (("i1", "i2"), ("i2", "i3")):
            merged = Incident(IncidentId(source), merged_into=IncidentId(survivor))
            await snapshots.put_incidents(tx, [(merged, NOW)])
            await links.move_links(tx, source, survivor)
        for source, expected in (("i1", {"r1"}), ("i2", {"r1", "r2"}), ("i3", set())):
            moved = await links.moved_links(tx, source)
            assert {link.incident_id for link in moved} <= {"i3"}
            assert {link.record_id for link in moved} == expected


async def test_the_same_decision_is_stored_once(state):
    async with state.open() as database, database.write() as tx:
        await enqueue(tx, 1, ["r1"], action("a1"))
        await enqueue(tx, 2, ["r1"], action("a1"))
        assert (await outbox.depth(tx)).waiting == 1


def test_snapshots_and_events_survive_the_codec():
    incident = Incident(
        IncidentId("P1"), 7, "ü", IncidentStatus.ACKNOWLEDGED, "high", "http://x", "k", NOW, NOW, NOW,
        Ref("PS", "Net"), Ref("PE", None), None, (Person("PJ", "Jane", None),), None, None, "b", {"f": [1, "x"]},
    )  # fmt: skip
    record = Record(
        "Case",
        RecordId("r"),
        {"A": None, "B": 1.5, "C": True},
        NOW,
        NOW,
        NOW,
        Person("u"),
        changed_at={"A": NOW},
    )
    change = Event(
        EventId("e"), Side.PAGERDUTY, "annotate", NOW, Person("PJ"), "n", IncidentId("P1"), incident=incident,
        old_incident=incident, changed=frozenset({"status"}), comment=CommentText("b", "a", NOW, "c"),
    )  # fmt: skip
    assert parse_incident(to_text(incident)) == incident
    assert parse_record(to_text(record)) == record
    assert to_event(json.loads(to_text(change))) == change


async def test_incidents_keep_the_time_of_their_newest_entry(state):
    async with state.open() as database, database.write() as tx:
        incident = Incident(IncidentId("P1"), status=IncidentStatus.TRIGGERED)
        await snapshots.put_incidents(tx, [(incident, NOW)])
        await snapshots.put_incidents(tx, [(incident, None)])
        assert await snapshots.read_open_incidents(tx) == {"P1": (incident, NOW)}


async def test_an_attempt_keeps_the_latest_that_the_servers_clock_was_seen(state):
    """A clock that is known from a late answer is behind."""
    uncertain = Settlement(ActionState.PENDING, "unknown", "", NOW, is_uncertain=True)
    async with state.open() as database, database.write() as tx:
        for number, (begun, ended, kept) in enumerate(((5, 9, 9), (5, 3, 5), (None, 4, 4))):
            name = f"a{number}"
            await enqueue(tx, number + 1, [f"i{number}"], action(name))
            found = await outbox.find_action(tx, name)
            ahead = None if begun is None else timedelta(seconds=begun)
            await attempts.begin_attempt(tx, [found], None, NOW, ahead)
            await outbox.settle(tx, found, uncertain, NOW, timedelta(seconds=ended))
            (tried,) = await attempts.tried(tx, name)
            assert tried.ahead == timedelta(seconds=kept)
