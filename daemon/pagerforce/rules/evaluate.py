"""Evaluates rules on an event: which match, why, and which actions follow. It has no effects."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from pagerforce.errors import internal_error_text
from pagerforce.model.action import ActionCall, Decision, Deferred, Rendered, Unrenderable
from pagerforce.model.ids import Side
from pagerforce.model.value import Scalar
from pagerforce.rules.budget import Budget, Pool, event_pool, rule_pool
from pagerforce.rules.conditions import TOO_MUCH, Compiler
from pagerforce.rules.index import RuleIndex, types_seen
from pagerforce.rules.inspection import is_template
from pagerforce.rules.operators import Operator
from pagerforce.rules.scene import ConditionTrace, Facts, Scene, scene_of
from pagerforce.rules.syntax import Rule, conditions_of
from pagerforce.rules.template import TemplateProblem, context_of, render_args, roots_of, texts_of

__all__ = ["ConditionTrace", "Evaluation", "Facts", "RuleBook", "RuleTrace"]

NONE_OFF: Mapping[tuple[str, str], str] = {}

_new = tuple.__new__
"""Creates a named tuple in half the time of its own constructor."""

TRACE_ALL_UP_TO = 50
"""Up to this number of rules for a side and object, every rule that sees an event is traced. With
more rules, those that the index leaves out are not traced."""


class RuleTrace(NamedTuple):
    """The result of one rule for one event; a named tuple like the traces of conditions.

    Attributes:
        matched: whether its conditions held. ``reason``: why the rule was skipped, or why it was
            not acted upon although it matched.
    """

    ruleset: str
    rule: str
    matched: bool
    conditions: tuple[ConditionTrace, ...]
    reason: str


class Evaluation(Struct, frozen=True):
    """All results of the rules for one event, in file order.

    ``errors``: internal errors in single rules. Their traces show them; the other rules still ran.
    """

    traces: tuple[RuleTrace, ...]
    decisions: tuple[Decision, ...]
    errors: tuple[Exception, ...] = ()


class RuleBook:
    """Rules compiled for evaluation. Immutable; the same facts always give the same answer.

    Args:
        rules: in file order, from ``parse_rulesets``.
        maps: the value maps for templates.
    """

    def __init__(
        self, rules: Sequence[Rule], maps: Mapping[str, Mapping[str, Scalar]] | None = None
    ) -> None:
        self.rules = tuple(rules)
        self.maps: Mapping[str, Mapping[str, Scalar]] = {} if maps is None else maps
        shelves: dict[tuple[Side, str], list[_CompiledRule]] = {}
        compiler = Compiler()
        for place, rule in enumerate(rules):
            one = _CompiledRule(place, rule, compiler)
            shelves.setdefault((rule.run_on, rule.object), []).append(one)
        self._shelves = {key: _Shelf(shelved) for key, shelved in shelves.items()}

    def evaluate(
        self,
        facts: Facts,
        now: datetime,
        *,
        every_rule: bool = False,
        off: Mapping[tuple[str, str], str] = NONE_OFF,
    ) -> Evaluation:
        """Tries the rules on an event.

        Args:
            facts: the event and the incidents or records linked to its subject.
            now: the time of evaluation, in the clock of ``event.at``; for ``max_age``.
            every_rule: trace every rule that sees the event, also those that the index could leave
                out (for ``simulate``).
            off: (ruleset, rule) -> why it is switched off: it does not match; its trace shows why.
        """
        run = _Run(facts, now, self.maps, off)
        source, own_object = facts.event.source, facts.event.object
        chosen: list[_CompiledRule] = []
        for (side, name), shelf in self._shelves.items():
            # A record's event concerns the rules of its object; an incident has none of its own.
            if side is source and (side is Side.PAGERDUTY or name == own_object):
                chosen += self._choose(run, shelf, name, every_rule=every_rule)
        chosen.sort(key=lambda one: one.place)
        for one in chosen:
            run.try_rule(one)
        return Evaluation(tuple(run.traces), tuple(run.decisions), tuple(run.errors))

    def _choose(
        self, run: "_Run", shelf: "_Shelf", name: str, *, every_rule: bool
    ) -> "list[_CompiledRule]":
        try:
            return shelf.choose(run.scene(name), every_rule=every_rule)
        except Exception as error:  # noqa: BLE001 (other objects' rules run; these one by one)
            run.errors.append(error)
            return shelf.seeing(run.event_type)


class _CompiledAction(Struct, frozen=True):
    """A prepared action: its decision if that is always the same, else the roots that it uses."""

    index: int
    call: ActionCall
    roots: frozenset[str]
    fixed: Decision | None


class _CompiledRule:
    """A prepared rule: conditions as a function, actions as far as possible without an event."""

    __slots__ = ("actions", "has_patterns", "is_fixed", "judge", "place", "rule", "types")

    def __init__(self, place: int, rule: Rule, compiler: Compiler) -> None:
        self.place = place
        self.rule = rule
        self.types = types_seen(rule)
        self.has_patterns = any(
            condition.op is Operator.MATCHES for condition in conditions_of(rule.condition)
        )
        self.judge = compiler.compile_group(rule.condition)
        self.actions = tuple(
            _compile_action(rule, index, call) for index, call in enumerate(rule.actions)
        )
        self.is_fixed = all(action.fixed is not None for action in self.actions)

    def sees(self, event_type: str) -> bool:
        """Whether events of this type reach the rule at all."""
        return self.types is None or event_type in self.types


class _Shelf:
    """The rules of one side and one object, with their index."""

    def __init__(self, rules: Sequence[_CompiledRule]) -> None:
        self._rules = tuple(rules)
        self._index = RuleIndex([one.rule for one in rules])
        self._is_small = len(rules) <= TRACE_ALL_UP_TO

    def seeing(self, event_type: str) -> list[_CompiledRule]:
        """The rules that an event of this type reaches, in file order."""
        return [one for one in self._rules if one.sees(event_type)]

    def choose(self, scene: Scene, *, every_rule: bool) -> list[_CompiledRule]:
        """The rules to try, in file order."""
        if every_rule or self._is_small:
            return self.seeing(scene.event.type)
        return [self._rules[place] for place in self._index.candidates(scene)]


class _Run:
    """One event going through the rules."""

    def __init__(
        self,
        facts: Facts,
        now: datetime,
        maps: Mapping[str, Mapping[str, Scalar]],
        off: Mapping[tuple[str, str], str] = NONE_OFF,
    ) -> None:
        self._facts = facts
        self._off = off
        self._age = now - facts.event.at
        self._maps = maps
        self._scenes: dict[str, Scene] = {}
        self._contexts: dict[str, dict[str, object]] = {}
        self._stopped: dict[str, str] = {}
        self._pool = event_pool()
        self.traces: list[RuleTrace] = []
        self.decisions: list[Decision] = []
        self.errors: list[Exception] = []

    @property
    def event_type(self) -> str:
        """The type of the event."""
        return self._facts.event.type

    def scene(self, object_name: str) -> Scene:
        """What the rules of an object see; created once."""
        if object_name not in self._scenes:
            self._scenes[object_name] = scene_of(self._facts, object_name)
        return self._scenes[object_name]

    def try_rule(self, one: _CompiledRule) -> None:
        """Evaluates one rule, in its turn. An internal error is traced and counts as no match."""
        try:
            self._try_rule(one)
        except Exception as error:  # noqa: BLE001 (no rule, however written, stops other rules)
            self.errors.append(error)
            reason = f"{internal_error_text(error)}; not acted upon"
            self._trace(one.rule, (), reason, matched=False)

    def _try_rule(self, one: _CompiledRule) -> None:
        rule = one.rule
        stopper = self._stopped.get(rule.ruleset)
        if stopper is not None or not rule.enabled:
            reason = "disabled" if stopper is None else f'skipped: rule "{stopper}" has stop = true'
            self._trace(rule, (), reason, matched=False)
            return
        if self._off and (why := self._off.get((rule.ruleset, rule.name))):
            self._trace(rule, (), why, matched=False)
            return
        conditions: list[ConditionTrace] = []
        scene = self.scene(rule.object)
        if one.has_patterns:
            scene.patterns.next_rule()
        if not one.judge(scene, conditions):
            reason = "conditions do not hold"
            if one.has_patterns and scene.patterns.has_refused:
                reason = f"{reason}: {TOO_MUCH}"
            self._trace(rule, conditions, reason, matched=False)
            return
        if rule.stop:
            self._stopped[rule.ruleset] = rule.name
        if rule.max_age is not None and self._age > rule.max_age:
            reason = f"older than max_age ({rule.max_age}): recorded, not acted upon"
            self._trace(rule, conditions, reason, matched=True)
            return
        self._trace(rule, conditions, "matched", matched=True)
        pools = () if one.is_fixed else (rule_pool(), self._pool)
        for action in one.actions:
            self.decisions.append(action.fixed or self._decide(rule, action, pools))

    def _trace(
        self, rule: Rule, conditions: Sequence[ConditionTrace], reason: str, *, matched: bool
    ) -> None:
        parts = (rule.ruleset, rule.name, matched, tuple(conditions), reason)
        self.traces.append(_new(RuleTrace, parts))

    def _decide(self, rule: Rule, action: _CompiledAction, pools: tuple[Pool, ...]) -> Decision:
        arguments = self._arguments(rule.object, action, pools)
        return Decision(rule.ruleset, rule.name, action.index, rule.object, action.call, arguments)

    def _arguments(
        self, object_name: str, action: _CompiledAction, pools: tuple[Pool, ...]
    ) -> Rendered | Deferred | Unrenderable:
        if self._speaks_of_unlinked(object_name, action.roots):
            return Deferred()
        try:
            context = self._context(object_name)
            return Rendered(render_args(action.call.args, context, self._maps, Budget(pools)))
        except TemplateProblem as error:
            return Unrenderable(error.reason)
        except Exception as error:  # noqa: BLE001 (only this action becomes a dead letter)
            self.errors.append(error)
            return Unrenderable(internal_error_text(error))

    def _context(self, object_name: str) -> dict[str, object]:
        if object_name not in self._contexts:
            facts = self._facts
            self._contexts[object_name] = context_of(
                facts.event,
                facts.records.get(object_name),
                facts.incident,
                linked=object_name in facts.linked,
            )
        return self._contexts[object_name]

    def _speaks_of_unlinked(self, object_name: str, roots: frozenset[str]) -> bool:
        if self._facts.event.source is Side.SALESFORCE:
            return "incident" in roots and self._facts.incident is None
        return "record" in roots and object_name not in self._facts.records


def _compile_action(rule: Rule, index: int, call: ActionCall) -> _CompiledAction:
    texts = [text for text in texts_of(call.args) if is_template(text)]
    roots = frozenset(root for text in texts for root in roots_of(text))
    fixed = None
    if not texts:
        arguments = Rendered(call.args)
        fixed = Decision(rule.ruleset, rule.name, index, rule.object, call, arguments)
    return _CompiledAction(index, call, roots, fixed)
