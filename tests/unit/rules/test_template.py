import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.model.incident import Person
from pagerforce.rules.inspection import inspect_template
from pagerforce.rules.template import (
    TemplateProblem,
    context_of,
    render_args,
    render_text,
    roots_of,
)
from unit.rules.rule_examples import (
    INCIDENT_OBJECT,
    MAPS,
    comment,
    incident,
    incident_event,
    record_event,
)

RECORD = {
    "Name": "IN-0001",
    "Amount__c": 5.0,
    "Rate__c": 2.5,
    "Open__c": True,
    "Empty__c": None,
    "Parent__r": None,
    "Text__c": "first line\nsecond",
    "At__c": "2026-07-01T22:30:00.000+0000",
    "Day__c": "2026-07-01",
    "BMCServiceDesk__FKCategory__r.Name": "Network",
    "Owner.Profile.Name": "Admin",
    "Html__c": "<p>Disk <b>full</b></p>",
}


def context(**keys):
    event = record_event(record=RECORD, old={"Name": "IN-0000", "Empty__c": "was"}, **keys)
    return context_of(event, None, incident(), linked=True)


def render(text, **keys):
    return render_text(text, context(**keys), MAPS)


def reason_of(text, **keys):
    with pytest.raises(TemplateProblem) as caught:
        render(text, **keys)
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain, { with } braces", "plain, { with } braces"),
        ("{{ record.Name }}: {{ record.BMCServiceDesk__FKCategory__r.Name }}", "IN-0001: Network"),
        ('{{ record["Name"] }}', "IN-0001"),
        ("{{ record.name }}", "IN-0001"),
        ("{{ record.Owner.Profile.Name }}", "Admin"),
        ("{{ record.Amount__c }} {{ record.Rate__c }} {{ record.Open__c }}", "5 2.5 true"),
        ("<{{ record.Empty__c }}{{ record.Parent__r.Name }}{{ record.Parent__r.A__r.B }}>", "<>"),
        ("{{ record.Empty__c.strip() }}{{ record.Text__c.split('\\n')[0] }}", "first line"),
        ("{{ old.record.Name }} {{ old.record.Open__c }}.", "IN-0000 ."),
        (
            "{{ incident.number }} {{ incident.status }} {{ incident.service.name }}",
            "7 triggered Network",
        ),
        ("{{ incident.created_at }}", "2026-11-24T12:00:00Z"),
        ("{{ incident.assignees }}", "Jane Doe"),
        ("{{ incident.assignees[0].email }}", "jane@example.com"),
        ("{% for one in incident.assignees %}{{ one.name }};{% endfor %}", "Jane Doe;"),
        ("{{ incident.custom_fields.items }}", "none"),
        ("{{ incident.custom_fields.tags }}", "a, b"),
        (
            "{{ event.source }} {{ event.type }} {{ event.at }}",
            "salesforce update 2026-11-24T12:00:00Z",
        ),
        ("{{ linked }}", "true"),
        ("{% if linked and record.Amount__c > 4 %}yes{% else %}no{% endif %}", "yes"),
        ("{{ 'a' if record.Empty__c is empty else 'b' }}", "a"),
        ("{{ record.Nope__c is defined }}", "false"),
        ("{{ record.Amount__c * 2 + 1 }}", "11"),
        ("{{ 1e300 }} {{ 1e3 }}", "1e+300 1000"),
        ("{{ record.Name ~ '!' }}", "IN-0001!"),
        ("{{ record.Name[-4:] }}", "0001"),
        ("a\n", "a\n"),
        # filters
        ("{{ incident.priority.name | translate('priority') }}", "1"),
        ("{{ 'p2' | translate('priority') }}", "2"),
        ("{{ 'other' | translate('priority') }}", "3"),
        ("{{ record.Empty__c | translate('priority') }}", "3"),
        ("{{ 'ON' | translate('strict') }}", "true"),
        ("{{ record.Empty__c | default('none') }}", "none"),
        ("{{ record.Nope__c | d('none') }}", "none"),
        ("{{ record.Name | default('none') }}", "IN-0001"),
        ("{{ record.Name | lower | upper | title | capitalize }}", "In-0001"),
        ("{{ '  a ' | trim }}", "a"),
        ("{{ 'abcdef' | truncate(4) }}", "abc…"),
        ("{{ 'abcd' | truncate(4) }}", "abcd"),
        ("{{ 'abcdef' | truncate(4, '...') }}", "a..."),
        ("{{ record.Name | replace('IN-', '#') }}", "#0001"),
        ("{{ ['a', '', 'b'] | join }}", "a, b"),
        ("{{ incident.assignees | join('; ', 'email') }}", "jane@example.com"),
        ("{{ ['b', 'a', 'b'] | unique | sort | join('') }}", "ab"),
        ("{{ ['b', 'a'] | first }}{{ ['b', 'a'] | last }}{{ [] | first }}", "ba"),
        ("{{ 'abc' | length }}{{ [1, 2] | count }}", "32"),
        (
            "{{ '5' | int }} {{ 'x' | int(0) }} {{ '2.5' | float }} {{ 'x' | float(1) }}",
            "5 0 2.5 1",
        ),
        ("{{ 2.567 | round(1) }} {{ '2.6' | round }} {{ -3 | abs }}", "2.6 3 3"),
        ("{{ record.At__c | date }}", "2026-07-01 22:30"),
        ("{{ record.At__c | date('%d.%m.%Y %H:%M', 'Europe/Berlin') }}", "02.07.2026 00:30"),
        ("{{ record.Day__c | date('%A') }}{{ record.Empty__c | date }}", "Wednesday"),
        ("{{ record.Html__c | striptags }}", "Disk full"),
        ("{{ 'a b/c' | urlencode }}{{ 5 | string }}", "a%20b%2Fc5"),
    ],
)
def test_what_templates_can_say(text, result):
    assert render(text) == result


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ nothing }}", "nothing is undefined"),
        ("{{ record.Nope__c }}", "record.Nope__c is undefined"),
        ("{{ record.Owner.Nope }}", "record.Owner.Nope is undefined"),
        ("{{ old.record.Nope__c }}", "old.record.Nope__c is undefined"),
        ("{{ incident.nope }}", "incident.nope is undefined"),
        ("{{ incident.service.nope }}", "incident.service.nope is undefined"),
        ("{{ incident.custom_fields.nope }}", "incident.custom_fields.nope is undefined"),
        ("{{ comment.body }}", "comment is undefined (only comment and annotate"),
        ("{{ record.Nope__c | upper }}", "record.Nope__c is undefined"),
        ("{% if incident.nope == 1 %}{% endif %}", "incident.nope is undefined"),
        ("{{ incident.service }}", "incident.service has parts"),
        ("{{ record.Owner }}", "record.Owner has parts"),
        ("{{ 'P9' | translate('strict') }}", "map \"strict\" has no value for 'P9' and no default"),
        ("{{ 'P9' | translate('gone') }}", "not configured"),
        ("{{ record.Name | int }}", "not a number"),
        ("{{ record.Name | date }}", "not a date"),
        ("{{ record.Amount__c | first }}", "not a list"),
        ("{{ record.At__c | date('%H', record.Name) }}", "time zone"),
        ("{{ ['a'] | join(',', 'email') }}", "list of people"),
        ("{{ incident.assignees | join(',', 'phone') }}", "id, name and email"),
        ("{{ 'ab' | replace('', 'x') }}", "text to search for"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ record.Name + 1 }}", "TypeError"),
        ("{{ record.Name * 3 }}", "* works on numbers only"),
        ("{{ '%s' % record.Name }}", "% works on numbers only"),
    ],
)
def test_a_template_that_cannot_be_filled_in_says_why(text, words):
    reason = reason_of(text)

    assert words in reason
    if "translate" not in text:
        assert "IN-0001" not in reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ a", "line 1:"),
        ("ok\n{% if %}", "line 2:"),
        ("{{ 2 ** 99 }}", "pow is not available"),
        ("{% set a = 1 %}", "assign is not available"),
        ("{% include 'x' %}", "include is not available"),
        ("{% macro f() %}{% endmacro %}", "macro is not available"),
        ("{% with a = 1 %}{% endwith %}", "with is not available"),
        ("{{ {'a': 1} }}", "dict is not available"),
        ("{{ ''.__class__ }}", "'__class__' is not available"),
        ("{{ ''['__class__'] }}", "'__class__' is not available"),
        ("{{ range(9) }}", "can be called"),
        ("{{ 'a'.format(1) }}", "can be called"),
        ("{{ 'a'.ljust(999999999) }}", "can be called"),
        ("{{ ''.strip(*[]) }}", "can be called"),
        ("{{ record[record.Name] }}", "not a computed one"),
        ("{{ 1 | center }}", "unknown filter 'center'"),
        ("{{ 1 is prime }}", "prime"),
        ("{% for a in [1] %}{% for b in [1] %}{% endfor %}{% endfor %}", "loop inside a loop"),
        ("{% for a in [1] recursive %}{% endfor %}", "recursive"),
        ("{% for record in [1] %}{% endfor %}", "have the name of a field"),
        ("{{ 1 | date('%H', 'Nowhere/No') }}", "unknown time zone"),
        ("{{" + "(" * 5000 + "}}", "nested too deeply"),
        ("{{ " + "-" * 200 + "1 }}", "nested too deeply"),
        ("{{ 1 }}" + "x" * 32_768, "longer than"),
    ],
)
def test_what_templates_may_not_do(text, words):
    with pytest.raises(TemplateProblem) as caught:
        inspect_template(text)

    assert words in caught.value.reason
    assert words in reason_of(text)


