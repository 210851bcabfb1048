"""Compares a configuration's objects and fields with the org: with its describe and with a query.

A describe may show fields that no query accepts: ``Owner.`` gives only few of a user's fields
(``salesforce.owner-shows-few-fields``). So the check sends the same query that polls the object,
for one row. These problems keep the daemon from doing its job, so the check comes before the first
read. ``service/checks`` reports problems that only matter when a rule fires.
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
    """Checks, before the first read, for problems that keep the daemon from doing its job.

    Args:
        client: sends the queries.
        schema: the org's describes.
        loaded: the rules and objects.
        needed: object -> fields that the rules use, if known already.

    Raises:
        ConfigError: an object or a field does not exist, is hidden from the integration user or is
            refused in a query, or an operator can't apply to a field's type.
        RemoteError: a request to the org failed.
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
    """Returns the problems of one object and its used fields.

    Raises:
        RemoteError: a request to the org failed.
    """
    # service_id_path may be missing: then the service mappings are used (and ``check`` reports it).
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
    """Returns the fields of an object that must exist."""
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
    """Returns the reasons why the org refuses the query that polls an object or its comments."""
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
    """Returns the refused fields with the rule that names each; optional ones are ignored here."""
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
    """Returns conditions that can't apply to their field, and missing fields of new records.

    Raises:
        RemoteError: a request to the org failed.
    """
    judged = [await _judge_use(schema, use) for use in field_uses(loaded.rules)]
    problems = [problem for problem in judged if problem is not None]
    for rule in loaded.rules:
        problems += await _unknown_fields(schema, rule)
    return problems


def _placed(problem: Problem, uses: Mapping[str, FieldUse]) -> Problem:
    """Returns the problem with the place of the first condition that names the field, if any."""
    use = uses.get(problem.where)
    return problem if use is None else Problem(f"{use.where}.field", f"{use.field}: {problem.what}")


async def _unknown_fields(schema: SchemaCache, rule: Rule) -> list[Problem]:
    """Returns fields of new records that the org does not have."""
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
    await anyio.lowlevel.checkpoint()  # cached lookups never wait, and there may be many rules
    info = await schema.find_field(use.object, use.field)
    what = None if info is None else check_field_type(use.op, use.value, info.type)
    return None if what is None else Problem(use.where, what)
