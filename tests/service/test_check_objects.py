"""The lines of ``check`` about objects, fields and written values, each provoked over HTTP."""

from dataclasses import replace

import pytest

from checking import HISTORY, INCIDENT, OBJECT, SOURCE, P, open_bench, rule
from pagerforce.config.checkline import Kind
from pagerforce.config.objects import ObjectSettings
from pagerforce.salesforce.schema import parse_describe
from pagerforce.sandbox.salesforce.schema import Field, FieldType
from pagerforce.service.checks.objects import property_lines
from pagerforce.service.checks.writing import required_line
from pagerforce.service.writes import NewRow

WINDOW = "Change_Window__c"
SET = 'do = "salesforce.set_field", field = "{}", value = {}'
FIND = 'do = "salesforce.set_field", field = "{}", lookup = {{ {} }}'
MAKE = 'do = "salesforce.create_record", fields = {{ {} }}'


def on_incident(*actions, **more):
    return OBJECT + rule(*actions, **more)


def on_window(*actions, more="", **rest):
    return f'[[objects]]\nname = "{WINDOW}"\n{more}' + rule(*actions, object_name=WINDOW, **rest)


def spoil(bench, object_name, field, **changes):
    """Changes a field of the org's schema, as an administrator would."""
    fields = bench.sf.schema.get(object_name).fields
    fields[field.lower()] = replace(fields[field.lower()], **changes)


async def only(tmp_path, text, spoiling=None):
    async with open_bench(tmp_path, text) as bench:
        if spoiling is not None:
            spoiling(bench)
        return (await bench.check()).only_todo()


async def remarks(tmp_path, text, spoiling=None):
    async with open_bench(tmp_path, text) as bench:
        if spoiling is not None:
            spoiling(bench)
        found = await bench.check()
        assert found.todo == []
        return found


async def test_an_object_that_is_well_can_be_polled(tmp_path):
    found = await remarks(tmp_path, OBJECT)
    assert found.has(f"Salesforce object {INCIDENT}")
    assert found.has(f"Salesforce object {HISTORY}")


async def test_an_object_that_is_hidden_is_reported_once(tmp_path):
    line = await only(tmp_path, '[[objects]]\nname = "No_Such__c"\n')
    assert (line.code, line.what) == ("field.wrong", "No_Such__c")
    assert "permissions" in line.remedy


@pytest.mark.parametrize("right", ["create", "edit"])
async def test_rights_on_an_object_are_missed_where_they_are_needed(tmp_path, right):
    text = on_window(SET.format("Notes__c", '"x"'), MAKE.format('Notes__c = "x"'))
    line = await only(tmp_path, text, lambda bench: bench.sf.access.deny(WINDOW, right))
    assert line.code == {"create": "object.not_createable", "edit": "object.not_updateable"}[right]
    text = f'[[objects]]\nname = "{WINDOW}"\n'
    await remarks(tmp_path, text, lambda bench: bench.sf.access.deny(WINDOW, right))


async def test_comments_that_may_not_be_created_are_reported(tmp_path):
    line = await only(tmp_path, OBJECT, lambda bench: bench.sf.access.deny(HISTORY, "create"))
    assert (line.code, HISTORY in line.what) == ("object.not_createable", True)


async def test_a_filter_that_is_refused_is_reported_with_the_orgs_words(tmp_path):
    line = await only(tmp_path, OBJECT + 'where = "Nonsense__c = 1"\n')
    assert (line.code, line.what) == ("field.wrong", INCIDENT)
    assert "its filter (where) is refused" in line.remedy
    assert "Nonsense__c" in line.remedy


@pytest.mark.parametrize("key", ["External_Ref__c", "Notes__c"])
async def test_a_key_must_be_a_unique_external_id(tmp_path, key):
    text = on_window(more=f'external_id_field = "{key}"\n')
    assert (await only(tmp_path, text.partition("[[rulesets]]")[0])).code == "object.key_unfit"
    good = text.partition("[[rulesets]]")[0].replace(key, "Window_Key__c")
    await remarks(tmp_path, good)


