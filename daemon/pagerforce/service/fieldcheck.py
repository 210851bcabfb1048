"""Holds the objects and fields that a configuration names against the org: its describe, and a query.

A describe may show what no query takes: behind ``Owner.`` stand few of a user's fields
(``salesforce.owner-shows-few-fields``). So the very query that polls an object is asked for one row.
What is found here keeps the daemon from doing its job, so it is asked for before anything is read. What
would fail only when a rule fires is for ``service/checks`` to tell.
"""

from collections.abc import Collection, Iterator, Mapping

import anyio.lowlevel

from pagerforce.config.load import Loaded
from pagerforce.config.objects import ObjectSettings
from pagerforce.errors import ConfigError, Problem, RefusedError
from pagerforce.rules.needs import FieldUse, field_uses, fields_needed, places_of
from pagerforce.rules.operands import check_field_type
from pagerforce.rules.syntax import Rule
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.columns import find_refused, may_be_columns
from pagerforce.salesforce.feeds import Feed, FeedPlan
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.salesforce.soql import Select
from pagerforce.service.writes import writes_of


async def check_fields(
    client: SalesforceClient,
    schema: SchemaCache,
    loaded: Loaded,
    needed: Mapping[str, Collection[str]] | None = None,
) -> None:
    """What keeps the daemon from doing its job; asked for before anything is read.

    Args:
        client: asks the queries.
        schema: the org's describes.
        loaded: the rules and objects.
        needed: object -> fields that the rules speak of, where that is known already.

    Raises:
        ConfigError: an object or a field is not there, hidden from our user or refused in a query, or
            an operator can't apply to a field's type.
        RemoteError: the org could not be asked.
    """
    problems: list[Problem] = []
    needed = fields_needed(loaded.rules) if needed is None else needed
    for item in loaded.config.objects:
        problems += await object_problems(client, schema, loaded, item, needed)
    problems += await rule_problems(schema, loaded)
    if problems:
        raise ConfigError(problems)


async def object_problems(
    client: SalesforceClient,
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
    paths = _wanted(loaded, item, needed)
    problems = [*await schema.check_fields(item.name, paths)]
    if item.comments is not None:
        wanted = {item.comments.parent_field, item.comments.body_field, *item.comments.fields}
        problems += await schema.check_fields(item.comments.object, wanted)
    uses = {f"{use.object}.{use.field}": use for use in reversed(field_uses(loaded.rules))}
    if problems:
        return [_placed(problem, uses) for problem in problems]
    return await _query_problems(client, schema, loaded, item, needed)


def _wanted(
    loaded: Loaded, item: ObjectSettings, needed: Mapping[str, Collection[str]]
) -> set[str]:
    """What of an object nothing may be missing of."""
    paths = set(needed.get(item.name, ())) | set(item.fields)
    paths |= {item.external_id_field} - {""}
    return paths | {row.field for row in loaded.config.service_mappings if row.object == item.name}


async def _query_problems(
    client: SalesforceClient,
    schema: SchemaCache,
    loaded: Loaded,
    item: ObjectSettings,
    needed: Mapping[str, Collection[str]],
) -> list[Problem]:
    """What the very query that polls an object or its comments is refused for."""
    plan = FeedPlan(schema, loaded.config, {name: frozenset(x) for name, x in needed.items()})
    names = [item.name] if item.comments is None else [item.name, item.comments.object]
    problems: list[Problem] = []
    for name in names:
        feed = await plan.feed(name)
        select = Select(feed.name, feed.columns, feed.where, limit=1)
        try:
            await client.query(select.text(), deleted=True)
        except RefusedError as error:
            problems += await _explain(client, feed, error, loaded, _wanted(loaded, item, needed))
    return problems


async def _explain(
    client: SalesforceClient,
    feed: Feed,
    error: RefusedError,
    loaded: Loaded,
    wanted: Collection[str],
) -> list[Problem]:
    """The fields at fault, each under the rule that names it; what is only welcome is left out later."""
    try:
        if not may_be_columns(error):
            raise error
        refused = await find_refused(client, feed, error)
    except RefusedError as reason:
        text = str(reason).removeprefix(f"{feed.name}: ")
        return [Problem(feed.name, f"{text}. Correct its where or fields, or the user's access")]
    places = places_of(loaded.rules)
    problems = []
    for path, why in refused.items():
        place = places.get((feed.name, path))
        what = f"{path}: the org refuses it in a query, whatever its describe shows ({why})"
        if place is not None:
            problems.append(Problem(place.where, f'rule "{place.rule}": {what}'))
        elif path in wanted:
            problems.append(Problem(f"{feed.name}.{path}", what))
    return problems


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
