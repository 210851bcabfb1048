"""An internal error stays small: it costs one action, row or rule a retry and nothing else."""

import os
import sqlite3
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from abuse.injection import Injected
from abuse.internal_errors import titles, turn
from pagerforce.errors import StatementError, StoreDamagedError
from pagerforce.model.outbox import Settlement
from pagerforce.model.verdict import RetryLater
from pagerforce.pagerduty.actions.automation import RunWorkflow
from pagerforce.pipeline import commit
from pagerforce.rules.evaluate import _Run
from pagerforce.service.prune import Pruner
from pagerforce.store import outbox, own_writes, retention
from pagerforce.store.sqlite.trouble import to_store_error
from process import Running, open_stage, until
from rig import INCIDENT, JANE, open_rig

WORKFLOW = f"""
[[rulesets]]
name = "Bridge"
[[rulesets.rules]]
name = "Bridge"
object = "{INCIDENT}"
run_on = "pagerduty"
conditions = [ {{ field = "event.type", op = "equals", value = "acknowledge" }} ]
actions = [ {{ do = "pagerduty.run_workflow", workflow = "bridge call" }} ]
"""


def handler_of(daemon, do):
    return type(daemon.parts.deliverer._tools.handlers[do])


async def test_expectations_that_raise_keep_no_other_page_back(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        handler = handler_of(daemon, "pagerduty.create_incident")
        real = handler.expectations

        async def fail(self, task):
            if "guilty" in str(task):
                raise Injected
            return await real(self, task)

        monkeypatch.setattr(handler, "expectations", fail)
        async with anyio.create_task_group() as group:
            group.start_soon(daemon.parts.deliverer.run, lambda: None)
            for text in ("guilty", "other"):
                rig.open_record(text, priority="1")
                rig.advance(5)
                await daemon.poll()
            await until(lambda: titles(rig) == ["other"], "the other page", 20)
            daemon.parts.deliverer.stop()
        (guilty,) = [x for x in await daemon.actions() if x["outcome"] == "pending"]
        assert guilty["reason"].startswith("internal error: Injected in test_internal_errors.py")
        monkeypatch.undo()
        await daemon.step(2, seconds=70)
        assert titles(rig) == ["other", "guilty"], "still certain: sent without a search"


async def test_one_of_a_batch_that_raises_goes_alone_and_the_others_go_out(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        pairs = [await rig.paged(daemon, f"pair {n}") for n in range(3)]
        handler = handler_of(daemon, "salesforce.set_field")
        batch, single = handler.deliver_batch, handler.deliver
        guilty = pairs[1][0]

        async def fail_batch(self, tasks):
            if guilty in str(tasks):
                raise Injected
            return await batch(self, tasks)

        async def fail(self, task):
            if task.record_id == guilty:
                raise Injected
            return await single(self, task)

        monkeypatch.setattr(handler, "deliver_batch", fail_batch)
        monkeypatch.setattr(handler, "deliver", fail)
        for _, incident_id in pairs:
            rig.pd.acknowledge(incident_id, by=JANE)
        for _ in range(3):
            await turn(rig, daemon, 70)
        statuses = [rig.status_of(record_id) for record_id, _ in pairs]
        assert statuses == ["ACKNOWLEDGED", "NEW", "ACKNOWLEDGED"]
        monkeypatch.undo()
        await turn(rig, daemon, 310)
        await turn(rig, daemon, 310)
        assert rig.status_of(guilty) == "ACKNOWLEDGED"


@asynccontextmanager
async def opened_with_workflow(tmp_path):
    async with open_rig(tmp_path) as rig:
        (rig.desk.folder / "rules.d" / "bridge.toml").write_text(WORKFLOW)
        async with rig.daemon() as daemon:
            yield rig, daemon


async def test_what_must_not_be_sent_twice_survives_a_raise_before_it_is_sent(
    tmp_path, monkeypatch
):
    async with opened_with_workflow(tmp_path) as (rig, daemon):
        _, incident_id = await rig.paged(daemon)
        calls = []

        async def fail(self, task):
            calls.append(task)
            raise Injected

        monkeypatch.setattr(RunWorkflow, "expectations", fail)
        rig.pd.acknowledge(incident_id, by=JANE)
        await turn(rig, daemon)
        await turn(rig, daemon, 70)
        assert calls
        assert len(rig.pd.workflow_runs) == 0
        monkeypatch.undo()
        await turn(rig, daemon, 310)
        assert len(rig.pd.workflow_runs) == 1
        assert await daemon.dead_letters() == []


@pytest.mark.parametrize("place", ["settle", "effects", "both"])
async def test_what_must_not_be_sent_twice_keeps_its_outcome(tmp_path, monkeypatch, place):
    async with opened_with_workflow(tmp_path) as (rig, daemon):
        _, incident_id = await rig.paged(daemon)
        settle, drop = outbox.settle, own_writes.drop

        async def fail_settle(tx, action, outcome, now):
            if action.do == "pagerduty.run_workflow":
                raise Injected
            await settle(tx, action, outcome, now)

        async def fail_drop(tx, action_id, *rest):
            if outbox_of[action_id] == "pagerduty.run_workflow":
                raise ValueError("text of a customer")
            await drop(tx, action_id, *rest)

        outbox_of = _Words(daemon)
        if place in ("settle", "both"):
            monkeypatch.setattr(outbox, "settle", fail_settle)
        if place in ("effects", "both"):
            monkeypatch.setattr(own_writes, "drop", fail_drop)
        rig.pd.acknowledge(incident_id, by=JANE)
        for _ in range(3):
            await turn(rig, daemon, 70)
        assert len(rig.pd.workflow_runs) == 1
        (run,) = [x for x in await daemon.actions() if x["action"] == "pagerduty.run_workflow"]
        assert run["outcome"] == "delivered"


class _Words:
    """An action's status by its id, read with a connection beside the daemon's own."""

    def __init__(self, daemon):
        self._path = daemon.parts.state.path

    def __getitem__(self, action_id):
        with sqlite3.connect(f"file:{self._path}?mode=ro", uri=True) as connection:
            (row,) = connection.execute('SELECT "do" FROM action WHERE id = ?', (action_id,))
        connection.close()
        return row[0]


@pytest.mark.parametrize("verdicts", [(), None, (None,), ("no verdict", "no verdict")])
async def test_verdicts_that_make_no_sense_are_unknown_outcomes(tmp_path, monkeypatch, verdicts):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        handler = handler_of(daemon, "pagerduty.create_incident")
        real = handler.deliver

        async def odd(self, task):
            done = await real(self, task)
            return verdicts if "guilty" in str(task) else done

        monkeypatch.setattr(handler, "deliver", odd)
        for text in ("guilty", "other"):
            rig.open_record(text, priority="1")
        await turn(rig, daemon)
        assert sorted(titles(rig)) == ["guilty", "other"]
        monkeypatch.undo()
        for _ in range(2):
            await turn(rig, daemon, 310)
        assert sorted(titles(rig)) == ["guilty", "other"], "found by a search"
        outcomes = await daemon.outcomes()
        assert outcomes == {"pagerduty.create_incident delivered": 2}


COLUMNS = {
    "written": ["", "{", "[]", "7"],
    "args": ["", "{", "[]", "7", '"text"'],
    "created_at": ["", "yesterday", "9999-99-99"],
    "first_attempt_at": ["yesterday"],
    "retried_at": ["yesterday"],
    "doubt_since": ["yesterday"],
    "next_at": ["", "yesterday"],
    "object": ["", "Nothing__c"],
    "target": ["", "nothing"],
    "ruleset": ["", "(comments)"],
    "attempts": [-1, 2**62],
    "depth": [-1, 2**62],
}


@pytest.mark.parametrize("column", COLUMNS)
async def test_garbage_in_a_row_of_the_outbox_keeps_only_that_action(tmp_path, column):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        for number, garbage in enumerate(COLUMNS[column]):
            for text in (f"guilty {number}", f"other {number}"):
                rig.open_record(text, priority="1")
            rig.advance(3)
            await daemon.poll()
            async with daemon.parts.database.write() as tx:
                sql = f"UPDATE action SET {column} = ? WHERE state = 'pending' AND args LIKE ?"
                assert await tx.run(sql, (garbage, f"%guilty {number}%")) == 1
            await turn(rig, daemon)
            assert f"other {number}" in titles(rig)
        await turn(rig, daemon, 90000)
        await turn(rig, daemon, 90000)
        assert {x["outcome"] for x in await daemon.actions()} <= {
            "delivered",
            "dead_letter",
            "skipped",
        }


async def test_a_lost_event_costs_its_own_action_only(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        for text in ("guilty", "other"):
            rig.open_record(text, priority="1")
        rig.advance(3)
        await daemon.poll()
        async with daemon.parts.database.write() as tx:
            await tx.run("UPDATE event SET data = '{}' WHERE data LIKE '%guilty%'")
        await turn(rig, daemon)
        assert titles(rig) == ["other"]
        (letter,) = await daemon.dead_letters()
        assert "its event can't be read" in letter["reason"], "trying again can't help"


async def test_a_rule_that_raises_is_traced_and_the_others_act(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        real = _Run._try_rule

        def fail(self, one):
            if one.rule.name == "Resolve when the record is closed":
                raise Injected
            real(self, one)

        monkeypatch.setattr(_Run, "_try_rule", fail)
        rig.open_record("a page", priority="1")
        await turn(rig, daemon)
        assert titles(rig) == ["a page"]
        traces_of = [rule for entry in await daemon.log() for rule in entry["rules"]]
        reasons = {rule["rule"]: rule["reason"] for rule in traces_of}
        reason = reasons["Resolve when the record is closed"]
        assert reason.startswith("internal error: Injected in test_internal_errors.py")
        assert daemon.sample("internal_errors_total", part="poll") > 0


async def test_a_refused_value_concerns_one_thing_and_a_damaged_file_is_not(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        with pytest.raises(StatementError):
            async with daemon.parts.database.write() as tx:
                await tx.run("INSERT INTO fact (name, value) VALUES ('x', NULL)")
        real = outbox.settle

        async def huge(tx, action, outcome: Settlement, now):
            if action.args and "guilty" in str(action.args):
                await tx.run("UPDATE action SET attempts = ?", (2**70,))
            await real(tx, action, outcome, now)

        monkeypatch.setattr(outbox, "settle", huge)
        for text in ("guilty", "other"):
            rig.open_record(text, priority="1")
        await turn(rig, daemon)
        await turn(rig, daemon, 310)
        assert sorted(titles(rig)) == ["guilty", "other"]

        error = sqlite3.DatabaseError("malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

        async def corrupt(*_):
            raise to_store_error(daemon.parts.state.path, error)

        monkeypatch.setattr(commit.restored, "find", corrupt)
        with pytest.raises(StoreDamagedError):
            await daemon.parts.salesforce._turn()


async def test_one_kind_that_cant_be_pruned_leaves_the_others(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        pruner: Pruner = daemon.parts.pruner
        done = []

        async def fail(*_):
            raise Injected

        async def note(*_):
            done.append(1)
            return 0

        kinds = dict.fromkeys(("incidents", "records", "comments", "operators"), note)
        monkeypatch.setattr("pagerforce.service.prune._KINDS", {"events": fail, **kinds})
        await pruner.prune(lambda: None)
        assert len(done) == 4
        assert daemon.sample("internal_errors_total", part="retention") == 1
        assert retention.prune_journal is not fail


@pytest.mark.parametrize("seconds", [1e300, float("inf"), float("nan"), -1e300])
async def test_a_wait_out_of_all_bounds_ends_in_bounds(tmp_path, monkeypatch, seconds):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        handler = handler_of(daemon, "pagerduty.create_incident")
        real = handler.deliver

        async def wait(self, task):
            if "guilty" in str(task):
                return (RetryLater("busy", seconds),)
            return await real(self, task)

        monkeypatch.setattr(handler, "deliver", wait)
        for text in ("guilty", "other"):
            rig.open_record(text, priority="1")
        await turn(rig, daemon)
        assert titles(rig) == ["other"]
        monkeypatch.undo()
        for _ in range(2):
            await turn(rig, daemon, 310)
        assert sorted(titles(rig)) == ["guilty", "other"]


async def test_a_log_that_cannot_be_written_stops_nothing(tmp_path):
    """Standard error is on a full disk: every log line raises."""
    async with open_stage(tmp_path) as stage:
        config = str(stage.desk.config)
        command_line = (sys.executable, "-m", "pagerforce", "run", "--config", config)
        with open("/dev/full", "w") as full:  # noqa: ASYNC230, PTH123 (only its descriptor is used)
            process = await anyio.open_process(
                command_line, stdout=full, stderr=full, env={**os.environ, "NO_PROXY": "127.0.0.1"}
            )
        running = Running(process, stage.url, Path("/dev/null"))
        try:
            await running.ready()
            assert process.returncode is None
        finally:
            process.kill()
            await process.wait()