def test_no_template_grows_out_of_bounds():
    big = {"Big__c": "x" * 100_000}
    facts = context_of(record_event(record=big), None, None)

    for text in (
        "{{ record.Big__c }}{{ record.Big__c }}",
        "{% for letter in record.Big__c %}{{ record.Big__c }}{% endfor %}",
        "{{ record.Big__c | replace('x', 'yyy') | length }}",
        "{{ [record.Big__c, record.Big__c] | join }}",
    ):
        with pytest.raises(TemplateProblem, match="grows beyond 131072 characters"):
            render_text(text, facts, MAPS)


def test_what_nothing_is_linked_to_is_empty():
    bare = context_of(incident_event(), None, None)
    other = context_of(record_event(), None, None)

    assert render_text("<{{ record.Name }}{{ record.Owner.Name }}>", bare, MAPS) == "<>"
    assert render_text("<{{ old.record.Name }}{{ old.incident.title }}>", bare, MAPS) == "<>"
    text = "<{{ incident.title }}{{ incident.service.name }}{{ incident.custom_fields.items }}>"
    assert render_text(text, other, MAPS) == "<>"
    assert render_text("{{ incident.assignees | join }}", other, MAPS) == ""
    assert render_text("{% if incident %}a{% else %}b{% endif %}", other, MAPS) == "b"


