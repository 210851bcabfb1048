"""Checks each Salesforce object: existence, access, and that its fields fit the rules."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from pagerforce.config.checkline import CheckLine, ok, remark, todo
from pagerforce.config.load import Loaded
from pagerforce.config.objects import ObjectSettings
from pagerforce.errors import RefusedError
from pagerforce.model.value import is_empty
from pagerforce.rules.needs import FieldUse, field_uses, fields_needed
from pagerforce.rules.operators import Operator
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.columns import find_refused
from pagerforce.salesforce.feeds import FeedPlan
from pagerforce.salesforce.schema import FieldInfo, ObjectInfo, SchemaCache
from pagerforce.salesforce.soql import Select
from pagerforce.service.checks.asking import Asking
from pagerforce.service.fieldcheck import object_problems, rule_problems
from pagerforce.service.writes import creates_record, makes_comments

_OBJECT = "Salesforce object {object}"
_FIELD = "{where}"

FIELD = todo("field.wrong", _FIELD, "{what}")
ORDERED_BY = remark(
    "object.ordered_by",
    _OBJECT,
    "SystemModstamp can't be filtered here: changes are ordered by {field}; changes by a formula"
    " or an automation may be missed until the daily comparison",
)
NOT_CREATEABLE = todo(
    "object.not_createable",
    _OBJECT,
    "the integration user may not create its rows, but {why}: add Create to the user's profile or"
    " permission set",
)
NOT_UPDATEABLE = todo(
    "object.not_updateable",
    _OBJECT,
    "the integration user may not edit its records, but rules set fields: add Edit to the user's"
    " profile or permission set",
)
KEY_UNFIT = todo(
    "object.key_unfit",
    "{object}: external_id_field {field}",
    'is not a unique External ID: make it one, or set external_id_field = ""',
)
KEY_DOUBT = remark(
    "object.key_doubt",
    "{object}: external_id_field {field}",
    "the org does not show whether it is a unique External ID: make sure that it is",
)
NO_KEY = remark(
    "object.no_key",
    "{object}: no external_id_field",
    "rules create its records and nothing makes them unique. After a lost answer pagerforce"
    " searches for the record by creator and time. If the result is in doubt, it sends nothing:"
    " the incident has no linked record and there is a dead letter. {advice}",
)
CONFLICT_FIELD = todo(
    "object.conflict_field",
    "{object}: conflict_fields {field}",
    "the object has no such field: correct its name (case matters)",
)
NO_SUCH_VALUE = todo(
    "condition.no_such_value",
    "{where}.value",
    "{field} has no value {value!r}, so this is never true; its values are {known}",
)
UNKNOWN_VALUE = remark(
    "condition.unknown_value",
    "{where}.value",
    "{field} does not list the value {value!r}; make sure that records have it. It lists {known}",
)
PATH_MISSING = todo(
    "object.service_path",
    "{object}: service_id_path {path}",
    'the org has no such field: create it, or set service_id_path = "" and use service mappings',
)

ADVICE = (
    FIELD,
    ORDERED_BY,
    NOT_CREATEABLE,
    NOT_UPDATEABLE,
    KEY_UNFIT,
    KEY_DOUBT,
    NO_KEY,
    CONFLICT_FIELD,
    NO_SUCH_VALUE,
    UNKNOWN_VALUE,
    PATH_MISSING,
)


class ObjectsCheck(Struct, frozen=True):
    """Checks every object of a configuration."""

    loaded: Loaded
    client: SalesforceClient
    schema: SchemaCache
    asking: Asking

    async def run(self) -> list[CheckLine]:
        """Returns the lines of all objects, then of the conditions on their fields.

        Raises:
            GaveUpError: the org does not answer.
        """
        lines: list[CheckLine] = []
        for item in self.loaded.config.objects:
            lines += await self._object(item)
        lines += await self._conditions()
        return lines

    async def _object(self, item: ObjectSettings) -> list[CheckLine]:
        what = _OBJECT.format(object=item.name)
        problems = await self.asking.ask(
            what, lambda: object_problems(self.client, self.schema, self.loaded, item)
        )
        if isinstance(problems, CheckLine):
            return [problems]
        lines = [FIELD.line(where=problem.where, what=problem.what) for problem in problems]
        found = await self.asking.ask(what, lambda: self._closer(item))
        lines += [found] if isinstance(found, CheckLine) else found
        if not any(not line.ok for line in lines):
            lines += await self._polled(item)
        return lines

    async def _closer(self, item: ObjectSettings) -> list[CheckLine]:
        """Checks rights and field properties; skips an object that is hidden from the user."""
        lines: list[CheckLine] = []
        for name in _names(item):
            try:
                info = await self.schema.describe(name)
            except RefusedError:
                continue  # already reported as a problem
            lines += _rights(self.loaded, item, info)
            if info.stamp_field not in (None, "SystemModstamp"):
                lines.append(ORDERED_BY.line(object=name, field=info.stamp_field))
            if name == item.name:
                lines += property_lines(item, info)
                lines += await self._service_path(item)
        return lines

    async def _service_path(self, item: ObjectSettings) -> list[CheckLine]:
        path = item.service_id_path
        if not path:
            return []
        if await self.schema.find_field(item.name, path) is None:
            return [PATH_MISSING.line(object=item.name, path=path)]
        return [ok(f"{item.name}: service_id_path {path}")]

    async def _polled(self, item: ObjectSettings) -> list[CheckLine]:
        """Counts the columns that can be polled; those that rules need were checked before."""
        plan = FeedPlan(self.schema, self.loaded.config, fields_needed(self.loaded.rules))
        return [await self._first_row(plan, name) for name in _names(item)]

    async def _first_row(self, plan: FeedPlan, name: str) -> CheckLine:
        what = _OBJECT.format(object=name)

        async def read() -> CheckLine:
            feed = await plan.feed(name)
            columns = set(feed.columns)
            select = Select(feed.name, feed.columns, feed.where, limit=1)
            try:
                await self.client.query(select.text(), deleted=True)
            except RefusedError as error:
                columns -= (await find_refused(self.client, feed, error)).keys()
            return ok(f"{what}: {len(columns)} columns can be polled")

        return await self.asking.ask(what, read)

    async def _conditions(self) -> list[CheckLine]:
        """Checks operators, fields of new records, and values of conditions."""
        what = "conditions on Salesforce fields"

        async def judge() -> list[CheckLine]:
            problems = await rule_problems(self.schema, self.loaded)
            lines = [FIELD.line(where=problem.where, what=problem.what) for problem in problems]
            for use in field_uses(self.loaded.rules):
                info = await self.schema.find_field(use.object, use.field)
                lines += [] if info is None else list(_values(use, info))
            return lines

        found = await self.asking.ask(what, judge)
        return [found] if isinstance(found, CheckLine) else found or [ok(what)]


def _names(item: ObjectSettings) -> Sequence[str]:
    return (item.name,) if item.comments is None else (item.name, item.comments.object)


def _rights(loaded: Loaded, item: ObjectSettings, info: ObjectInfo) -> Iterator[CheckLine]:
    calls = [(rule.object, call) for rule in loaded.rules for call in rule.actions]
    if info.name != item.name:
        if makes_comments(loaded, item) and not info.is_createable:
            yield NOT_CREATEABLE.line(object=info.name, why="notes are copied as comments")
        return
    makes = any(
        creates_record(call) and (call.args.get("object") or name) == item.name
        for name, call in calls
    )
    if makes and not info.is_createable:
        yield NOT_CREATEABLE.line(object=item.name, why="rules create records")
    if makes and item.external_id_field not in info.fields:
        yield NO_KEY.line(object=item.name, advice=_key_advice(info))
    sets = any(call.spec.sets_field and name == item.name for name, call in calls)
    if sets and not info.is_updateable:
        yield NOT_UPDATEABLE.line(object=item.name)


def _key_advice(info: ObjectInfo) -> str:
    """Says which field can be the key, or that one must be created."""
    fit = sorted(
        name
        for name, found in info.fields.items()
        if found.is_external_id and found.is_unique and found.is_createable
    )
    if fit:
        return f"Set external_id_field to a field that nothing else uses: {', '.join(fit)}"
    return (
        "Have an administrator create a text field (External ID, unique, case-insensitive) and set"
        " external_id_field to it"
    )


def property_lines(item: ObjectSettings, info: ObjectInfo) -> Iterator[CheckLine]:
    """Checks that the configured key is a unique External ID and that the conflict fields exist."""
    key = info.fields.get(item.external_id_field)
    if key is not None:
        values = {"object": item.name, "field": key.name}
        if key.is_external_id is False or key.is_unique is False:
            yield KEY_UNFIT.line(**values)
        elif key.is_external_id is None or key.is_unique is None:
            yield KEY_DOUBT.line(**values)
    for field in item.conflict_fields:
        if field.lower() not in {name.lower() for name in info.fields}:
            yield CONFLICT_FIELD.line(object=item.name, field=field)


def _values(use: FieldUse, info: FieldInfo) -> Iterator[CheckLine]:
    """Reports values of a condition that are not in the field's picklist."""
    known = (*info.picklist_values, *info.inactive_values)
    if info.type != "picklist" or not known or not Operator(use.op).names_value:
        return
    for value in use.value if isinstance(use.value, tuple) else (use.value,):
        if is_empty(value) or str(value).casefold() in {item.casefold() for item in known}:
            continue
        advice = NO_SUCH_VALUE if info.is_restricted else UNKNOWN_VALUE
        listed = ", ".join(info.picklist_values)
        yield advice.line(where=use.where, field=info.name, value=value, known=listed)
