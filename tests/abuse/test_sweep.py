"""Every call of a loop raises, one at a time; in each case the incident of another link is created."""

import os
from collections import Counter
from contextlib import ExitStack, asynccontextmanager

import pytest

from abuse.injection import Injected, Plan, injected, seams
from pagerforce.config.load import load_config
from pagerforce.config.secret import load_secrets
from pagerforce.pipeline.aside import SET_ASIDE
from pagerforce.service.catalog import CATALOG
from pagerforce.service.certificates import Certificates
from pagerforce.service.gauges import Gauges
from pagerforce.service.health import Heartbeats
from pagerforce.service.refresh import Refresher
from pagerforce.service.systemd import Notifier
from pagerforce.store import letters, outbox
from rig import INCIDENT, JANE, open_rig

SHARDS = 4
ABUSE = int(os.environ.get("ABUSE", "1"))


class Life:
    """A daemon with loops stepped a turn at a time, inside the code that contains internal errors."""

    def __init__(self, rig, daemon):
        self.rig, self.daemon, self.parts = rig, daemon, daemon.parts
        loaded = load_config(rig.desk.config, catalog=CATALOG, environ={})
        gauges = Gauges.of(
            daemon.parts, rig.host, Certificates.of(loaded, load_secrets(loaded.config, {}))
        )
        both = (self.parts.pagerduty, self.parts.salesforce)
        hearts, textfile = Heartbeats(rig.host), rig.desk.folder / "metrics.prom"
        self.refresher = Refresher(
            gauges, self.parts.metrics, rig.host, both, hearts, Notifier({}), textfile
        )
        self.tokens = {"guilty"}
        self.number = 0

    async def turn(self, seconds=3.0):
        self.rig.advance(seconds)
        for loop in (self.parts.pagerduty, self.parts.salesforce):
            await loop._turn()
            loop._delay()
        await self.parts.deliverer.drain()
        self.refresher.gauges._certificates_read_at = float("-inf")
        await self.refresher._try_refresh()

    async def begin(self):
        """Links the failing pair; nothing raises yet."""
        self.record_id, self.incident_id = await self.rig.paged(self.daemon, "the guilty pair")
        self.tokens |= {self.record_id, self.record_id[:15], self.incident_id}

    def act(self):
        """Changes by people and monitoring on the failing pair and another one; returns the other's title."""
        self.number += 1
        rig, other = self.rig, f"other {self.number}"
        rig.comment(self.record_id, f"guilty comment {self.number}")
        rig.pd.annotate(self.incident_id, f"guilty note {self.number}", by=JANE)
        rig.pd.acknowledge(self.incident_id, by=JANE)
        rig.set_status(self.record_id, ("IN PROGRESS", "NEW")[self.number % 2])
        rig.open_record(f"guilty page {self.number}", priority="1")
        rig.pd.trigger("PDBA001", f"guilty alarm {self.number}")
        rig.open_record(other, priority="1")
        rig.pd.trigger("PDBA001", f"alarm of {other}")
        return other

    def is_served(self, other):
        pages = [item for item in self.rig.incidents() if item["title"].endswith(f": {other}")]
        records = [
            row
            for row in self.rig.sf.rows(INCIDENT)
            if row["BMCServiceDesk__shortDescription__c"] == f"alarm of {other}"
        ]
        return bool(pages) and bool(records)

    async def serve(self, other, turns=12):
        for _ in range(turns):
            await self.turn()
            if self.is_served(other):
                return
        raise AssertionError(f"{other} was not served within {turns} turns")

    async def fates(self):
        """How many actions wait, how many failed by internal errors, how many events were set aside."""
        found = Counter()
        for entry in await self.daemon.log():
            found["aside"] += any(trace["ruleset"] == SET_ASIDE for trace in entry["rules"])
            for action in entry["actions"]:
                found["waiting"] += action["outcome"] in ("pending", "in_flight")
                found["dead"] += "internal error: Injected in" in (action["reason"] or "")
        return found

    async def settle(self):
        """Nothing raises any more: the waiting actions are delivered."""
        for _ in range(8):
            await self.turn(120)

    async def retry_unreadable(self):
        """As an operator does with entries that could not be read while reading raised."""
        now, found = self.rig.host.now(), await self.daemon.dead_letters()
        async with self.parts.database.write() as tx:
            for letter in found:
                assert "can't be read" in letter["reason"]
                action = await outbox.find_action(tx, letter["id"])
                await letters.revive(tx, action, now, written=action.written, is_uncertain=False)
        await self.settle()

    def lost_or_doubled(self):
        """Everything done that has no counterpart or several on the other side."""
        pages = Counter(item["title"].rpartition(": ")[2] for item in self.rig.incidents())
        records = Counter(
            row["BMCServiceDesk__shortDescription__c"] for row in self.rig.sf.rows(INCIDENT)
        )
        comments = Counter(self.rig.comments_of(self.record_id))
        notes = Counter(self.rig.notes_of(self.incident_id))
        wanted = {}
        for n in range(1, self.number + 1):
            wanted |= {f"guilty page {n}": pages, f"other {n}": pages}
            wanted |= {f"guilty alarm {n}": records, f"alarm of other {n}": records}
            wanted |= {f"[PagerDuty - Jane Doe] guilty note {n}": comments}
            wanted |= {f"[Raj Patel] guilty comment {n}": notes}
        return [f"{text}: {found[text]}" for text, found in wanted.items() if found[text] != 1]


