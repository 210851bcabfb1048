"""An undefined name, or an unmapped value, in every text argument of an action."""

import pytest

from pagerforce.model.action import ParamKind
from pagerforce.service.catalog import CATALOG
from rig import INCIDENT
from rules.kit import PAGE, SHORT, Case, conclude, is_, rule, staged

GO = [is_(f"record.{SHORT}", "changed_to", "go")]
REQUIRED = {
    "pagerduty.create_incident": {"title": "t", "service": "PNET001"},
    "pagerduty.reassign": {"escalation_policy": "PEPDBA1"},
}
PARAMS = [
    (spec.do, param.name, param.kind)
    for spec in CATALOG
    for param in spec.params
    if param.kind in (ParamKind.TEXT, ParamKind.LIST)
]
BAD = {
    "{{ nobody.knows }}": "nobody",
    "{{ event.colour }}": "colour",
    "{{ 'P7' | translate('strict') }}": "map \"strict\" has no value for 'P7' and no default",
}


def test_every_action_with_a_text_is_listed():
    assert {do for do, *_ in PARAMS} == {spec.do for spec in CATALOG} - {
        "pagerduty.acknowledge",
        "salesforce.set_field",  # value and lookup: test_set_field.py
        "salesforce.create_record",  # fields: test_create_record.py
    }


@pytest.mark.parametrize("template", BAD)
@pytest.mark.parametrize(("do", "name", "kind"), PARAMS, ids=str)
async def test_what_cannot_be_filled_in_is_a_dead_letter(folder, do, name, kind, template):
    args = REQUIRED.get(do, {}) | {name: [template] if kind is ParamKind.LIST else template}
    if name == "assignees":
        args.pop("escalation_policy", None)
    case = Case("", {"do": do} | args, "dead_letter", BAD[template])
    async with staged(folder, PAGE, rule("try", "salesforce", GO, case.action)) as (rig, daemon):
        if do == "pagerduty.create_incident":
            record_id = rig.open_record()
            await daemon.step(1)
        else:
            record_id, _ = await rig.paged(daemon)
        rig.change(record_id, shortDescription="go")
        done = await conclude(rig, daemon, case, record_id)
        assert "retry" in done["reason"]
        assert rig.sf.row(INCIDENT, record_id)[SHORT] == "go"
