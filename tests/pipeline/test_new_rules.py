"""Rules that are loaded while the daemon runs, and use fields that were not read before."""

import pytest

from control.kit import open_office
from pagerforce.config.load import load_config
from pagerforce.sandbox.pagerduty.directory import CustomField
from pagerforce.service.catalog import CATALOG
from pagerforce.store import snapshots
from rig import INCIDENT, JANE, P, open_rig

FIELD = f"{P}contactType__c"


def rule(run_on, conditions, *actions, name="New"):
    listed = ", ".join(f"{{ {item} }}" for item in conditions)
    done = ", ".join(f"{{ {item} }}" for item in actions)
    return (
        f'[[rulesets]]\nname = "{name}"\n[[rulesets.rules]]\nname = "{name}"\n'
        f'object = "{INCIDENT}"\nrun_on = "{run_on}"\nconditions = [{listed}]\nactions = [{done}]\n'
    )


CHANGED_TO_CALL = rule(
    "salesforce",
    [f'field = "record.{FIELD}", op = "changed_to", value = "Phone"'],
    'do = "pagerduty.add_note", text = "they call now"',
)
BY_MAIL = rule(
    "pagerduty",
    [
        'field = "event.type", op = "equals", value = "acknowledge"',
        f'field = "record.{FIELD}", op = "equals", value = "Email"',
    ],
    'do = "pagerduty.add_note", text = "answer by mail"',
)


@pytest.fixture
async def rig(tmp_path):
    async with open_rig(tmp_path) as opened:
        (kind,) = opened.pd.state.directory.incident_types.values()
        kind.fields.append(CustomField("PFIELD2", "region", "Region"))
        yield opened


def put_in_rules(rig, text):
    """Adds rules to the sandbox's own, so that records are still linked."""
    (rig.desk.folder / "rules.d" / "mine.toml").write_text(text)


async def reload(rig, daemon):
    """Like SIGHUP."""
    (await daemon.parts.prepare(load_config(rig.desk.config, catalog=CATALOG, environ={})))()


async def go_on(rig, daemon):
    """Other things happen, so that no poll reads again what was before."""
    rig.advance(7200)
    rig.open_record("something else")
    await daemon.step(3, seconds=20)


async def snapshot(daemon, record_id):
    async with daemon.parts.database.read() as tx:
        found = await snapshots.find_record(tx, record_id)
    return found.fields


async def test_the_first_change_of_a_new_field_counts_and_reading_it_is_none(rig):
    async with rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.change(record_id, contactType="Email")
        await daemon.step(2)
        await go_on(rig, daemon)
        assert FIELD not in await snapshot(daemon, record_id)
        before = len(await daemon.log())
        put_in_rules(rig, CHANGED_TO_CALL)
        await reload(rig, daemon)
        await daemon.step(2)
        assert (await snapshot(daemon, record_id))[FIELD] == "Email"
        assert len(await daemon.log()) == before, "reading a field first is no change"
        rig.change(record_id, contactType="Phone")
        await daemon.step(2)
        assert rig.notes_of(incident_id) == ["they call now"]


async def test_a_linked_records_new_field_is_there_for_an_incidents_rule(rig):
    async with rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.change(record_id, contactType="Email")
        await daemon.step(2)
        await go_on(rig, daemon)
        put_in_rules(rig, BY_MAIL)
        await reload(rig, daemon)
        await daemon.step(2)
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step(2)
        assert rig.notes_of(incident_id) == ["answer by mail"]


async def test_what_an_action_reads_back_has_the_new_fields(rig):
    """Otherwise the snapshot after the write would be older than what a poll read."""
    async with rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        put_in_rules(rig, CHANGED_TO_CALL)
        await reload(rig, daemon)
        await daemon.step(2)
        rig.pd.acknowledge(incident_id, by=JANE)  # a rule of the sandbox's own writes the record
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        rig.change(record_id, contactType="Email")
        await daemon.deliver()
        plan = daemon.parts.salesforce_poller.plan
        columns, _ = await plan.record_shape(INCIDENT)
        assert FIELD in columns
        assert (await snapshot(daemon, record_id))[FIELD] in ("Email", None)
        rig.change(record_id, contactType="Phone")
        await daemon.step(3)
        assert rig.notes_of(incident_id) == ["they call now"]


async def test_a_restart_with_other_rules_reads_the_new_fields_too(rig):
    async with rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.change(record_id, contactType="Email")
        await daemon.step(2)
        await go_on(rig, daemon)
    put_in_rules(rig, BY_MAIL)
    async with rig.daemon() as daemon:
        assert (await snapshot(daemon, record_id))[FIELD] == "Email"
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step(2)
        assert rig.notes_of(incident_id) == ["answer by mail"]


async def test_rows_are_read_once_more_only_where_rules_use_a_new_field(rig):
    async with rig.daemon() as daemon:
        await rig.paged(daemon)
        put_in_rules(rig, CHANGED_TO_CALL)
        await reload(rig, daemon)
        await daemon.step(2)
        source, asked = daemon.parts.salesforce_reader.source, []
        original = source.iter_all

        def noted(name, after):
            asked.append(name)
            return original(name, after)

        source.iter_all = noted  # white box: how often everything is read
        await reload(rig, daemon)
        await daemon.step(3)
        put_in_rules(rig, "")
        await reload(rig, daemon)
        await daemon.step(3)
        put_in_rules(rig, CHANGED_TO_CALL)
        await reload(rig, daemon)
        await daemon.step(3)
        assert asked == []


async def test_custom_fields_of_open_incidents_are_known_once_rules_use_them(rig):
    async with rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.set_custom_field(incident_id, "region", "Europe", by=JANE)
        await daemon.step(2)
        before = len(await daemon.log())
        put_in_rules(
            rig,
            rule(
                "salesforce",
                [
                    'field = "incident.custom_fields.region", op = "equals", value = "Europe"',
                    'field = "event.type", op = "equals", value = "update"',
                ],
                'do = "pagerduty.add_note", text = "in Europe"',
            ),
        )
        await reload(rig, daemon)
        await daemon.step(2, seconds=400)
        assert len(await daemon.log()) == before
        rig.change(record_id, contactType="Phone", shortDescription="on fire")
        await daemon.step(2)
        assert rig.notes_of(incident_id) == ["in Europe"]


async def test_apply_says_what_is_read_again(rig):
    async with rig.daemon() as daemon, open_office(daemon) as office:
        done = await office.ask("rules apply", name="new.toml", content=CHANGED_TO_CALL)
        assert done["new_fields"] == {INCIDENT: [FIELD]}
        done = await office.ask("rules apply", name="new.toml", content=CHANGED_TO_CALL)
        assert done["new_fields"] == {}


async def test_an_object_that_a_reload_brings_waits_for_the_restart(rig):
    async with rig.daemon() as daemon:
        put_in_rules(
            rig,
            '[[objects]]\npreset = "case"\n'
            + rule("salesforce", [], 'do = "pagerduty.create_incident", title = "x"').replace(
                INCIDENT, "Case"
            ),
        )
        await reload(rig, daemon)
        await daemon.step(2)
        record_id, _ = await rig.paged(daemon)
        assert record_id