@asynccontextmanager
async def open_life(tmp_path, retry_for="24h"):
    async with open_rig(tmp_path) as rig:
        config = rig.desk.config
        config.write_text(f'{config.read_text()}\n[delivery]\nretry_for = "{retry_for}"\n')
        async with rig.daemon() as daemon:
            life = Life(rig, daemon)
            await life.begin()
            yield life


# A call in each step that actions and events take; with ABUSE all of them.
FATES = (
    "AddNote.expectations",
    "CreateIncident.expectations",
    "CreateIncident.deliver",
    "SetField.deliver",
    "attempts.begin_attempt",
    "claim.Claimer",
    "links.join_all",
    "links.put_link",
    "outbox.enqueue",
    "outbox.settle",
    "settle.settlement_of",
    "settle.store_effects",
    "snapshots.put_records",
    "target.find_pairs",
    "tasks.build_task",
    "tasks.sides_of",
    "traces.expect",
    "traces.put_comments",
    "aside.aside_of_row",
    "Judge.rule",
)


async def test_what_always_raises_is_given_up_finally(tmp_path):
    """After its retries: a dead letter, or an event without rules. Nothing waits for ever."""
    async with open_life(tmp_path, retry_for="20s") as life:
        found = [x for x in await recorded(life) if x[1].about_guilty]
        wrong = []
        for seam, _ in found:
            if ABUSE == 1 and seam.name not in FATES:
                continue
            before = await life.fates()
            with injected(seam, Plan(-1, frozenset(life.tokens))) as made:
                await life.serve(life.act())
                gained = Counter({"waiting": 1})
                for turn in range(16):
                    if turn in (
                        2,
                        5,
                    ):  # others must succeed, or the item is not recognised as the cause
                        life.rig.open_record(f"more {life.number} {turn}", priority="1")
                    if turn < 6 or gained["waiting"]:
                        await life.turn(40)
                        made.left = 0  # while the test itself reads
                        gained = await life.fates() - before
                        made.left = -1
            is_given_up = gained["dead"] + gained["aside"] > 0
            if gained["waiting"] or (seam.name in FATES and not is_given_up):
                wrong.append(f"{seam.name} raised {made.raised} times: {dict(gained)}")
        assert wrong == [], "\n".join(wrong)


async def recorded(life):
    """Every seam that a turn calls, and whether the call concerns the failing pair."""
    found = seams()
    with ExitStack() as stack:
        plans = {
            seam.name: stack.enter_context(injected(seam, Plan(0, frozenset(life.tokens))))
            for seam in found
        }
        await life.serve(life.act())
        await life.turn(400)
        await life.parts.pruner.prune(lambda: None)
    return [(seam, plans[seam.name]) for seam in found if plans[seam.name].calls]


def modes_of(plan):
    """Raises always for the failing pair, or the first three times if calls can't be distinguished."""
    always, thrice = -1, 3
    if not plan.about_guilty:
        return [thrice]
    return [always] if ABUSE == 1 else [always, thrice]


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_a_call_that_raises_keeps_no_other_page_back(tmp_path, shard):
    async with open_life(tmp_path) as life:
        found = await recorded(life)
        assert len(found) > 120
        wrong, unused = [], []
        for seam, plan in found[shard::SHARDS]:
            for left in modes_of(plan):
                with injected(seam, Plan(left, frozenset(life.tokens))) as made:
                    try:
                        await life.serve(life.act())
                        for seconds in () if made.raised else (3, 3, 400):
                            await life.turn(seconds)
                        if not made.raised:
                            await life.parts.pruner.prune(lambda: None)
                    except (AssertionError, Injected) as error:
                        wrong.append(f"{seam.name} {left} {made.raised}: {error!r}")
                if not made.raised:
                    unused.append(seam.name)
        assert wrong == [], "\n".join(wrong)
        assert len(unused) <= len(found) // SHARDS // 5, unused
        await life.settle()
        await life.retry_unreadable()
        assert life.lost_or_doubled() == []
        assert await life.daemon.dead_letters() == []
