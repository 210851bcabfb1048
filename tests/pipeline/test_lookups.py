"""One incident can't be read by its id, and rules use custom fields: everything else continues."""

import pytest

from pagerforce.config.load import load_config
from pagerforce.config.secret import load_secrets
from pagerforce.errors import MalformedError, RefusedError, RemoteError, TransientError
from pagerforce.pipeline.lookups import ODD_ANSWERS, PATIENCE_SECONDS
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty.directory import CustomField
from pagerforce.service.catalog import CATALOG
from pagerforce.service.wiring import wire
from rig import INCIDENT, JANE, SAM, open_rig

RULES = f"""
[[rulesets]]
name = "Region"
[[rulesets.rules]]
name = "in Europe"
object = "{INCIDENT}"
run_on = "pagerduty"
conditions = [{{ field = "incident.custom_fields.region", op = "changed_to", value = "Europe" }}]
actions = [{{ do = "pagerduty.add_note", text = "in Europe" }}]
"""
ALWAYS = 10_000


@pytest.fixture
async def rig(tmp_path):
    async with open_rig(tmp_path) as opened:
        (kind,) = opened.pd.state.directory.incident_types.values()
        kind.fields.append(CustomField("PFIELD2", "region", "Region"))
        (opened.desk.folder / "rules.d" / "region.toml").write_text(RULES)
        yield opened


def spoil(rig, incident_id, kind=FaultKind.MALFORMED, **given):
    path = f"/incidents/{incident_id}$"
    rig.desk.pagerduty_faults.add(Fault(kind, count=ALWAYS, method="GET", path=path, **given))


async def event_types(daemon, incident_id):
    return [item["event"] for item in await daemon.log() if item["incident"] == incident_id]


@pytest.mark.parametrize(
    ("kind", "given", "error"),
    [
        (FaultKind.MALFORMED, {}, MalformedError),
        (FaultKind.ERROR_BEFORE, {"status": 400}, RefusedError),
    ],
)
async def test_an_odd_answer_about_one_incident_fails_a_few_polls_only(
    rig, capsys, kind, given, error
):
    async with rig.daemon() as daemon:
        _, odd = await rig.paged(daemon, "one")
        _, sound = await rig.paged(daemon, "another")
        spoil(rig, odd, kind, **given)
        rig.pd.acknowledge(odd, by=JANE)
        rig.pd.acknowledge(sound, by=JANE)
        assert await daemon.failing_polls(error) == ODD_ANSWERS - 1
        assert "acknowledge" in await event_types(daemon, odd)
        assert "acknowledge" in await event_types(daemon, sound)
        said = [line for line in capsys.readouterr().out.splitlines() if "malformed" in line]
        assert any(f"incident {odd}" in line for line in said)
        rig.pd.set_custom_field(sound, "region", "Europe", by=JANE)
        await daemon.step(2, seconds=400)
        assert rig.notes_of(sound) == ["in Europe"]
        assert await daemon.dead_letters() == []


async def test_what_could_not_be_read_is_seen_once_it_can(rig):
    async with rig.daemon() as daemon:
        _, incident_id = await rig.paged(daemon)
        spoil(rig, incident_id)
        rig.pd.set_custom_field(incident_id, "region", "Europe", by=JANE)
        rig.pd.annotate(incident_id, "hello", by=SAM)
        await daemon.failing_polls(RemoteError)
        await daemon.step(3, seconds=400)
        assert rig.notes_of(incident_id) == ["hello"]
        rig.desk.pagerduty_faults.clear()
        await daemon.step(3, seconds=400)
        assert rig.notes_of(incident_id) == ["hello", "in Europe"]


async def test_a_new_incident_that_could_not_be_read_is_asked_about_again(rig):
    async with rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "from a monitor")["id"]
        rig.pd.set_custom_field(incident_id, "region", "Europe", by=JANE)
        spoil(rig, incident_id)
        await daemon.failing_polls(RemoteError)
        await daemon.step()
        assert rig.notes_of(incident_id) == []
        rig.desk.pagerduty_faults.clear()
        await daemon.step(3, seconds=400)
        assert rig.notes_of(incident_id) == ["in Europe"]


async def test_odd_answers_about_many_incidents_cost_as_many_polls_as_about_one(rig):
    async with rig.daemon() as daemon:
        paged = [(await rig.paged(daemon, f"trouble {count}"))[1] for count in range(5)]
        for incident_id in paged:
            spoil(rig, incident_id)
            rig.pd.acknowledge(incident_id, by=JANE)
        assert await daemon.failing_polls(MalformedError) == ODD_ANSWERS - 1


async def test_an_incident_that_fails_for_long_is_left_out(rig):
    async with rig.daemon() as daemon:
        paged = [(await rig.paged(daemon, f"trouble {count}"))[1] for count in range(3)]
        for incident_id in paged:
            spoil(rig, incident_id, FaultKind.ERROR_BEFORE, status=500)
            rig.pd.acknowledge(incident_id, by=JANE)
        assert await daemon.failing_polls(TransientError) == PATIENCE_SECONDS / 30
        assert "acknowledge" in await event_types(daemon, incident_id)


async def test_a_start_leaves_out_an_incident_that_stays_malformed(rig):
    spoil(rig, rig.pd.trigger("PNET001", "from a monitor")["id"])
    loaded = load_config(rig.desk.config, catalog=CATALOG, environ={})
    async with wire(
        loaded, load_secrets(loaded.config, {}), rig.host, {}, is_shadow=False
    ) as parts:
        for _ in range(ODD_ANSWERS - 1):
            with pytest.raises(MalformedError):
                await parts.pagerduty_reader.start()
        await parts.pagerduty_reader.start()
        rig.advance(30)
        await parts.pagerduty_reader.poll()  # one that fails raises
