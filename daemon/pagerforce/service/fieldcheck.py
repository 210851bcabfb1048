"""Holds the objects and fields that a configuration names against the org's describe.

What is found here keeps the daemon from doing its job, so it is asked for before anything is read.
What would fail only when a rule fires is for ``service/checks`` to tell.
"""

from collections.abc import Collection, Iterator, Mapping

import anyio.lowlevel

from pagerforce.config.load import Loaded
from pagerforce.config.objects import ObjectSettings
from pagerforce.errors import ConfigError, Problem
from pagerforce.rules.needs import FieldUse, field_uses, fields_needed
from pagerforce.rules.operators import check_field_type
from pagerforce.rules.syntax import Rule
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.service.writes import writes_of


async def check_fields(
    schema: SchemaCache, loaded: Loaded, needed: Mapping[str, Collection[str]] | None = None
) -> None:
    """What keeps the daemon from doing its job; asked for before anything is read.

    Args:
        schema: the org's describes.
        loaded: the rules and objects.
        needed: object -> fields that the rules speak of, where that is known already.

    Raises:
        ConfigError: an object or a field is not there or hidden from our user, or an operator can't
            apply to a field's type.
        RemoteError: the org could not be asked.
    """
    problems: list[Problem] = []
    needed = fields_needed(loaded.rules) if needed is None else needed
    for item in loaded.config.objects:
        problems += await object_problems(schema, loaded, item, needed)
    problems += await rule_problems(schema, loaded)
    if problems:
        raise ConfigError(problems)


async def object_problems(
    schema: SchemaCache,
    loaded: Loaded,
    item: ObjectSettings,
    needed: Mapping[str, Collection[str]] | None = None,
) -> list[Problem]:
    """What is wrong with one object and the fields of it that anything speaks of.

    Raises:
        RemoteError: the org could not be asked.
    """
    # service_id_path may be missing: the service mappings serve then (and ``check`` says so).
    needed = fields_needed(loaded.rules) if needed is None else needed
    paths = set(needed.get(item.name, ())) | set(item.fields)
    paths |= {item.external_id_field} - {""}
    paths |= {row.field for row in loaded.config.service_mappings if row.object == item.name}
    problems = [*await schema.check_fields(item.name, paths)]
    if item.comments is not None:
        wanted = {item.comments.parent_field, item.comments.body_field, *item.comments.fields}
        problems += await schema.check_fields(item.comments.object, wanted)
    uses = {f"{use.object}.{use.field}": use for use in reversed(field_uses(loaded.rules))}
    return [_placed(problem, uses) for problem in problems]


async def rule_problems(schema: SchemaCache, loaded: Loaded) -> list[Problem]:
    """Conditions that can't apply to their field, and fields of new records that do not exist.

    Raises:
        RemoteError: the org could not be asked.
    """
    judged = [await _judge_use(schema, use) for use in field_uses(loaded.rules)]
    problems = [problem for problem in judged if problem is not None]
    for rule in loaded.rules:
        problems += await _unknown_fields(schema, rule)
    return problems


def _placed(problem: Problem, uses: Mapping[str, FieldUse]) -> Problem:
    """Under the first condition that names the field, where one does."""
    use = uses.get(problem.where)
    return problem if use is None else Problem(f"{use.where}.field", f"{use.field}: {problem.what}")


async def _unknown_fields(schema: SchemaCache, rule: Rule) -> list[Problem]:
    """Fields of records to be created that the org does not have."""
    found = []
    for object_name, where, field in _new_fields(rule):
        problems = await schema.check_fields(object_name, [field])
        found += [Problem(where, p.what) for p in problems if p.where == f"{object_name}.{field}"]
    return found


def _new_fields(rule: Rule) -> Iterator[tuple[str, str, str]]:
    for write in writes_of(rule):
        if write.is_new:
            yield write.object, write.where, write.field


async def _judge_use(schema: SchemaCache, use: FieldUse) -> Problem | None:
    await (
        anyio.lowlevel.checkpoint()
    )  # what is known is looked up without waiting, of many rules at once
    info = await schema.find_field(use.object, use.field)
    what = None if info is None else check_field_type(use.op, use.value, info.type)
    return None if what is None else Problem(use.where, what)
