"""Reads the actions of a rule: checks arguments by the catalog and templates by the sandbox."""

import re
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from pagerforce.model.action import ActionCall, ActionSpec, Param, ParamKind
from pagerforce.model.value import Json, Scalar
from pagerforce.rules.environment import TemplateProblem
from pagerforce.rules.fields import check_record_path
from pagerforce.rules.inspection import inspect_template, is_template
from pagerforce.rules.parse_conditions import to_scalar
from pagerforce.rules.report import Report, suggest, word_for
from pagerforce.rules.views import text_of

MAX_ACTIONS = 100
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class ActionScope(Struct, frozen=True):
    """What actions can name: the kinds of actions, the configured objects and the value maps."""

    catalog: Mapping[str, ActionSpec]
    objects: Collection[str]
    maps: Collection[str]


def parse_actions(
    place: str, items: Sequence[object], scope: ActionScope, report: Report
) -> tuple[ActionCall, ...]:
    """Reads a rule's ``actions``; problems go into the report.

    Args:
        place: of the rule.
        items: the list as written in the file.
        scope: what the actions can name.
        report: takes the problems.
    """
    if len(items) > MAX_ACTIONS:
        report.add(f"{place}.actions", f"a rule has at most {MAX_ACTIONS} actions; split it")
        return ()
    calls = [
        _parse_action(f"{place}.actions[{index}]", item, scope, report)
        for index, item in enumerate(items)
    ]
    return tuple(call for call in calls if call is not None)


def _parse_action(
    place: str, item: object, scope: ActionScope, report: Report
) -> ActionCall | None:
    if not isinstance(item, Mapping):
        report.add(place, f"must be a table {{ do, ... }}, not {word_for(item)}")
        return None
    do = report.take_text(place, item, "do")
    if do is None:
        return None
    spec = scope.catalog.get(do)
    if spec is None:
        report.add(f"{place}.do", f'unknown action "{do}"{suggest(do, scope.catalog)}')
        return None
    params = {param.name: param for param in spec.params}
    report.check_keys(place, item, ("do", *params))
    reader = _Reader(scope, report)
    args = {
        name: reader.read(f"{place}.{name}", item[name], param)
        for name, param in params.items()
        if name in item
    }
    _check_presence(place, spec, args, report)
    return ActionCall(spec, args)


def _check_presence(place: str, spec: ActionSpec, args: Mapping[str, Json], report: Report) -> None:
    for param in spec.params:
        if param.required and param.name not in args:
            report.add(f"{place}.{param.name}", f"is required by {spec.do}")
    for group in spec.exactly_one_of:
        given = [name for name in group if name in args]
        if len(given) != 1:
            found = f"both {' and '.join(given)}" if given else "none of them"
            report.add(place, f"{spec.do} needs exactly one of {' and '.join(group)}, not {found}")
    for group in spec.at_most_one_of:
        given = [name for name in group if name in args]
        if len(given) > 1:
            report.add(place, f"{spec.do} takes only one of {' and '.join(given)}")


class _Reader:
    """Reads arguments into the form for ``render_args``."""

    def __init__(self, scope: ActionScope, report: Report) -> None:
        self._scope = scope
        self._report = report

    def read(self, where: str, value: object, param: Param) -> Json:
        if param.kind in (ParamKind.FIELDS, ParamKind.LOOKUP):
            return self._table(where, value, with_lookups=param.kind is ParamKind.FIELDS)
        if param.kind is ParamKind.VALUE:
            return self._value(where, value)
        if param.kind is ParamKind.LIST:
            return self._list(where, value)
        readers = {ParamKind.CHOICE: self._choice, ParamKind.NAME: self._name}
        return readers.get(param.kind, self._text)(where, value, param)

    def _text(self, where: str, value: object, param: Param) -> Json:
        if isinstance(value, bool):
            self._report.add(where, "must be text, not true or false")
            return ""
        text = text_of(self._scalar(where, value))
        if param.required and isinstance(value, str) and not text.strip():
            self._report.add(where, "must not be empty")
        if param.choices and text and not is_template(text) and text.lower() not in param.choices:
            self._report.add(where, f'"{text}" is not allowed{suggest(text, param.choices)}')
        return text

    def _value(self, where: str, value: object) -> Json:
        if not isinstance(value, Mapping):
            return self._scalar(where, value)
        if set(value) != {"lookup"}:
            self._report.add(where, "a table here can only be { lookup = { Field = value } }")
            return None
        return {"lookup": self._table(f"{where}.lookup", value["lookup"], with_lookups=False)}

    def _list(self, where: str, value: object) -> Json:
        if isinstance(value, str):
            return [self._item(where, value)]
        if not isinstance(value, list) or not value:
            self._report.add(where, f'must be a list of texts, e.g. ["a", "b"], not {_what(value)}')
            return []
        return [self._item(f"{where}[{index}]", item) for index, item in enumerate(value)]

    def _item(self, where: str, value: object) -> str:
        if isinstance(value, str) and value.strip():
            return str(self._scalar(where, value))
        self._report.add(where, f"must be text, not {_what(value)}")
        return ""

    def _table(self, where: str, value: object, *, with_lookups: bool) -> dict[str, Json]:
        if not isinstance(value, Mapping) or not value:
            self._report.add(where, f"must be a table of Field = value, not {_what(value)}")
            return {}
        for name in value:
            # A lookup may search through the target's own parents; a written field has none.
            is_good = _API_NAME.fullmatch(name) if with_lookups else not check_record_path(name)
            if not is_good:
                self._report.add(f"{where}.{name}", f"{name!r} is not a field's API name")
        return {
            name: self._value(f"{where}.{name}", item)
            if with_lookups
            else self._scalar(f"{where}.{name}", item)
            for name, item in value.items()
        }

    def _choice(self, where: str, value: object, param: Param) -> Json:
        if value in param.choices:
            return str(value)
        if isinstance(value, str) and is_template(value):
            return self._scalar(where, value)
        listed = " or ".join(f'"{word}"' for word in param.choices)
        self._report.add(where, f"must be {listed}, not {value!r}")
        return None

    def _name(self, where: str, value: object, param: Param) -> Json:
        if not isinstance(value, str) or not value.strip():
            self._report.add(where, f"must be a name, not {_what(value)}")
        elif is_template(value):
            self._report.add(where, "must be a plain name; a template is not possible here")
        elif param.name == "object" and value not in self._scope.objects:
            hint = suggest(value, self._scope.objects)
            self._report.add(where, f'"{value}" is not a configured object{hint}')
        elif param.name == "field" and _API_NAME.fullmatch(value) is None:
            hint = "; to point it elsewhere set the reference itself, with lookup" * ("." in value)
            self._report.add(where, f'"{value}" is not a field\'s API name{hint}')
        else:
            return value
        return None

    def _scalar(self, where: str, value: object) -> Scalar:
        try:
            scalar = to_scalar(value)
        except TypeError as error:
            self._report.add(where, str(error))
            return None
        if isinstance(scalar, str) and is_template(scalar):
            self._check_template(where, scalar)
        return scalar

    def _check_template(self, where: str, text: str) -> None:
        try:
            inspection = inspect_template(text)
        except TemplateProblem as error:
            self._report.add(where, f"template: {error.reason}")
            return
        for name in sorted(inspection.maps - set(self._scope.maps)):
            hint = suggest(name, self._scope.maps)
            self._report.add(
                where, f'template: unknown map "{name}"{hint} (add it as [maps.{name}])'
            )


def _what(value: object) -> str:
    return "an empty one" if value in ("", [], {}) else word_for(value)
