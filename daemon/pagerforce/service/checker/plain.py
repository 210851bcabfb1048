"""Rules as plain data and back, for the exchange with a checker: one line per rule."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pagerforce.model.action import ActionCall, Specs
from pagerforce.model.ids import Side
from pagerforce.rules.operators import Operator
from pagerforce.rules.syntax import Condition, Group, Mode, Node, Rule

# Any: json.loads returns Any. json rather than orjson: TOML's numbers may be infinite or long.
_MICROSECOND = timedelta(microseconds=1)


def line_of_rule(rule: Rule) -> bytes:
    """One rule as one line."""
    plain = {
        "ruleset": rule.ruleset,
        "name": rule.name,
        "object": rule.object,
        "run_on": rule.run_on.value,
        "when": rule.when.value,
        "enabled": rule.enabled,
        "stop": rule.stop,
        "max_age": None if rule.max_age is None else rule.max_age // _MICROSECOND,
        "condition": _plain_node(rule.condition),
        "actions": [[call.do, call.args] for call in rule.actions],
        "place": rule.place,
    }
    return json.dumps(plain, separators=(",", ":")).encode() + b"\n"


def _plain_node(node: Node) -> Any:  # noqa: ANN401
    if isinstance(node, Condition):
        is_list = isinstance(node.value, tuple)
        return [node.field, node.op.value, is_list, node.value, node.place]
    return {"mode": node.mode.value, "items": [_plain_node(item) for item in node.items]}


def rule_of(
    plain: Mapping[str, Any], specs: Specs, *, old_label: str = "", label: str = ""
) -> Rule:
    """Returns the rule that ``line_of_rule`` wrote, with another label in its place if given.

    ``specs``: the catalog.
    """
    condition = _node(plain["condition"])
    if not isinstance(condition, Group):
        raise TypeError("a rule's condition is a group")
    age = plain["max_age"]
    place = plain["place"]
    if label and place.startswith(f"{old_label}: "):
        place = label + place[len(old_label) :]
    return Rule(
        ruleset=plain["ruleset"],
        name=plain["name"],
        object=plain["object"],
        run_on=Side(plain["run_on"]),
        when=Mode(plain["when"]),
        enabled=plain["enabled"],
        stop=plain["stop"],
        max_age=None if age is None else timedelta(microseconds=age),
        condition=condition,
        actions=tuple(ActionCall(specs[do], args) for do, args in plain["actions"]),
        place=place,
    )


def _node(plain: Mapping[str, Any] | Sequence[Any]) -> Node:
    if isinstance(plain, Mapping):
        return Group(Mode(plain["mode"]), tuple(_node(item) for item in plain["items"]))
    field, op, is_list, value, place = plain
    return Condition(field, Operator(op), tuple(value) if is_list else value, place)
