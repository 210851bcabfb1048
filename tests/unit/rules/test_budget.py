import pytest

from pagerforce.model.lengths import cut, fitting, length_of
from pagerforce.rules.budget import (
    ACTION_CHARS,
    ACTION_STEPS,
    MAX_CHARS,
    MAX_ITEMS,
    PATTERN_FREE,
    PATTERN_RULE,
    Budget,
    PatternWork,
    Pool,
)
from pagerforce.rules.compare import equality_to, is_same
from pagerforce.rules.scene import SHOWN_CHARS, SHOWN_ITEMS, to_shown
from pagerforce.rules.shelf import Shelf
from pagerforce.rules.template import TemplateProblem, context_of, render_text
from unit.rules.rule_examples import MAPS, holds, record_event, record_facts


def test_an_action_uses_its_own_allowance_before_any_pool():
    rule, event = Pool(10, 10, "this rule"), Pool(100, 100, "all rules")
    budget = Budget((rule, event))

    budget.reserve(ACTION_CHARS)
    budget.spend(ACTION_STEPS - ACTION_CHARS // 256)
    assert (rule.steps, event.steps, rule.chars, event.chars) == (10, 100, 10, 100)

    budget.reserve(10)
    budget.spend(6)
    assert (rule.steps, event.steps, rule.chars, event.chars) == (4, 94, 0, 90)


def test_a_pool_that_lacks_something_leaves_the_others_as_they_are():
    rule, event = Pool(10, 10, "this rule"), Pool(5, 5, "all rules")

    work = Budget((rule, event))
    with pytest.raises(TemplateProblem, match="too much work for all rules"):
        work.spend(ACTION_STEPS + 6)
    text = Budget((rule, event))
    with pytest.raises(TemplateProblem, match="too much text for all rules"):
        text.reserve(ACTION_CHARS + 6)

    assert (rule.steps, event.steps, rule.chars, event.chars) == (10, 5, 10, 5)


def test_nothing_is_made_that_is_too_long():
    budget = Budget()

    with pytest.raises(TemplateProblem, match="grows beyond 131072 characters"):
        budget.make(MAX_CHARS + 1)
    with pytest.raises(TemplateProblem, match="grows beyond 32768 items"):
        budget.hold(MAX_ITEMS + 1)


def test_a_short_text_is_always_looked_through_and_a_long_one_at_the_cost_of_its_rule():
    work = PatternWork()

    assert work.affords("a" * PATTERN_FREE, 1)
    assert work.affords("a" * 100_000, PATTERN_RULE // 100_000)
    assert not work.affords("ä" * PATTERN_FREE, 1)
    assert work.has_refused
    assert work.affords("a" * PATTERN_FREE, 1)
    for _ in range(9):
        work.next_rule()
        assert work.affords("a" * 100_000, PATTERN_RULE // 100_000)
    work.next_rule()
    assert not work.affords("a" * 100_000, PATTERN_RULE // 100_000)


def test_what_came_first_makes_room():
    shelf = Shelf(10)
    shelf.put("a", 1, weight=4)
    shelf.put("b", 2, weight=4)
    shelf.put("a", 3, weight=5)
    shelf.put("c", 4, weight=4)

    assert [shelf.find(text) for text in "abc"] == [3, None, 4]


def test_a_long_value_is_shown_by_its_beginning():
    assert to_shown("a" * SHOWN_CHARS) == "a" * SHOWN_CHARS
    assert to_shown("a" * 9_999) == "a" * SHOWN_CHARS + "…"
    shown = to_shown(tuple(range(99)))
    assert shown[SHOWN_ITEMS:] == ["… and 49 more"]
    assert to_shown(["a" * 9_999]) == ["a" * SHOWN_CHARS + "…"]


@pytest.mark.parametrize(
    "actual", ["STRASSE", "straße", "2026-05-04", 7, True, "a0c000000000001", "", None, "x" * 99]
)
def test_many_values_are_compared_as_one_is(actual):
    expected = ["straße", "2026-05-04T00:00:00Z", "7.0", "a0C000000000001EAA", "", "true"]
    many = [f"a0D{number:012d}EAA" for number in range(99)]

    alone = any(is_same(actual, one) for one in expected)

    assert equality_to([*expected, *many])(actual) is alone
    assert equality_to(expected)(actual) is alone


@pytest.mark.parametrize(
    ("op", "value", "text", "result"),
    [
        ("starts_with", "ss", "ßa", True),
        ("starts_with", "ßa", "SSAB", True),
        ("ends_with", "ss", "aß", True),
        ("ends_with", "aß", "BASS", True),
        ("ends_with", "b", "ba", False),
        ("contains", "SS", "x" * 2_000 + "ß", True),
        ("equals", "ΐ", "ΐ", True),
    ],
)
def test_parts_of_text_are_compared_without_case(op, value, text, result):
    condition = {"field": "record.A__c", "op": op, "value": value}

    assert holds(condition, record_facts({"A__c": text}))[0] is result


@pytest.mark.parametrize("unit", ["a", "ä", "😀", "\ud83d"])
def test_lengths_are_those_of_utf_16(unit):
    text = unit * 5
    width = 2 if unit == "😀" else 1

    assert length_of(text) == 5 * width
    assert fitting(text, 3) == 3 // width
    assert fitting(text, -1) == 0
    assert cut(text, 4, "…") == unit * (3 // width) + "…" if width == 2 else True


RECORD = {"Name": "IN-1", "Open__c": True, "Amount__c": 5.0, "Text__c": "b,a,c", "Empty__c": None}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{% for a in record.Text__c.split(',') if a != 'a' %}{{ loop.index }}{{ a }}{% endfor %}", "1b2c"),
        ("{% for a in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% for a, b in [[1, 2], ['x', 'y']] %}{{ b }}{{ a }}{% endfor %}", "21yx"),
        ("{% for a in 'ab' %}{{ a }}{{ loop.nextitem | d('.') }}{{ loop.last }}{% endfor %}", "abfalseb.true"),
        ("{% for a in [1] %}{{ a }}{% endfor %}{{ a | default('gone') }}", "1gone"),
        ("{% if record.Empty__c %}a{% elif 1 < 2 < 3 %}b{% else %}c{% endif %}", "b"),
        ("{{ 'yes' if record.Empty__c }}|{{ ('yes' if record.Empty__c) | default('no') }}", "|no"),
        ("{{ record.Open__c ~ record.Amount__c ~ ['a', 'b'] ~ none }}", "true5a, b"),
        ("{{ record.Text__c.split(',', maxsplit=1) | last }}", "a,c"),
        ("{{ record.Text__c | truncate(length=3, end='') }}{{ 2.55 | round(precision=1) }}", "b,a2.5"),
        ("{{ record.Text__c[::-1] }}{{ record.Text__c.split(',')[1:] }}", "c,a,ba, c"),
        ("{{ record.Empty__c[0] }}{{ record.Empty__c[1:] }}{{ record.Empty__c.x.y }}", ""),
        ("{{ 'a' in record.Text__c }}{{ 5 in [1, 5] }}{{ 'x' not in ['y'] }}", "truetruetrue"),
        ("{{ 'ab'.startswith(('x', 'a')) }}{{ 'ab'.endswith('a') }}", "truefalse"),
        ("{{ (record.Empty__c or 'a') ~ (record.Name and 'b') }}{{ not record.Name }}", "abfalse"),
        ("{{ -3 + +1 - 2 * 2 // 3 % 2 }}{{ 1 / 2 }}", "-30.5"),
        ("{{ [1, 2] + [3] }}{{ [1] == [1.0] }}{{ 'a' < 'b' }}", "1, 2, 3truetrue"),
        ("{{ 4 is even }}{{ 3 is odd }}{{ 6 is divisibleby 3 }}{{ 1 is in [1] }}", "true" * 4),
        ("{{ 'a\r\nb'.splitlines() | join('|') }}{{ 'a\nb'.splitlines(true) | length }}", "a|b2"),
        ("{{ record.Nope | int(3) }}{{ 'x' | float('2') }}", "32"),
    ],
)  # fmt: skip
def test_what_expressions_mean(text, result):
    context = context_of(record_event(record=RECORD), None)

    assert render_text(text, context, MAPS) == result


def test_cutting_a_text_off_costs_more_work_where_its_characters_have_to_be_measured():
    def work_for(text: str) -> int:
        pool = Pool(10_000, 10_000, "this rule")
        budget = Budget((pool,))
        budget.spend(ACTION_STEPS)
        facts = context_of(record_event(record={"Text__c": text}), None)
        render_text("{{ record.Text__c | truncate(4000) | length }}", facts, MAPS, budget)
        return 10_000 - pool.steps

    assert work_for("a" * 4_000) < 500
    assert work_for("ä" * 4_000) > work_for("a" * 4_000) + 500
