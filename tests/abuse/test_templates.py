"""No rule, however it is written, keeps others from being acted upon, or shows what is inside."""

import time
import tracemalloc

import pytest

from abuse.hostile_templates import CHARS, COSTLY, INTERNALS, PATTERNS, RECORD, UNREADABLE
from pagerforce.model.action import Rendered, Unrenderable
from pagerforce.rules import budget
from pagerforce.rules.budget import MAX_CHARS, Budget, Pool
from pagerforce.rules.evaluate import Facts
from pagerforce.rules.inspection import inspect_template
from pagerforce.rules.template import TemplateProblem, context_of, render_text
from rig import INCIDENT, P, open_rig
from unit.rules.rule_examples import (
    AT,
    INCIDENT_OBJECT,
    book_of,
    incident,
    parse,
    problems_of,
    record_event,
    rule_table,
)

MAPS = {"wide": {f"key {number}": "x" for number in range(20_000)}}
SECONDS = 3.0
"""Of the processor's time: far more than it takes anywhere, far less than what it took."""
BYTES = 24 * 1024 * 1024


def facts():
    fields = {"table": {"x": "a"}, "tags": ["a", "b"]}
    shown = incident(custom_fields=fields)
    event = record_event(record=RECORD, old=dict(RECORD, Name="IN-0000"))
    return Facts(event, frozenset({INCIDENT_OBJECT}), {}, shown)


def context():
    one = facts()
    return context_of(one.event, None, one.incident, linked=True)


def outcome(text, pool):
    """The text that came of a template, or the problem, within what it may cost."""
    around = context()
    tracemalloc.start()
    began = time.process_time()
    try:
        return render_text(text, around, MAPS, Budget((pool,)))
    except TemplateProblem as problem:
        return problem
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # Tracing makes everything some times slower.
        assert time.process_time() - began < 5 * SECONDS
        assert peak < BYTES


@pytest.mark.parametrize("text", COSTLY.values(), ids=COSTLY)
def test_a_costly_template_is_bounded(text):
    pool = Pool(budget.RULE_STEPS, budget.RULE_CHARS, "this rule's actions")

    found = outcome(text, pool)

    assert pool.steps >= 0
    assert pool.chars >= 0
    if isinstance(found, TemplateProblem):
        assert len(found.reason) < 300
        assert "aaaa" not in found.reason
    else:
        assert len(found) <= MAX_CHARS


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_refused_when_it_is_loaded(text):
    with pytest.raises(TemplateProblem):
        inspect_template(text)
    (problem,) = problems_of(rule_table(actions=[{"do": "pagerduty.add_note", "text": text}]))
    assert problem.startswith("rules[0].actions[0].text: template: ")
    assert len(problem) < 500


@pytest.mark.parametrize("text", INTERNALS.values(), ids=INTERNALS)
def test_internals_do_not_render(text):
    with pytest.raises(TemplateProblem) as caught:
        render_text(text, context(), {})

    assert "0x" not in caught.value.reason
    assert "TypeError" not in caught.value.reason


@pytest.mark.parametrize(
    "text",
    [
        "{{ record.Name.upper }}",
        "{{ ''.join }}",
        "{{ incident }}",
        "{{ old.record }}",
        "{% for one in [1] %}{{ loop }}{% endfor %}",
        "{% for one in [1] %}{{ loop.cycle }}{% endfor %}",
        "{{ (record.Name | lower).strip }}",
    ],
)
def test_internals_that_can_be_seen_are_refused_when_they_are_loaded(text):
    with pytest.raises(TemplateProblem, match="line 1: "):
        inspect_template(text)


def test_what_looks_like_a_method_but_is_a_field_is_one():
    record = {"Title": "a", "Contact.Title": "b", "Split__c": "c"}
    shown = incident(custom_fields={"upper": "d"})
    around = context_of(record_event(record=record), None, shown)
    text = "{{ record.title }}{{ record.Contact.title }}{{ incident.custom_fields.upper }}"

    assert render_text(text, around, {}) == "abd"


def hostile_rule(text, number=0, **keys):
    action = {"do": "pagerduty.add_note", "text": text}
    return rule_table(name=f"hostile {number}", actions=[action], **keys)