@pytest.mark.parametrize(
    ("more", "is_told"), [("", True), ('external_id_field = "Window_Key__c"', False)]
)
async def test_an_object_that_rules_create_without_a_key_is_named_with_what_that_costs(
    tmp_path, more, is_told
):
    text = on_window(MAKE.format('Name = "x"'), more=f"{more}\n", run_on="pagerduty")
    async with open_bench(tmp_path, text) as bench:
        found = await bench.check()
    told = [line for line in found.lines if line.code == "object.no_key"]
    assert bool(told) is is_told
    if told:
        assert "Window_Key__c" in told[0].remedy
        assert "dead letter" in told[0].remedy


async def test_a_misspelt_field_of_a_conflict_is_reported(tmp_path):
    line = await only(tmp_path, OBJECT + 'conflict_fields = { Nope__c = "salesforce" }\n')
    assert (line.code, "Nope__c" in line.what) == ("object.conflict_field", True)


async def test_a_service_path_that_the_org_lacks_is_reported(tmp_path):
    line = await only(
        tmp_path,
        OBJECT,
        lambda b: b.sf.access.hidden.add((f"{P}Category__c", "PagerDuty_Service_ID__c")),
    )
    assert line.code == "object.service_path"


async def test_a_service_that_a_category_names_wrongly_is_reported(tmp_path):
    def mistype(bench):
        category = bench.sf.find_id(f"{P}Category__c", Name="Database")
        bench.sf.update(f"{P}Category__c", category, {"PagerDuty_Service_ID__c": "PDBA01"})

    line = await only(tmp_path, OBJECT, mistype)
    assert line.code == "carried.no_service"
    assert "PDBA01" in line.remedy


async def test_changes_ordered_by_another_time_field_are_remarked(tmp_path):
    def close(bench):
        spoil(bench, WINDOW, "SystemModstamp", filterable=False)

    found = await remarks(tmp_path, f'[[objects]]\nname = "{WINDOW}"\n', close)
    assert "LastModifiedDate" in found.about("object.ordered_by").remedy


@pytest.mark.parametrize(
    ("field", "op", "value", "code"),
    [
        ("Severity__c", "equals", '"Hugh"', "condition.no_such_value"),
        ("Severity__c", "in", '["Major", "Hugh"]', "condition.no_such_value"),
        ("Severity__c", "changed_to", '"Hugh"', "condition.no_such_value"),
        ("Severity__c", "equals", '"major"', ""),
        ("Severity__c", "starts_with", '"Hu"', ""),
    ],
)
async def test_a_condition_that_can_never_hold_is_reported(tmp_path, field, op, value, code):
    condition = f'{{ field = "record.{field}", op = "{op}", value = {value} }}'
    text = on_window('do = "pagerduty.resolve"', conditions=condition, run_on="salesforce")
    if code:
        line = await only(tmp_path, text)
        assert (line.code, "conditions[0].value" in line.what) == (code, True)
        assert "Minor, Major, Critical" in line.remedy
    else:
        await remarks(tmp_path, text)


async def test_a_value_that_an_open_picklist_does_not_list_is_remarked(tmp_path):
    condition = f'{{ field = "record.{P}contactType__c", op = "equals", value = "Smoke" }}'
    text = on_incident('do = "pagerduty.resolve"', conditions=condition, run_on="salesforce")
    assert "Smoke" in (await remarks(tmp_path, text)).about("condition.unknown_value").remedy


