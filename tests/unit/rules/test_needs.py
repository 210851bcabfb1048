from pagerforce.rules.needs import doubts, field_uses, fields_needed, incident_needs
from unit.rules.rule_examples import INCIDENT_OBJECT, rule_table, rules_of


def note(text):
    return {"do": "pagerduty.add_note", "text": text}


def test_fields_of_conditions_templates_and_set_field_are_needed():
    rules = rules_of(
        rule_table(
            name="a",
            conditions=[
                {"any": [{"field": "record.BMCServiceDesk__FKCategory__r.Name", "op": "changed"}]},
                {"field": "old.record.State__c", "op": "is_empty"},
                {"field": "linked", "op": "equals", "value": True},
            ],
            actions=[
                note("{{ record.Name | upper }} {{ record.Text__c.split(',')[0] }}"),
                note("{% if old.record['Was__c'] %}{{ record.Owner.Email }}{% endif %}"),
                {"do": "salesforce.set_field", "field": "Set__c", "value": "{{ record.From__c }}"},
                {
                    "do": "salesforce.create_record",
                    "fields": {"A__c": {"lookup": {"Name": "{{ record.Deep__c }}"}}},
                },
            ],
        ),
        rule_table(
            name="b", object="Case", run_on="pagerduty", actions=[note("{{ record.Subject }}")]
        ),
    )

    assert fields_needed(rules) == {
        INCIDENT_OBJECT: {
            "BMCServiceDesk__FKCategory__r.Name",
            "State__c",
            "Name",
            "Text__c",
            "Was__c",
            "Owner.Email",
            "Set__c",
            "From__c",
            "Deep__c",
        },
        "Case": {"Subject"},
    }


def test_custom_fields_are_needed_only_where_a_rule_uses_them():
    condition = {"field": "old.incident.custom_fields.region", "op": "is_empty"}
    text = "{{ incident.custom_fields.region }}"

    assert incident_needs(rules_of(rule_table())) == frozenset()
    rules = rules_of(rule_table(run_on="pagerduty", conditions=[condition]))
    assert incident_needs(rules) == {"custom_fields"}
    assert incident_needs(rules_of(rule_table(actions=[note(text)]))) == {"custom_fields"}


def test_uses_carry_what_describe_has_to_verify():
    condition = {"field": "record.X__c", "op": "in", "value": [1, 2]}

    (use,) = field_uses(rules_of(rule_table(conditions=[{"all": [condition]}])))

    assert use.where == "c.toml: rulesets[0].rules[0].conditions[0].all[0]"
    assert (use.object, use.field, use.op, use.value) == (INCIDENT_OBJECT, "X__c", "in", (1, 2))


def test_names_that_can_never_be_defined_are_pointed_out():
    bad = [
        ("{{ recrod.Name }}", 'recrod is undefined; did you mean "record"?'),
        ("{{ incident.titel }}", "did you mean incident.title"),
        ("{{ event.nope }}", "unknown field 'event.nope'"),
        ("{{ comment.text }}", "unknown field 'comment.text'"),
        ("{{ old.thing }}", "there are old.record and old.incident"),
        ("{{ old.incident.title }}", "always empty"),
    ]
    rules = rules_of(rule_table(actions=[note(text) for text, _ in bad]))

    problems = doubts(rules)

    assert [problem.where for problem in problems] == [
        f"c.toml: rulesets[0].rules[0].actions[{place}].text" for place in range(len(bad))
    ]
    for problem, (_, words) in zip(problems, bad, strict=True):
        assert words in problem.what


def test_names_that_are_correct_are_not_pointed_out():
    text = (
        "{{ record.Any__c }}{{ incident.service.name }}{{ incident.assignees[0].email }}"
        "{{ incident.custom_fields.any }}{{ event.actor }}{{ event.actor.email }}{{ linked }}"
        "{% if incident.priority %}{% endif %}{{ comment.body }}{{ old.record.X__c }}"
    )

    assert doubts(rules_of(rule_table(actions=[note(text)]))) == ()


def test_event_types_that_look_misspelt_are_pointed_out():
    conditions = [
        {"field": "event.type", "op": "in", "value": ["trigger", "acknowlege"]},
        {"field": "event.type", "op": "not_equals", "value": "field_value_change"},
        {"field": "event.type", "op": "contains", "value": "trigge"},
    ]

    (problem,) = doubts(rules_of(rule_table(run_on="pagerduty", conditions=conditions)))

    assert problem.where.endswith("rules[0].conditions[0].value")
    assert 'did you mean "acknowledge"' in problem.what
