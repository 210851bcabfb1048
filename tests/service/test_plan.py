"""``check --plan`` compared with the daemon's real calls: an hour of both loops against the sandbox."""

from datetime import UTC, datetime

import pytest

from checking import INCIDENT, OBJECT, open_bench, rule
from pagerforce.config.checkline import Kind
from pagerforce.model.ids import Side
from pagerforce.service.plan import Assumptions, plan, plan_lines
from pagerforce.store import links
from rig import JANE, open_rig

HOUR = 3600.0
STAMP = (
    'do = "salesforce.set_field", field = "BMCServiceDesk__incidentResolution__c",'
    ' value = "{{ incident.urgency }} {{ event.at }}"'
)
NOTE = 'do = "pagerduty.add_note", text = "{{ record.BMCServiceDesk__shortDescription__c }}"'
CHANGED = '{ field = "record.BMCServiceDesk__shortDescription__c", op = "changed" }'
URGENT = '{ field = "event.type", op = "equals", value = "urgency_change" }'
RULES = (
    OBJECT
    + rule(NOTE, run_on="salesforce", name="s", conditions=CHANGED)
    + rule(STAMP, name="p", conditions=URGENT)
)


class Loops:
    """Both loops on the rig's clocks: each polls when its own pace says so."""

    def __init__(self, rig, daemon):
        self.rig, self.daemon = rig, daemon
        parts = daemon.parts
        self.due = {parts.pagerduty: 0.0, parts.salesforce: 0.0}

    async def run(self, seconds, deeds=()):
        """Lets time pass; ``deeds`` are (at second, deed), in order."""
        clock, waiting = self.rig.host, list(deeds)
        start = clock.monotonic()
        self.due = dict.fromkeys(self.due, start)
        while True:
            loop = min(self.due, key=self.due.__getitem__)
            if waiting and start + waiting[0][0] <= self.due[loop]:
                at, deed = waiting.pop(0)
                self.rig.advance(max(0.0, start + at - clock.monotonic()))
                deed()
                continue
            if self.due[loop] >= start + seconds:
                return
            self.rig.advance(self.due[loop] - clock.monotonic())
            # One turn of the real loop and the pause that it chooses, without waiting for it.
            await loop._turn()
            assert loop.state.failures == 0, loop.state.problem
            await self.daemon.deliver()
            self.due[loop] = clock.monotonic() + loop._delay().total_seconds()


def calls(daemon, side):
    """Requests sent, without logins: those do not count against the org's limit."""
    return sum(
        sample.value
        for family in daemon.parts.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "pagerforce_api_requests_total"
        and sample.labels["system"] == side.value
        and sample.labels["operation"] != "login"
    )


def foretold(items, side, seconds, *, busy):
    """The plan's figure for this length of time, without the daily comparison."""
    mine = [x for x in items if x.side is side and "daily" not in x.what]
    return sum(x.busy if busy else x.idle for x in mine) * seconds / 86_400


def calm(rig):
    """The default pace, not the faster one of tests."""
    text = rig.desk.config.read_text()
    lines = [line for line in text.splitlines() if "poll_interval" not in line]
    rig.desk.config.write_text("\n".join(lines))


async def test_an_idle_hour_costs_what_the_plan_says(tmp_path):
    async with open_rig(tmp_path) as rig:
        calm(rig)
        async with rig.daemon() as daemon:
            items = plan(daemon.parts.rules.loaded, Assumptions(changes=0))
            loops = Loops(rig, daemon)
            await loops.run(60)  # costs of a start only
            used = rig.sf.quota.used(rig.sf.clock.now())
            before = {side: calls(daemon, side) for side in Side}
            await loops.run(HOUR)
            spent = {side: calls(daemon, side) - before[side] for side in Side}
            assert rig.sf.quota.used(rig.sf.clock.now()) - used == spent[Side.SALESFORCE]
            for side in Side:
                wanted = foretold(items, side, HOUR, busy=False)
                assert spent[side] == pytest.approx(wanted, rel=0.03), side