@pytest.mark.parametrize(
    ("action", "code", "word"),
    [
        (SET.format("Account_Name__c", '"x"'), "write.read_only", "Account_Name__c"),
        (SET.format("Severity__c", '"Hugh"'), "write.no_such_value", "Minor, Major"),
        (SET.format("Severity__c", "\"{{ incident.urgency | translate('m') }}\""), "write.no_such_value", "Huge"),
        (SET.format("Regions__c", '"EMEA;MOON"'), "write.no_such_value", "MOON"),
        (SET.format("Amount__c", '"much"'), "write.unsuited", "Amount__c"),
        (SET.format("Due__c", '"tomorrow"'), "write.unsuited", "Due__c"),
        (SET.format("Account__c", '"Example Corp"'), "write.unsuited", "Account__c"),
        (FIND.format("Account__c", 'Name = "Nobody Ltd"'), "write.lookup", "no row"),
        (FIND.format("Account__c", 'Nope__c = "x"'), "write.lookup", "no such fields"),
        (FIND.format("Notes__c", 'Name = "x"'), "write.lookup", "not a reference"),
        (MAKE.format('Severity__c = "Hugh"'), "write.no_such_value", "Hugh"),
    ],
)  # fmt: skip
async def test_what_salesforce_would_refuse_is_reported_before_it_happens(
    tmp_path, action, code, word
):
    text = '[maps.m]\nhigh = "Huge"\ndefault = "Minor"\n' + on_window(action)
    line = await only(tmp_path, text)
    assert line.code == code
    assert "rulesets[0].rules[0].actions[0]" in line.what
    assert word in line.remedy


@pytest.mark.parametrize(
    "action",
    [
        SET.format("Severity__c", '"major"'),
        SET.format("Regions__c", '"EMEA;APAC"'),
        SET.format("Severity__c", '"{{ incident.urgency }}"'),
        SET.format("Amount__c", "3"),
        SET.format("Due__c", '"2026-03-02"'),
        SET.format("Notes__c", '""'),
        FIND.format("Account__c", 'Name = "example corp"'),
        FIND.format("Account__c", 'Name = "{{ incident.title }}"'),
    ],
)
async def test_what_salesforce_accepts_is_well(tmp_path, action):
    assert (await remarks(tmp_path, on_window(action))).has("what rules and comments write")


async def test_a_lookup_that_finds_two_is_reported(tmp_path):
    line = await only(
        tmp_path,
        on_window(FIND.format("Account__c", 'Name = "Example Corp"')),
        lambda bench: bench.sf.insert("Account", {"Name": "EXAMPLE corp"}),
    )
    assert (line.code, "2 rows" in line.remedy) == ("write.lookup", True)


async def test_every_value_of_a_map_is_looked_up(tmp_path):
    action = FIND.format("Account__c", "Name = \"{{ incident.urgency | translate('m') }}\"")
    text = '[maps.m]\nhigh = "Example Corp"\ndefault = "Nobody Ltd"\n' + on_window(action)
    assert "Nobody Ltd" in (await only(tmp_path, text)).remedy


async def test_the_lookups_of_comments_are_tried_too(tmp_path):
    def rename(bench):
        action = bench.sf.find_id(f"{P}Action__c", Name="Notes")
        bench.sf.update(f"{P}Action__c", action, {"Name": "Notizen"})

    line = await only(tmp_path, OBJECT, rename)
    assert (line.code, "comments.fields" in line.what) == ("write.lookup", True)


async def test_a_field_that_may_not_be_empty_may_not_be_cleared(tmp_path):
    text = on_window(SET.format("Name", '""'))
    line = await only(tmp_path, text, lambda bench: spoil(bench, WINDOW, "Name", required=True))
    assert line.code == "write.cleared"


def require(bench):
    must = Field(name="Must__c", type=FieldType.STRING, length=80, required=True)
    bench.sf.schema.get(WINDOW).fields["must__c"] = must


async def test_a_required_field_that_nothing_fills_is_reported(tmp_path):
    line = await only(tmp_path, on_window(MAKE.format('Notes__c = "x"')), require)
    assert line.code == "write.required"
    assert "Must__c" in line.remedy
    await remarks(tmp_path, on_window(MAKE.format('Must__c = "x"')), require)
    line = await only(tmp_path, on_window(MAKE.format('Notes__c = "x", Must__c = ""')), require)
    assert line.code == "write.required"


async def test_an_inbound_mapping_fills_a_required_field(tmp_path):
    mapping = (
        f'[[service_mappings]]\nname = "M"\nobject = "{WINDOW}"\nfield = "Must__c"\n'
        'value = "x"\nservice = "PNET001"\n'
    )
    await remarks(tmp_path, mapping + on_window(MAKE.format('Notes__c = "x"')), require)