def innocent_rule(number=0, **keys):
    action = {"do": "pagerduty.create_incident", "title": "{{ record.Name }} is down"}
    return rule_table(name=f"innocent {number}", actions=[action], **keys)


def rendered(decision):
    match decision.arguments:
        case Rendered(args=args):
            return args
        case Unrenderable(reason=reason):
            return reason
    return None


def evaluated(book):
    began = time.process_time()
    found = book.evaluate(facts(), AT)
    assert time.process_time() - began < SECONDS
    return found


def test_rules_beside_hostile_ones_are_acted_upon():
    texts = [text for text in COSTLY.values() if _loads(text)]
    rules = [hostile_rule(text, number) for number, text in enumerate(texts)]

    found = evaluated(book_of(*rules, innocent_rule(), maps=MAPS))

    assert len(found.decisions) == len(rules) + 1
    assert rendered(found.decisions[-1]) == {"title": "IN-0001 is down"}


def _loads(text):
    try:
        inspect_template(text)
    except TemplateProblem:
        return False
    return True


def test_many_hostile_rules_take_no_more_time_than_a_few():
    texts = [COSTLY["sort in turns"], COSTLY["references in turns"], COSTLY["names in turns"]]
    rules = [hostile_rule(texts[number % 3], number) for number in range(300)]

    found = evaluated(book_of(*rules, innocent_rule()))

    assert rendered(found.decisions[-1]) == {"title": "IN-0001 is down"}


def test_many_long_texts_take_no_more_memory_than_a_few():
    rules = [hostile_rule("a{{ record.Big__c[1:] }}", number) for number in range(500)]
    book = book_of(*rules, innocent_rule())

    tracemalloc.start()
    found = book.evaluate(facts(), AT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < BYTES
    assert len(rendered(found.decisions[0])["text"]) == CHARS
    assert "too much text for all rules together" in rendered(found.decisions[-2])
    assert rendered(found.decisions[-1]) == {"title": "IN-0001 is down"}


def test_actions_beside_a_hostile_one_of_their_rule_are_filled_in():
    rule = rule_table(
        actions=[
            {"do": "pagerduty.add_note", "text": COSTLY["names in turns"]},
            {"do": "pagerduty.add_note", "text": "{{ record.Name }}"},
        ]
    )

    hostile, innocent = evaluated(book_of(rule)).decisions

    assert rendered(hostile) == "text: rendering takes too much work for this rule's actions"
    assert rendered(innocent) == {"text": "IN-0001"}


def test_the_same_event_gives_the_same_answer_every_time():
    texts = [text for text in COSTLY.values() if _loads(text)]
    book = book_of(*[hostile_rule(text, number) for number, text in enumerate(texts)], maps=MAPS)

    first, second = (
        [rendered(one) for one in book.evaluate(facts(), AT).decisions] for _ in range(2)
    )

    assert first == second


def matching(pattern, field="record.Big__c"):
    return {"field": field, "op": "matches", "value": pattern}


@pytest.mark.parametrize("pattern", PATTERNS, ids=range(len(PATTERNS)))
def test_a_hostile_pattern_is_refused_or_bounded(pattern):
    _, problems = parse(hostile_rule("a", conditions=[matching(pattern)]), innocent_rule())
    if problems:
        assert "rules[0].conditions[0].value: " in str(problems[0])
        return

    found = evaluated(book_of(hostile_rule("a", conditions=[matching(pattern)]), innocent_rule()))

    assert [trace.matched for trace in found.traces] == [False, True]
    (condition,) = found.traces[0].conditions
    if condition.remark:
        assert "too long for a pattern of this size" in condition.remark
        assert "too long for a pattern of this size" in found.traces[0].reason


def test_patterns_beside_hostile_ones_are_looked_for():
    hostile = [matching(f"[xyz]{number}b") for number in range(60)]
    own = matching("(switch|router|firewall|a)+$")

    found = evaluated(
        book_of(
            hostile_rule("a", conditions=[{"any": hostile}, own], when="all"),
            innocent_rule(conditions=[{"any": [matching("b")]}, own]),
            innocent_rule(1, conditions=[{"any": [matching("a")]}, own]),
        )
    )

    assert "too long for a pattern" in found.traces[0].conditions[-1].remark
    assert "too long for a pattern" in found.traces[0].reason
    assert [trace.matched for trace in found.traces] == [False, False, True]
    assert found.traces[1].conditions[-1].result


def test_many_conditions_on_long_texts():
    ways = ["contains", "starts_with", "ends_with", "equals"]
    conditions = [
        {"field": "record.Wide__c", "op": ways[number % 4], "value": f"{number} switch"}
        for number in range(400)
    ]
    rules = [
        hostile_rule("a", number, conditions=conditions[number::4], when="any")
        for number in range(4)
    ]

    found = evaluated(book_of(*rules, innocent_rule()))

    assert [trace.matched for trace in found.traces] == [False] * 4 + [True]


def test_a_long_list_of_values_is_looked_up():
    ids = [f"a0C{number:012d}EAA"[:18] for number in range(9_000)]
    rules = [
        innocent_rule(number, conditions=[{"field": field, "op": "in", "value": [*ids, "IN-0001"]}])
        for number, field in enumerate(["record.Name", "record.Big__c"])
    ]

    found = evaluated(book_of(*rules))

    assert [trace.matched for trace in found.traces] == [True, False]
    assert len(str(found.traces[0].conditions[0].expected)) < 2_000
    assert len(str(found.traces[1].conditions[0].actual)) < 2_000


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"conditions": [matching("a")] * 501}, "conditions[500]: a rule has at most 500"),
        ({"actions": [{"do": "pagerduty.acknowledge"}] * 101}, "at most 100 actions"),
        (
            {"conditions": [{"field": "record.A__c", "op": "in", "value": ["a"] * 10_001}]},
            "conditions[0].value: in takes at most 10000 values",
        ),
        ({"conditions": [matching("a", "record." + "A" * 1_000)]}, "at most 512 characters"),
        ({"conditions": [{"field": "linked", "op": "x" * 100_000}]}, "unknown operator"),
    ],
)
def test_sizes_of_rules_are_bounded(keys, words):
    found = problems_of(rule_table(**keys))

    assert any(words in problem for problem in found)
    assert len(found) < 5


