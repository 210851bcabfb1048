"""Which rows polls had read as another user's before a moment."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from pagerforce.model.event import CommentText, Event
from pagerforce.model.ids import EventId, RecordId, Side
from pagerforce.model.incident import Person
from pagerforce.model.record import Comment
from pagerforce.store import attempts, journal, own_writes
from pagerforce.store.codec import to_stamp

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PARENT = RecordId("500000000000001AAA")


def created(number, kind="create", name="Case"):
    record_id = RecordId(f"50000000000000{number}AAA")
    event_id = EventId(f"sf:{number}:{kind}")
    return Event(event_id, Side.SALESFORCE, kind, NOW, object=name, record_id=record_id, record={})


def comment(name):
    return Comment("CaseComment", RecordId(name), "Case", PARENT, "text", Person(), NOW, NOW)


async def test_records_read_before_then_of_that_object_and_of_somebody_else(state):
    async with state.open() as database, database.write() as tx:
        early = [
            journal.Entry(created(1)),
            journal.Entry(created(2), echo_of="a1"),
            journal.Entry(created(3, name="Other__c")),
            journal.Entry(created(4, kind="update")),
        ]
        await journal.append(tx, early, NOW)
        seq = await newest(tx)
        await journal.append(tx, [journal.Entry(created(5))], NOW - timedelta(seconds=2))
        found = await own_writes.records_seen_before(tx, "case", seq)
        assert found == {"500000000000001AAA"}


async def test_comments_read_before_then_and_not_of_pagerforce(state):
    """The journal's order decides; the time only where a comment has no event."""
    async with state.open() as database, database.write() as tx:
        first, own, early, late, silent = (f"00a00000000000{number}AAA" for number in range(5))
        await own_writes.put_comments(tx, [(comment(first), None), (comment(own), "a1")], NOW)
        await said(tx, early, NOW + timedelta(seconds=9))
        seq = await newest(tx)
        await said(tx, late, NOW - timedelta(seconds=9))  # somebody set the clock back
        await own_writes.put_comments(tx, [(comment(silent), None)], NOW + timedelta(seconds=2))
        found = await own_writes.comments_seen_before(tx, PARENT, seq, NOW + timedelta(seconds=1))
        assert found == {first, early}


async def said(tx, name, at):
    await own_writes.put_comments(tx, [(comment(name), None)], at)
    text = CommentText("text", "Raj", NOW, name)
    event_id = EventId(f"sf:{name}:comment")
    event = Event(
        event_id, Side.SALESFORCE, "comment", NOW, object="Case", record_id=PARENT, comment=text
    )
    await journal.append(tx, [journal.Entry(event)], at)


async def newest(tx):
    (row,) = await tx.rows("SELECT max(seq) FROM event")
    return row[0]


async def test_an_attempt_of_an_earlier_version_goes_by_time(state):
    async with state.open() as database, database.write() as tx:
        await journal.append(tx, [journal.Entry(created(1))], NOW)
        await journal.append(tx, [journal.Entry(created(2))], NOW + timedelta(seconds=9))
        sql = "INSERT INTO attempt (action_id, number, started_at, event_seq) VALUES (?, ?, ?, ?)"
        began = to_stamp(NOW + timedelta(seconds=5))
        await tx.run_many(
            sql, [("old", 1, began, None), ("new", 1, began, 2), ("new", 2, began, 1)]
        )
        for name, seq in (("old", 1), ("new", 2), ("none", None)):
            assert await attempts.read_before(tx, SimpleNamespace(id=name)) == seq