async def test_a_mapping_whose_lookup_finds_nothing_is_reported(tmp_path):
    mapping = (
        f'[[service_mappings]]\nname = "M"\nobject = "{INCIDENT}"\nfield = "{P}FKCategory__c"\n'
        'value = { lookup = { Name = "Nope" } }\nservice = "PNET001"\n'
    )
    line = await only(tmp_path, OBJECT + mapping)
    assert (line.code, line.what) == ("salesforce.mapping", 'service mapping "M"')


# Refusals by Remedyforce's own rules


@pytest.mark.parametrize("name", ["CHANGE REVIEW", "PENDING (OLD)"])
async def test_a_status_that_is_not_for_incidents_is_reported(tmp_path, name):
    text = on_incident(FIND.format(f"{P}FKStatus__c", f'Name = "{name}"'))
    assert (await only(tmp_path, text)).code == "remedyforce.status"


async def test_an_incident_wants_a_category_or_a_source(tmp_path):
    text = on_incident(MAKE.format(f'{P}shortDescription__c = "x"'))
    found = await remarks(tmp_path, text)
    assert "remedyforce.category_by_service" in found.remarks
    alone = text.replace("[[rulesets]]", 'service_id_path = ""\n[[rulesets]]', 1)
    assert (await only(tmp_path, alone)).code == "remedyforce.category"
    assert (
        "remedyforce.category_by_service"
        not in (await remarks(tmp_path, on_incident(MAKE.format(SOURCE)))).remarks
    )


async def test_a_history_row_wants_an_action(tmp_path):
    comments = (
        f'[[objects]]\nname = "{INCIDENT}"\n[objects.comments]\nobject = "{HISTORY}"\n'
        f'parent_field = "{P}FKIncident__c"\nbody_field = "{P}note__c"\n'
    )
    assert (await only(tmp_path, comments)).code == "remedyforce.action"


async def test_the_computed_priority_and_the_packages_switch_are_reported(tmp_path):
    text = on_incident(FIND.format(f"{P}FKPriority__c", 'Name = "1"'))
    assert (await remarks(tmp_path, text)).about("remedyforce.priority").kind is Kind.REMARK
    text = on_incident(SET.format(f"{P}RF_SkipTriggerExecution__c", "true"))
    assert (await only(tmp_path, text)).code == "remedyforce.bypass"


# A describe that leaves properties out


def described(**properties):
    field = {"name": "Key__c", "type": "string", "createable": True, **properties}
    return parse_describe("X__c", {"name": "X__c", "fields": [field]})


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"nillable": False, "defaultedOnCreate": False}, "write.required"),
        ({"nillable": False}, "write.required_doubt"),
        ({"nillable": False, "defaultedOnCreate": True}, None),
        ({"nillable": False, "createable": False}, None),
        ({"nillable": False, "type": "boolean"}, None),
        ({}, None),
    ],
)
def test_a_property_that_is_left_out_makes_a_doubt_not_a_failure(properties, code):
    row = NewRow("rules", "X__c", ())
    line = required_line(row, described(**properties).fields["Key__c"])
    assert (line.code if line is not None else None) == code


@pytest.mark.parametrize(
    ("properties", "codes"),
    [
        ({}, ["object.key_doubt"]),
        ({"externalId": True}, ["object.key_doubt"]),
        ({"externalId": True, "unique": True}, []),
        ({"externalId": False}, ["object.key_unfit"]),
    ],
)
def test_a_key_with_few_properties_is_doubted(properties, codes):
    item = ObjectSettings(name="X__c", external_id_field="Key__c")
    assert [line.code for line in property_lines(item, described(**properties))] == codes


def test_inactive_values_of_a_picklist_are_distinguished():
    values = [{"value": "a", "active": True}, {"value": "b", "active": False}, {"value": "c"}]
    info = described(picklistValues=values, restrictedPicklist=True).fields["Key__c"]
    assert (info.picklist_values, info.inactive_values) == (("a", "c"), ("b",))
    assert info.is_restricted
