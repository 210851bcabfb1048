"""Holds the objects, fields and values that a configuration names against the org's describe."""

from collections.abc import Iterator, Mapping

from pagerforce.config.load import Loaded
from pagerforce.errors import ConfigError, Problem
from pagerforce.model.value import Json
from pagerforce.rules.needs import FieldUse, doubts, field_uses, fields_needed
from pagerforce.rules.operators import check_field_type
from pagerforce.rules.syntax import Rule
from pagerforce.salesforce.schema import FieldInfo, SchemaCache

_PICKLISTS = ("picklist", "multipicklist")


async def check_fields(schema: SchemaCache, loaded: Loaded) -> None:
    """What keeps the daemon from doing its job; asked for before anything is read.

    Raises:
        ConfigError: an object or a field is not there or hidden from our user, or an operator can't
            apply to a field's type.
        RemoteError: the org could not be asked.
    """
    needed = fields_needed(loaded.rules)
    uses = field_uses(loaded.rules)
    problems: list[Problem] = []
    for item in loaded.config.objects:
        paths = set(needed.get(item.name, frozenset())) | set(item.fields)
        # service_id_path may be missing: the service mappings serve then (and ``check`` says so).
        paths |= {item.external_id_field} - {""}
        paths |= {row.field for row in loaded.config.service_mappings if row.object == item.name}
        problems += await schema.check_fields(item.name, paths)
        if item.comments is not None:
            wanted = {item.comments.parent_field, item.comments.body_field, *item.comments.fields}
            problems += await schema.check_fields(item.comments.object, wanted)
    problems = [_placed(problem, uses) for problem in problems]
    problems += [x for use in uses if (x := await _judge_use(schema, use)) is not None]
    for rule in loaded.rules:
        problems += await _unknown_fields(schema, rule)
    if problems:
        raise ConfigError(problems)


def _placed(problem: Problem, uses: tuple[FieldUse, ...]) -> Problem:
    """Under the condition that names the field, where one does."""
    for use in uses:
        if problem.where == f"{use.object}.{use.field}":
            return Problem(f"{use.where}.field", f"{use.field}: {problem.what}")
    return problem


async def _unknown_fields(schema: SchemaCache, rule: Rule) -> list[Problem]:
    """Fields of records to be created that the org does not have."""
    found = []
    for where, name, field, _ in _writes(rule):
        if ".fields." in where:
            problems = await schema.check_fields(name, [field])
            found += [Problem(where, p.what) for p in problems if p.where == f"{name}.{field}"]
    return found


async def _judge_use(schema: SchemaCache, use: FieldUse) -> Problem | None:
    info = await schema.find_field(use.object, use.field)
    what = None if info is None else check_field_type(use.op, use.value, info.type)
    return None if what is None else Problem(use.where, what)


async def find_doubts(schema: SchemaCache, loaded: Loaded) -> list[Problem]:
    """What would fail only when a rule fires; ``check`` tells it before that.

    Raises:
        RemoteError: the org could not be asked.
    """
    found = list(doubts(loaded.rules))
    for rule in loaded.rules:
        for where, name, field, value in _writes(rule):
            info = await schema.find_field(name, field)
            what = None if info is None else _judge_write(info, value, is_new=".fields." in where)
            if what is not None:
                found.append(Problem(where, what))
    return found


def _writes(rule: Rule) -> Iterator[tuple[str, str, str, Json]]:
    """Every field that a rule writes: its place, the object, the field and the value."""
    for index, call in enumerate(rule.actions):
        place = f"{rule.place}.actions[{index}]"
        if call.do == "salesforce.set_field":
            yield f"{place}.field", rule.object, str(call.args["field"]), call.args.get("value")
        elif call.do == "salesforce.create_record":
            name = str(call.args.get("object") or rule.object)
            fields = call.args.get("fields")
            for field, value in fields.items() if isinstance(fields, Mapping) else ():
                yield f"{place}.fields.{field}", name, field, value


def _judge_write(info: FieldInfo, value: Json, *, is_new: bool) -> str | None:
    is_open = info.is_createable if is_new else info.is_updateable
    if info.is_calculated or not is_open:
        return f"{info.name} is read-only for our user: write the field it is made of instead"
    is_plain = isinstance(value, str) and value and "{{" not in value and "{%" not in value
    if is_plain and info.type in _PICKLISTS and info.picklist_values:
        known = {item.casefold() for item in info.picklist_values}
        wrong = [part for part in str(value).split(";") if part.strip().casefold() not in known]
        if wrong:
            return (
                f"{info.name} has no value {wrong[0]!r}; it has {', '.join(info.picklist_values)}"
            )
    return None