async def test_a_busy_quarter_costs_what_the_plan_says(tmp_path):
    """The most expensive rule of each side fires ten times, far enough apart for the pace to slow down."""
    each, seconds = 10, 900.0
    async with open_rig(tmp_path, rules=RULES) as rig:
        calm(rig)
        async with rig.daemon() as daemon:
            pairs = [
                (rig.pd.trigger("PNET001", f"t{n}")["id"], rig.open_record(f"r{n}"))
                for n in range(2)
            ]
            await daemon.step()
            await link_all(daemon, pairs)
            loops = Loops(rig, daemon)
            await loops.run(60)
            before = {side: calls(daemon, side) for side in Side}

            def rename(number):
                return lambda: rig.change(pairs[number % 2][1], shortDescription=f"text {number}")

            def press(number):
                urgency = ("low", "high")[number // 2 % 2]
                return lambda: rig.pd.set_urgency(pairs[number % 2][0], urgency, by=JANE)

            gap = seconds / each
            deeds = [(gap * n + 1, rename(n)) for n in range(each)]
            deeds += [(gap * (n + 0.5) + 1, press(n)) for n in range(each)]
            await loops.run(seconds, sorted(deeds, key=lambda deed: deed[0]))
            spent = {side: calls(daemon, side) - before[side] for side in Side}
            done = await daemon.outcomes()
            assert done["pagerduty.add_note delivered"] == each
            assert done["salesforce.set_field delivered"] == each
            changes = round(2 * each * 86_400 / seconds)
            items = plan(daemon.parts.rules.loaded, Assumptions(changes=changes, people=2))
            for side in Side:
                wanted = foretold(items, side, seconds, busy=True)
                assert spent[side] == pytest.approx(wanted, rel=0.05), (side, spent, items)


async def link_all(daemon, pairs):
    at = links.LinkTime(datetime.now(UTC), datetime.now(UTC))
    async with daemon.parts.database.write() as tx:
        for incident, record in pairs:
            await links.put_link(tx, incident, INCIDENT, record, at)


async def lines_of(tmp_path, rules=RULES, changes=1000, **salesforce):
    async with open_bench(tmp_path, rules) as bench:
        text = bench.desk.config.read_text()
        kept = "\n".join(line for line in text.splitlines() if "poll_interval" not in line)
        given = "".join(f"{key} = {value}\n" for key, value in salesforce.items())
        bench.desk.config.write_text(kept.replace("[salesforce]\n", f"[salesforce]\n{given}"))
        return plan_lines(bench.load(), Assumptions(changes=changes, records=10_000))


def total(lines, side):
    (line,) = (x for x in lines if x.what.startswith(f"plan: {side}, all together"))
    return line


async def test_the_sum_of_each_side_is_that_of_its_reasons(tmp_path):
    lines = await lines_of(tmp_path)
    for side in ("PagerDuty", "Salesforce"):
        parts = [
            x.calls for x in lines if x.what.startswith(f"plan: {side},") and x.calls is not None
        ]
        *reasons, whole = parts
        assert whole == pytest.approx(tuple(map(sum, zip(*reasons, strict=True))), abs=4)
        assert whole == total(lines, side).calls
    assert all(line.ok for line in lines)


@pytest.mark.parametrize(
    ("budget", "changes", "code", "kind"),
    [
        (100_000, 1000, "", Kind.OK),
        (20_000, 5000, "plan.stretched", Kind.REMARK),
        (10_000, 0, "plan.stretched", Kind.REMARK),
        (5_000, 0, "plan.over_budget", Kind.TODO),
    ],
)
async def test_the_plan_is_compared_with_the_budget(tmp_path, budget, changes, code, kind):
    line = total(await lines_of(tmp_path, changes=changes, daily_call_budget=budget), "Salesforce")
    assert (line.code, line.kind) == (code, kind)
    assert line.calls is not None


async def test_a_pace_that_fills_the_keys_limit_is_remarked(tmp_path):
    async with open_bench(tmp_path, RULES) as bench:
        text = bench.desk.config.read_text().replace(
            'min_poll_interval = "', 'min_poll_interval = "0.1s" #', 1
        )
        bench.desk.config.write_text(text)
        lines = plan_lines(bench.load(), Assumptions(changes=0))
        assert "plan.rate" in {line.code for line in lines}


async def test_more_objects_than_one_request_asks_for_cost_more_polls(tmp_path):
    case = '[[objects]]\npreset = "case"\n'
    window = '[[objects]]\nname = "Change_Window__c"\n'
    account = '[[objects]]\nname = "Account"\n'
    four = total(await lines_of(tmp_path / "a", OBJECT + case, 0), "Salesforce").calls
    five = total(await lines_of(tmp_path / "b", OBJECT + case + window, 0), "Salesforce").calls
    six = total(
        await lines_of(tmp_path / "c", OBJECT + case + window + account, 0), "Salesforce"
    ).calls
    assert five[0] - four[0] < 100
    assert six[0] - five[0] > 5_000


async def test_without_objects_salesforce_gets_no_request(tmp_path):
    lines = await lines_of(tmp_path, "")
    assert not any("Salesforce" in line.what for line in lines)
