"""Resolves the names in a query: fields, parent paths, child relationships.

Facts: ``salesforce.five-parent-steps``, ``salesforce.owner-shows-few-fields``,
``salesforce.fields-function``.
"""

from dataclasses import dataclass

from pagerforce.sandbox.salesforce.errors import ApiError, unknown_column, unknown_object
from pagerforce.sandbox.salesforce.lens import MAX_PARENT_STEPS, Lens
from pagerforce.sandbox.salesforce.schema import (
    ChildLink,
    Field,
    FieldType,
    Schema,
    SObject,
    Value,
)
from pagerforce.sandbox.salesforce.soql_ast import FieldsOf, Path, Select
from pagerforce.sandbox.salesforce.soql_lexer import malformed
from pagerforce.sandbox.salesforce.store import Row

MAX_FIELDS_LIMIT = 200
FIELDS_OF_NAME = frozenset(
    {
        *("id", "name", "type", "firstname", "lastname", "alias", "email", "phone", "title"),
        *("isactive", "userroleid", "profileid"),
    }
)
"""The fields of the object Name, the parent of a lookup to several objects."""


@dataclass(frozen=True, slots=True)
class Column:
    """A resolved path.

    Attributes:
        steps: relationship names in the schema's spelling.
        field: the field at its end; for a polymorphic parent, of the first target that has it.
        is_owner_type: ``Owner.Type``; a user's row has no such field.
    """

    steps: tuple[str, ...]
    field: Field
    is_owner_type: bool = False

    def __str__(self) -> str:
        return ".".join((*self.steps, self.field.name))


def find_object(schema: Schema, name: str) -> SObject:
    """The queried object.

    Raises:
        ApiError: INVALID_TYPE.
    """
    item = schema.find(name)
    if item is None:
        raise unknown_object(name)
    return item


def resolve(schema: Schema, item: SObject, path: Path) -> Column:
    """The field at the end of a path.

    Raises:
        ApiError: INVALID_FIELD.
    """
    *steps, last = path.steps
    if steps and steps[0].lower() == item.name.lower():
        steps = steps[1:]
    if len(steps) > MAX_PARENT_STEPS:
        raise malformed(f"Relationship field path '{path}' is too deep; the limit is 5 levels.")
    candidates = [item]
    named: list[str] = []
    for step in steps:
        lookup = None if len(candidates) > 1 else candidates[0].find_parent(step)
        if lookup is None:
            raise ApiError(
                "INVALID_FIELD",
                f"Didn't understand relationship '{step}' in field path. If you are attempting to "
                "use a custom relationship, be sure to append the '__r' after the custom "
                "relationship name.",
            )
        named.append(lookup.relationship)
        candidates = [c for name in lookup.reference_to if (c := schema.find(name))]
    is_name = len(candidates) > 1
    field = next((f for c in candidates if (f := c.find(last))), None)
    if field is None or (is_name and last.lower() not in FIELDS_OF_NAME):
        raise unknown_column(last, "Name" if is_name else candidates[0].name)
    is_owner_type = is_name and field.name == "Type"
    return Column(tuple(named), field, is_owner_type)


def expand_fields(item: SObject, kind: str, limit: int | None) -> list[Column]:
    """The columns of ``FIELDS(kind)``.

    Raises:
        ApiError: an unlimited set of fields without a small limit.
    """
    if kind != "STANDARD" and (limit is None or limit > MAX_FIELDS_LIMIT):
        raise malformed("The SOQL FIELDS function must have a LIMIT of at most 200")
    wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}[kind]
    return [Column((), field) for field in item.fields.values() if field.custom in wanted]


def columns_of(schema: Schema, item: SObject, select: Select) -> list[Column]:
    """The columns of a select list, without its child subqueries.

    Raises:
        ApiError: an unknown or doubled field.
    """
    columns: list[Column] = []
    for selected in select.items:
        if isinstance(selected, Path):
            columns.append(resolve(schema, item, selected))
        elif isinstance(selected, FieldsOf):
            columns.extend(expand_fields(item, selected.kind, select.limit))
    names = [str(column) for column in columns]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise malformed(f"duplicate field selected: {doubled}")
    return columns


def find_child(schema: Schema, parent: SObject, relationship: str) -> ChildLink:
    """The child relationship a subquery selects from.

    Raises:
        ApiError: INVALID_TYPE.
    """
    child = schema.find_child(parent, relationship)
    if child is None:
        raise ApiError(
            "INVALID_TYPE",
            f"Didn't understand relationship '{relationship}' in FROM part of query call. If you "
            "are attempting to use a custom relationship, be sure to append the '__r' after the "
            "custom relationship name.",
        )
    return child


def value_at(lens: Lens, row: Row, column: Column) -> Value:
    """The value of a column for a row; empty if a parent is missing."""
    current = row
    for step in column.steps:
        parent = parent_at(lens, current, step)
        if parent is None:
            return None
        current = parent
    field = lens.object_of(current).find(column.field.name)
    if column.is_owner_type and current.object == "User":
        return "User"
    return None if field is None else lens.value(current, field)


def parent_at(lens: Lens, row: Row, relationship: str) -> Row | None:
    """The parent over one step; None if the lookup is empty or this kind of row has none."""
    lookup = lens.object_of(row).find_parent(relationship)
    return None if lookup is None else lens.parent(row, lookup)


def check_filterable(column: Column) -> None:
    """Refuses to filter by long text.

    Raises:
        ApiError: INVALID_FIELD.
    """
    if not column.field.filterable:
        raise ApiError(
            "INVALID_FIELD", f"field '{column.field.name}' can not be filtered in a query call"
        )


def check_sortable(column: Column) -> None:
    """Refuses to sort by long text and multi-select picklists.

    Raises:
        ApiError: INVALID_FIELD.
    """
    if not column.field.filterable or column.field.type is FieldType.MULTIPICKLIST:
        raise ApiError(
            "INVALID_FIELD", f"field '{column.field.name}' can not be sorted in a query call"
        )
