"""Old data is deleted, and that changes nothing else."""

from datetime import timedelta

import pytest

from pagerforce.store import operators
from pagerforce.store.journal import Filter
from pagerforce.store.retention import Limits
from rig import HISTORY, INCIDENT, JANE, P, open_rig

YEAR = 366 * 86_400


def count(daemon, table):
    async def ask():
        async with daemon.parts.database.read() as tx:
            return (await tx.row(f"SELECT count(*) FROM {table}"))[0]

    return ask()


async def prune(daemon, rounds=4):
    for _ in range(rounds):
        await daemon.parts.pruner.prune(lambda: None)


async def later(rig, daemon, seconds):
    """Time passes while somebody does something else, so that the cursors are at its end."""
    rig.advance(seconds)
    rig.pd.trigger("PDBA001", "Something else")
    rig.comment(rig.open_record("something else"), "by somebody else")
    await daemon.step(4, seconds=5)


async def test_the_journal_forgets_what_is_old_and_done(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        await rig.paged(daemon)
        await daemon.step()
        before = await daemon.log()
        await prune(daemon)
        assert await daemon.log() == before
        await later(rig, daemon, 89 * 86_400)
        await prune(daemon)
        assert (await daemon.log())[: len(before)] == before
        await later(rig, daemon, 2 * 86_400)
        await prune(daemon)
        left = {entry["record"] or entry["incident"] for entry in await daemon.log()}
        assert not left & {entry["record"] or entry["incident"] for entry in before}
        async with daemon.parts.database.read() as tx:
            orphans = "SELECT count(*) FROM attempt WHERE action_id NOT IN (SELECT id FROM action)"
            assert await tx.row(orphans) == (0,)
            orphans = (
                "SELECT count(*) FROM shared_text WHERE NOT EXISTS "
                "(SELECT 1 FROM event WHERE shared_text.id IN (context_id, rules_id))"
            )
            assert await tx.row(orphans) == (0,)


async def test_nothing_that_may_be_read_again_is_forgotten(tmp_path):
    """The daemon was stopped for long: its cursors are old, and so is the data in their range."""
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record, incident = await rig.paged(daemon)
            rig.pd.annotate(incident, "once", by=JANE)
            await daemon.step(3)
        rig.advance(100 * 86_400)
        async with rig.daemon() as daemon:
            log = await daemon.log()
            await prune(daemon)
            assert await daemon.log() == log
            await daemon.step(4, seconds=70)
            assert rig.comments_of(record) == ["[PagerDuty - Jane Doe] once"]


async def test_dead_letters_and_what_waits_stay_until_somebody_decides(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record, incident = await rig.paged(daemon)
        rig.set_status(record, "CLOSED")
        rig.pd.annotate(incident, "refused: the record is closed", by=JANE)
        await daemon.step(3)
        letters = await daemon.dead_letters()
        assert len(letters) == 1
        await later(rig, daemon, YEAR)
        await prune(daemon)
        assert await daemon.dead_letters() == letters
        assert (incident, record, "active") in await daemon.links(), "a retry needs the link"


async def audit(daemon):
    async with daemon.parts.database.read() as tx:
        return [entry["command"] for entry in await operators.read_operators(tx, Filter())]


async def note(rig, daemon, *commands):
    async with daemon.parts.database.write() as tx:
        for word in commands:
            await operators.record_operator(
                tx, operators.OperatorAction(4711, "mia", [], word), rig.host.now()
            )


async def test_what_operators_did_is_kept_for_a_year(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        await note(rig, daemon, "links add", "rules apply")
        rig.advance(364 * 86_400)
        await note(rig, daemon, "log-level")
        await prune(daemon)
        assert await audit(daemon) == ["links add", "rules apply", "log-level"]
        rig.advance(2 * 86_400)
        await prune(daemon)
        assert await audit(daemon) == ["log-level"]


async def test_however_much_operators_do_the_kept_data_is_bounded(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        await note(rig, daemon, *[f"command {number}" for number in range(450)])
        daemon.parts.pruner.limits = Limits(operator_entries=3)
        await prune(daemon, rounds=1)
        assert await audit(daemon) == ["command 447", "command 448", "command 449"]


async def test_more_events_than_wanted_go_before_their_time(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        await rig.paged(daemon)
        await later(rig, daemon, 20 * 86_400)
        daemon.parts.pruner.limits = Limits(events=4)
        before = await daemon.log()
        await prune(daemon)
        assert len(await daemon.log()) < len(before)
        assert (await daemon.log())[-4:] == before[-4:]


async def test_a_pair_long_closed_goes_and_an_open_one_stays(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        closed_record, closed = await rig.paged(daemon, "closed")
        _, still_open = await rig.paged(daemon, "open")
        rig.comment(closed_record, "a note to be forgotten")
        await daemon.step()
        rig.pd.resolve(closed, by=JANE)
        await daemon.step(3)
        await later(rig, daemon, YEAR)
        await prune(daemon)
        linked = [link[0] for link in await daemon.links()]
        assert still_open in linked
        assert closed not in linked
        assert await count(daemon, "note") == 0
        # Its record is still in Salesforce: neither the comparison of all rows nor a change is a new record.
        pages = len(rig.incidents())
        await daemon.step(2, seconds=90_000)
        creates = [x for x in await daemon.log() if x["record"] == closed_record]
        assert creates == []
        assert len(rig.incidents()) == pages
        # Reopened after a year, it is a change of a known record, and creates an incident again.
        rig.set_status(closed_record, "IN PROGRESS")
        await daemon.step(2)
        (entry,) = [x for x in await daemon.log() if x["record"] == closed_record]
        assert entry["event"] == "update"
        assert len(rig.incidents()) == pages + 1


async def test_what_a_merge_took_from_an_incident_is_forgotten_with_it(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        merged = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        await daemon.step()
        rig.pd.merge(survivor, [merged], by=JANE)
        await daemon.step(2)
        assert await count(daemon, "merged_link") == 1
        rig.pd.resolve(survivor, by=JANE)
        await daemon.step(3)
        await later(rig, daemon, YEAR)
        await prune(daemon)
        assert await count(daemon, "merged_link") == 0


async def test_a_pair_that_somebody_touches_stays(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record, incident = await rig.paged(daemon)
        rig.pd.resolve(incident, by=JANE)
        await daemon.step(3)
        await later(rig, daemon, YEAR / 2)
        rig.set_status(record, "IN PROGRESS")
        await daemon.step(2)
        await later(rig, daemon, YEAR * 2 / 3)
        await prune(daemon)
        assert (incident, record, "active") in await daemon.links()


async def test_a_deleted_record_is_forgotten_when_nothing_can_bring_it_back(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record = rig.open_record("a mistake")
        await daemon.step()
        rig.sf.delete(INCIDENT, record)
        await daemon.step()
        await later(rig, daemon, 100 * 86_400)
        await prune(daemon)
        async with daemon.parts.database.read() as tx:
            assert await tx.row("SELECT count(*) FROM record WHERE id = ?", (record,)) == (0,)


@pytest.mark.parametrize("days", [100, 400])
async def test_an_old_comment_edited_after_it_was_forgotten_is_no_event(tmp_path, days):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record, incident = await rig.paged(daemon)
        comment = rig.comment(record, "written long ago")
        await daemon.step(3)
        assert rig.notes_of(incident) == ["[Raj Patel] written long ago"]
        await later(rig, daemon, days * 86_400)
        await prune(daemon)
        known = await count(daemon, f"comment WHERE id = '{comment}'")
        assert known == (1 if days == 100 else 0)
        rig.sf.update(
            HISTORY,
            comment,
            {f"{P}note__c": "written long ago, corrected"},
            by="raj.patel@example.com",
        )
        await daemon.step(3)
        assert rig.notes_of(incident) == ["[Raj Patel] written long ago"]


def test_what_is_kept_covers_every_late_window(tmp_path):
    assert Limits().look_back >= timedelta(days=15)


async def test_refusals_do_not_push_out_what_operators_did(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        daemon.parts.pruner.limits = Limits(operator_entries=100, refused_entries=3)
        async with daemon.parts.database.write() as tx:
            for number in range(40):
                outcome = operators.REFUSED if number % 4 else operators.DONE
                action = operators.OperatorAction(1, "eve", [], f"c{number}", outcome=outcome)
                await operators.record_operator(tx, action, rig.host.now())
        await daemon.parts.pruner.prune(lambda: None)
        async with daemon.parts.database.read() as tx:
            left = await operators.read_operators(tx, Filter())
        assert [x["command"] for x in left if x["outcome"] == "done"] == [
            f"c{number}" for number in range(0, 40, 4)
        ]
        refused = [x["command"] for x in left if x["outcome"] == "refused"]
        assert refused == ["c37", "c38", "c39"]