def test_groups_have_a_depth():
    condition = matching("a")
    for _ in range(400):
        condition = {"any": [condition]}

    (problem,) = problems_of(rule_table(conditions=[condition]))

    assert problem.endswith("groups are nested more than 10 deep")


def test_patterns_of_all_rules_together_are_bounded():
    rules = [
        innocent_rule(number, conditions=[matching(f"x{number}.{{1000}}")]) for number in range(200)
    ]

    found = problems_of(*rules)

    assert found
    assert "all patterns together are too large" in found[0]


DESCRIPTION = f"{P}incidentDescription__c"
IN_FORCE = f"""
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "tried"
[[rulesets.rules]]
name = "hostile"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "event.type", op = "equals", value = "create" }}]
actions = [
%s
]
[[rulesets.rules]]
name = "page"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "event.type", op = "equals", value = "create" }}]
actions = [{{ do = "pagerduty.create_incident", title = "{{{{ record.Name }}}}", service = "PNET001" }}]
"""


async def test_a_page_goes_out_although_a_hostile_rule_is_in_force(tmp_path):
    texts = [
        "{{ 5 | round(-30000000) }}",
        "{{ BODY | join(BODY) }}",
        "{% for one in BODY %}{{ BODY.split() | sort | join | length }}{% endfor %}",
        "{{ " + " ~ ".join(["BODY"] * 500) + " }}",
        "{{ '%900000000d' is even }}",
        "{{ event ~ record.Name }}",
    ]
    actions = ",\n".join(
        '  { do = "pagerduty.create_incident", title = "hostile", service = "PNET001", '
        f'unless_linked = "any", body = "{text.replace("BODY", f"record.{DESCRIPTION}")}" }}'
        for text in texts
    )
    async with (
        open_rig(tmp_path, IN_FORCE % actions) as rig,
        rig.daemon() as daemon,
    ):
        record_id = rig.open_record("Core switch down")
        rig.change(record_id, incidentDescription="a " * 15_000)
        await daemon.step()

        titles = [item["title"] for item in rig.incidents()]
        letters = await daemon.dead_letters()

    assert len(letters) == len(texts)
    assert titles == [rig.record(record_id)["Name"]]
