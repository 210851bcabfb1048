"""Lanes of many groups at once."""

from contextlib import suppress
from datetime import UTC, datetime
from random import Random

from pagerforce.model.event import Event
from pagerforce.model.ids import ActionId, EventId, RecordId, Side
from pagerforce.model.outbox import NewAction
from pagerforce.store import journal, links, outbox

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


async def enqueue(tx, number, members):
    event = Event(
        EventId(f"e{number}"),
        Side.SALESFORCE,
        "update",
        NOW,
        object="Case",
        record_id=RecordId("r"),
        record={},
    )
    (seq,) = await journal.append(tx, [journal.Entry(event)], NOW)
    lane = await links.join_lanes(tx, members)
    act = NewAction(
        ActionId(f"a{number}"), "set", "rule", 0, "do.it", "Case", {}, {}, is_page=False
    )
    await outbox.enqueue(tx, [outbox.Queued(seq, lane, [act])], NOW)


class UndoneError(Exception):
    pass


async def test_groups_joined_at_once_have_the_lanes_of_groups_joined_one_by_one(state):
    dice = Random(17)
    async with state.open() as database:
        for _ in range(30):
            groups = [
                [f"m{dice.randrange(12)}" for _ in range(dice.randint(1, 3))] for _ in range(5)
            ]
            before = [[f"m{dice.randrange(12)}" for _ in range(2)] for _ in range(2)]
            found = []
            for together in (False, True):
                with suppress(UndoneError):
                    async with database.write() as tx:
                        for number, members in enumerate(before):
                            await enqueue(tx, number, members)
                        if together:
                            lanes = await links.join_all(tx, groups)
                        else:
                            for members in groups:
                                await links.join_lanes(tx, members)
                            lanes = [await links.join_lanes(tx, members) for members in groups]
                        members = sorted(await tx.rows("SELECT member, lane FROM lane_member"))
                        actions = sorted(await tx.rows("SELECT id, lane FROM action"))
                        found.append((lanes, members, actions))
                        raise UndoneError
            assert found[0] == found[1], (before, groups)
