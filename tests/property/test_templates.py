"""Laws of templates: any template with any values gives a text or a problem."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from pagerforce.model.event import Event
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, Person
from pagerforce.rules.budget import MAX_CHARS, Budget, Pool
from pagerforce.rules.expressions import TESTS
from pagerforce.rules.filters import FILTERS
from pagerforce.rules.methods import METHODS
from pagerforce.rules.template import TemplateProblem, context_of, render_text
from property.strategies import T0

STEPS, CHARS = 20_000, 2 * MAX_CHARS
BYTES = 24 * 1024 * 1024
MAPS = {"map": {"a": "1", "default": ""}}
INSIDE = (" at 0x", "<pagerforce", "<built-in", "<bound", "<function", "object at")

names = st.sampled_from(
    [
        *("record.A__c", "record.B__c", "record.a__c", "record.C__r.Name", "record.c__r", "record"),
        *("old.record.A__c", "incident.title", "incident.assignees", "incident.number", "incident"),
        *("incident.custom_fields.x", "incident.service.name", "event.at", "event.actor", "linked"),
        *("nothing", "one", "one.name", "loop.index", "loop.nextitem", "self", "comment.body"),
    ]
)
literals = st.sampled_from(
    [
        *(
            "''",
            "'a'",
            "'%9999999d'",
            "'%Y-%m-%d'",
            "', '",
            "0",
            "1",
            "-1",
            "2.5",
            "99999999",
            "1e308",
        ),
        *("true", "none", "[]", "[1, 'a']", "'2026-01-01'", "'<b>&amp;</b>'", "'Europe/Berlin'"),
    ]
)
filters = st.sampled_from(sorted(FILTERS))
methods = st.sampled_from(sorted(METHODS))
tests = st.sampled_from(sorted(TESTS))
binary = st.sampled_from(["+", "-", "*", "/", "//", "%", "~", "==", "<", ">=", "in", "and", "or"])


def _larger(inner):
    arguments = st.lists(inner, max_size=2).map(", ".join)
    return st.one_of(
        st.builds("({} {} {})".format, inner, binary, inner),
        st.builds("({} | {})".format, inner, filters),
        st.builds("({} | {}({}))".format, inner, filters, arguments),
        st.builds("({}).{}({})".format, inner, methods, arguments),
        st.builds("({}).{}".format, inner, methods),
        st.builds("({} is {})".format, inner, tests),
        st.builds("({} is {}({}))".format, inner, tests, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} if {})".format, inner, inner),
        st.builds("({})[{}]".format, inner, st.sampled_from(["0", "-1", "'name'", "9", "1.5"])),
        st.builds("({})[{}:{}:{}]".format, inner, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
    )


wild = st.recursive(names | literals, _larger, max_leaves=6)
fitting_names = st.sampled_from(
    [
        *("record.A__c", "record.B__c", "record.C__r.Name", "old.record.A__c", "incident.title"),
        *("record.a__c", "event.at", "incident.custom_fields.x", "'a'", "', '", "incident.number"),
    ]
)
plain_filters = st.sampled_from(
    [
        *("upper", "lower", "title", "capitalize", "trim", "striptags", "urlencode", "string"),
        *("truncate", "truncate(3)", "truncate(99999, 'ß')", "default('b')", "replace('a', 'aaa')"),
        *("replace(' ', record.A__c)", "translate('map')", "first", "last", "join(' ')"),
    ]
)
plain_calls = st.sampled_from(
    ["upper()", "strip()", "strip('a ')", "title()", "removeprefix('a')", "rstrip('<>')"]
)
list_calls = st.sampled_from(["split()", "split('a')", "split(' ', 3)", "splitlines()"])


def _larger_text(inner):
    """Text built from text, without an error that would end the rendering early."""
    text = inner.map("({} | string)".format)
    lists = st.one_of(
        st.builds("{}.{}".format, text, list_calls),
        st.builds("[{}, {}]".format, inner, inner),
        st.just("incident.assignees"),
    )
    lists = st.one_of(
        lists, st.builds("({} | {})".format, lists, st.sampled_from(["sort", "unique"]))
    )
    return st.one_of(
        st.builds("({} | {})".format, text, plain_filters),
        st.builds("{}.{}".format, text, plain_calls),
        st.builds("({} ~ {})".format, inner, inner),
        st.builds("({} + {})".format, text, text),
        st.builds("{}[{}:]".format, text, st.integers(-9, 9)),
        st.builds("({} if {} == {} else {})".format, inner, inner, inner, inner),
        st.builds("({} if {} in {} else {})".format, inner, text, text, inner),
        st.builds("({} | join({}))".format, lists, text),
        st.builds("({} | length)".format, lists),
        st.builds("({} | first | default('c'))".format, lists),
    )


fitting = st.recursive(fitting_names, _larger_text, max_leaves=8)
expressions = fitting | fitting | fitting | wild
blocks = st.one_of(
    st.builds("{{{{ {} }}}}".format, expressions),
    st.builds(
        "{{% if {} %}}a{{% else %}}{{{{ {} }}}}{{% endif %}}".format, expressions, expressions
    ),
    st.builds(
        "{{% for one in {} if {} %}}{{{{ {} }}}}{{% else %}}b{{% endfor %}}".format,
        *(expressions, expressions, expressions),
    ),
    st.builds("{{% for one in {} %}}{{{{ {} }}}}{{% endfor %}}".format, expressions, expressions),
    st.builds("{{% for one in {}.split() %}}{{{{ {} }}}}{{% endfor %}}".format, fitting, fitting),
    st.builds(
        "{{% for a, one in {} %}}{{{{ {} }}}}{{% endfor %}}".format, expressions, expressions
    ),
)
templates = st.lists(blocks, min_size=1, max_size=2).map("".join)
units = st.sampled_from(["a", "ß ", "ΐ", "<a>", "&a", "\n", "9", " ", "😀", "%", "\ud800"])
texts = st.builds(
    lambda unit, times, end: unit * times + end,
    units,
    st.sampled_from([0, 1, 7, 5_000, 43_000]),
    st.text(max_size=5),
)
values = st.none() | st.booleans() | st.integers() | st.floats() | texts
custom = st.recursive(values, lambda inner: st.lists(inner, max_size=3), max_leaves=5)


@st.composite
def contexts(draw):
    record = {name: draw(values) for name in ("A__c", "B__c", "C__r.Name")}
    people = draw(st.lists(st.builds(Person, st.just("P1"), texts, texts), max_size=2))
    shown = Incident(
        IncidentId("PINC001"),
        number=draw(st.integers()),
        title=draw(texts),
        assignees=tuple(people),
        custom_fields={"x": draw(custom)},
    )
    event = Event(
        id=EventId("e1"),
        source=Side.SALESFORCE,
        type="update",
        at=T0,
        object="Case",
        record_id=RecordId("a0C000000000001EAA"),
        record=record,
        old_record={"A__c": draw(values)},
    )
    return context_of(event, None, shown, linked=draw(st.booleans()))


@given(templates, contexts())
def test_a_text_within_bounds_or_a_problem(template, context):
    pool = Pool(STEPS, CHARS, "this test")
    tracemalloc.start()
    try:
        text = render_text(template, context, MAPS, Budget((pool,)))
    except TemplateProblem as problem:
        text = problem.reason
        assert len(text) < 1_000
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(text) <= MAX_CHARS
    assert not any(inside in text for inside in INSIDE)
    assert 0 <= pool.steps <= STEPS
    assert 0 <= pool.chars <= CHARS
    assert peak < BYTES


@given(templates, contexts())
def test_the_same_values_give_the_same_text_at_the_same_cost(template, context):
    outcomes = []
    for _ in range(2):
        budget = Pool(STEPS, CHARS, "this test")
        try:
            text = render_text(template, context, MAPS, Budget((budget,)))
        except TemplateProblem as problem:
            text = problem.reason
        outcomes.append((text, budget.steps, budget.chars))
    assert outcomes[0] == outcomes[1]