def test_parts_that_an_incident_lacks_are_empty():
    facts = context_of(incident_event(now=incident(priority=None, assignees=(Person("P1"),))), None)

    assert render_text("<{{ incident.priority.name }}{{ incident.priority }}>", facts, MAPS) == "<>"
    assert render_text("{{ incident.assignees[0] }}", facts, MAPS) == "P1"
    assert render_text("<{{ incident.resolve_reason.upper() }}>", facts, MAPS) == "<>"
    assert render_text("{{ incident.assignees[0].email }}", facts, MAPS) == ""


def test_comments():
    facts = context_of(record_event("comment", comment=comment("Ü\nb", "Jo")), None)

    text = "[{{ comment.author }}] {{ comment.body }} {{ comment.created_at }}"
    assert render_text(text, facts, MAPS) == "[Jo] Ü\nb 2026-11-24T12:00:00Z"


def test_arguments_keep_their_types_and_are_filled_in_at_any_depth():
    args = {
        "text": "{{ record.Name }}",
        "value": False,
        "number": 5,
        "none": None,
        "list": ["{{ record.Name }}", "b"],
        "fields": {"A__c": {"lookup": {"Name": "{{ incident.title }}"}}, "{{ x }}": 1},
    }

    assert render_args(args, context(), MAPS) == {
        "text": "IN-0001",
        "value": False,
        "number": 5,
        "none": None,
        "list": ["IN-0001", "b"],
        "fields": {"A__c": {"lookup": {"Name": "Disk full on db-1"}}, "{{ x }}": 1},
    }


def test_the_reason_names_the_argument():
    with pytest.raises(TemplateProblem) as caught:
        render_args({"fields": {"A__c": ["{{ incident.nope }}"]}}, context(), MAPS)

    assert caught.value.reason == "fields.A__c[0]: incident.nope is undefined"


def test_roots():
    text = "{{ record.Name }}{% for a in incident.assignees %}{{ a.name }}{{ old.record.X }}{% endfor %}"

    assert roots_of(text) == {"record", "incident", "old"}
    assert roots_of("plain") == frozenset()
    assert inspect_template(text).paths == {
        ("record", "Name"),
        ("incident", "assignees"),
        ("old", "record", "X"),
    }


@given(st.text(max_size=60))
def test_customers_text_is_never_a_template(body):
    facts = context_of(record_event(record={"Body__c": body}), {}, None)

    assert render_text("{{ record.Body__c }}", facts, MAPS) == body


def test_no_field_name_meets_a_method():
    record = {"items": "a", "values__c": "b", "_x": "c"}
    facts = context_of(record_event(record=record), None)

    assert render_text("{{ record.items }}{{ record.values__c }}", facts, MAPS) == "ab"
    assert INCIDENT_OBJECT not in render_text("{{ record.items }}", facts, MAPS)
