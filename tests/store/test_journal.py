"""Reading a long journal: a query for a part of it does not read all of it."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from pagerforce.model.event import Event
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.store import journal
from pagerforce.store.journal import Filter
from pagerforce.store.sqlite.engine import open_database

START = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = 2500
INCIDENT, RECORD = "PSEVEN", "a0RSEVEN0000000EAA"


def moment(hour):
    return START + timedelta(hours=hour)


def event(hour, **values):
    return Event(
        EventId(f"e{hour}"), Side.SALESFORCE, "update", moment(hour), object="Case", **values
    )


@asynccontextmanager
async def long_journal(folder):
    """An event an hour for a quarter; every 600th of one incident and of one record."""
    async with open_database(folder / "pagerforce.db") as database:
        async with database.write() as tx:
            for hour in range(HOURS):
                is_ours = hour % 600 == 7
                values = {
                    "incident_id": IncidentId(INCIDENT if is_ours else f"P{hour:013}"),
                    "record_id": RecordId(RECORD if is_ours else f"a0R{hour:012}EAA"),
                }
                # Late events are seen late: the order of the cursor is not that of the events' times.
                late = timedelta(minutes=90 if hour % 7 == 0 else 1)
                entry = journal.Entry(event(hour, **values))
                await journal.append(tx, [entry], moment(hour) + late)
        yield database


class Effort:
    """Counts the steps of SQLite's virtual machine: the cost of a query, the same on every host."""

    def __init__(self, tx):
        self._connection = tx._connection._connection  # white box: only SQLite knows
        self.steps = 0

    def _count(self):
        self.steps += 1
        return 0

    async def __aenter__(self):
        await self._connection.set_progress_handler(self._count, 10)
        return self

    async def __aexit__(self, *_):
        await self._connection.set_progress_handler(None, 10)


async def cost(database, wanted):
    async with database.read() as tx, Effort(tx) as effort:
        found = await journal.read_log(tx, wanted)
    return [entry["at"] for entry in found], effort.steps


async def plans(database, wanted):
    """SQLite's query plan for every statement of a query."""
    asked = []
    async with database.read() as tx:
        rows = tx.rows

        async def noted(sql, values=()):
            asked.append(await rows(f"EXPLAIN QUERY PLAN {sql}", values))
            return await rows(sql, values)

        tx.rows = noted
        await journal.read_log(tx, wanted)
    return " ".join(str(row[-1]) for plan in asked for row in plan)


async def test_a_part_of_a_long_journal_is_found_without_reading_the_rest(tmp_path):
    async with long_journal(tmp_path) as database:
        everything, all_steps = await cost(database, Filter(limit=10_000))
        assert len(everything) == HOURS
        for wanted, count in (
            (Filter(since=moment(HOURS - 3)), 3),
            (Filter(since=moment(HOURS + 1)), 0),
            (Filter(incident=INCIDENT), 5),
            (Filter(record=RECORD), 5),
            (Filter(record=RECORD[:15]), 5),
            (Filter(record=RECORD, since=moment(2000)), 1),
            (Filter(incident=INCIDENT, after_seq=1500), 2),
        ):
            found, steps = await cost(database, wanted)
            assert len(found) == count, wanted
            assert found == sorted(found)
            assert steps < all_steps / 20, (wanted, steps, all_steps)
            plan = await plans(database, wanted)
            assert "SEARCH event" in plan
            assert "SCAN" not in plan, plan


async def test_since_leaves_out_nothing(tmp_path):
    async with long_journal(tmp_path) as database:
        for hour in (-100, 0, 1, 23, 24, 25, 1249, 1250, 1251, HOURS - 1):
            found, _ = await cost(database, Filter(since=moment(hour), limit=10_000))
            assert len(found) == HOURS - max(hour, 0)


async def test_an_empty_journal_and_one_with_gaps(tmp_path):
    async with open_database(tmp_path / "empty.db") as database:
        assert await cost(database, Filter(since=START)) == ([], pytest.approx(0, abs=50))
    async with long_journal(tmp_path) as database:
        async with database.write() as tx:
            await tx.run(
                "DELETE FROM event WHERE seq < 900 OR seq % 3 = 1 OR seq BETWEEN 1600 AND 1800"
            )
            kept = await tx.row("SELECT count(*) FROM event WHERE seq > 1100")
        found, _ = await cost(database, Filter(since=moment(1100), limit=10_000))
        assert len(found) == kept[0]


def event_of(number, **values):
    return Event(EventId(f"e{number}"), Side.PAGERDUTY, "annotate", START, **values)


async def count(database, table):
    async with database.read() as tx:
        return (await tx.row(f"SELECT count(*) FROM {table}"))[0]


async def test_what_many_events_were_judged_with_is_stored_once_and_shown_with_each(tmp_path):
    fields = {"Subject": "The core switch does not answer. " * 10}
    seen = {"linked": ["Case"], "records": {"Case": fields}}
    again = {"linked": ["Case"], "records": {"Case": dict(fields)}}
    other = {"linked": ["Case"], "records": {"Case": {**fields, "Status": "Closed"}}}
    small = {"linked": ["Case"]}
    contexts = [seen, seen, small, other, again]
    async with open_database(tmp_path / "pagerforce.db") as database:
        for batch in ((0, 1, 2), (3,), (4,)):
            entries = [journal.Entry(event_of(x), context=contexts[x]) for x in batch]
            async with database.write() as tx:
                await journal.append(tx, entries, START)
        async with database.read() as tx:
            found = await journal.read_log(tx, Filter())
        assert [entry["recorded"]["context"] for entry in found] == contexts
        assert await count(database, "shared_text") == 2


async def test_a_damaged_context_is_left_out_and_replaced(tmp_path):
    seen = {"records": {"Case": {"Subject": "The core switch does not answer. " * 10}}}
    async with open_database(tmp_path / "pagerforce.db") as database:
        for number in (1, 2):
            async with database.write() as tx:
                await journal.append(tx, [journal.Entry(event_of(number), context=seen)], START)
                if number == 1:
                    await tx.run("UPDATE shared_text SET data = 'x'")
                    (broken,) = await journal.read_log(tx, Filter())
        assert broken["recorded"]["context"] == {}
        assert database.unreadable.keys() == {"event": {"1"}}
        async with database.read() as tx:
            found = await journal.read_log(tx, Filter())
        assert [entry["recorded"]["context"] for entry in found] == [seen, seen]
