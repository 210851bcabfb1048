"""Converts rows of a query to records and comments; a malformed row becomes a flaw. Pure.

Parents are nested in a row, or null if the lookup is empty. In a record they are flat, under their
path. Fact: ``salesforce.rows-nest-parents``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from pagerforce.errors import MalformedError, internal_error_text
from pagerforce.model.durations import MOST_AHEAD
from pagerforce.model.ids import RecordId, find_record_id
from pagerforce.model.incident import Person
from pagerforce.model.lengths import MOST_NAME, MOST_TEXT
from pagerforce.model.ports import Flaw
from pagerforce.model.record import Comment, Record
from pagerforce.model.value import Scalar, parse_stamp
from pagerforce.salesforce.values import TELLABLE, from_row, is_plain_text

Row = Mapping[str, object]
_ABSENT = object()


class RecordShape(Struct, frozen=True):
    """How to convert the rows of an object to records.

    Attributes:
        fields: the paths that go into ``Record.fields``, with their types (None: not known).
        stamp_field: the field that orders the object's changes.
    """

    object: str
    fields: Mapping[str, str | None]
    stamp_field: str = "SystemModstamp"


class CommentShape(Struct, frozen=True):
    """How to convert the rows of a comment object to comments."""

    object: str
    parent_object: str
    parent_field: str
    body_field: str
    stamp_field: str = "SystemModstamp"


class Decoded(Struct, frozen=True):
    """The content of a batch of rows."""

    records: tuple[Record, ...] = ()
    comments: tuple[Comment, ...] = ()
    flaws: tuple[Flaw, ...] = ()


class _Gathered(Struct):
    records: list[Record] = msgspec.field(default_factory=list)
    comments: list[Comment] = msgspec.field(default_factory=list)
    flaws: list[Flaw] = msgspec.field(default_factory=list)


def decode(
    rows: tuple[Row, ...], shape: RecordShape | CommentShape, latest: datetime | None = None
) -> Decoded:
    """Decodes all rows of one object; a row that cannot be understood becomes a flaw.

    ``latest``: a row with a later stamp is a flaw.
    """
    gathered = _Gathered()
    columns = () if isinstance(shape, CommentShape) else _columns_of(shape)
    for row in rows:
        try:
            _check_stamp(row, shape.stamp_field, latest)
            if isinstance(shape, CommentShape):
                gathered.comments.append(to_comment(row, shape))
            else:
                gathered.records.append(_to_record(row, shape, columns, gathered.flaws))
        except Exception as error:  # noqa: BLE001 (one row that raises must not keep the others)
            what = str(error) if isinstance(error, ValueError) else internal_error_text(error)
            gathered.flaws.append(Flaw(f"{shape.object} {row_name(row)}", what))
    return Decoded(tuple(gathered.records), tuple(gathered.comments), tuple(gathered.flaws))


def _check_stamp(row: Row, stamp_field: str, latest: datetime | None) -> None:
    if latest is not None and _required_instant(row, stamp_field) > latest:
        raise ValueError(f"{stamp_field} is in the future")


def to_record(row: Row, shape: RecordShape, flaws: list[Flaw]) -> Record:
    """Decodes one row; a malformed field is left out and added to ``flaws``.

    Raises:
        ValueError: the row has no Id or no time.
    """
    return _to_record(row, shape, _columns_of(shape), flaws)


_Column: TypeAlias = tuple[str, Sequence[str], str | None, bool]


def _columns_of(shape: RecordShape) -> Sequence[_Column]:
    """For each path: its steps, the field's type, and whether its texts stay unchanged.

    Computed once for all rows of a page.
    """
    return [
        (path, path.split("."), kind, is_plain_text(kind)) for path, kind in shape.fields.items()
    ]


def _to_record(
    row: Row, shape: RecordShape, columns: Sequence[_Column], flaws: list[Flaw]
) -> Record:
    record_id = _required_id(row, "Id")
    fields: dict[str, Scalar] = {}
    for path, steps, kind, is_plain in columns:
        value: Any = row.get(path, _ABSENT) if len(steps) == 1 else _walk(row, steps)
        # The most frequent values are the same in any type.
        if (
            value is None
            or value is True
            or value is False
            or (is_plain and type(value) is str and len(value) <= MOST_TEXT)
        ):
            fields[path] = value
        elif value is not _ABSENT:
            try:
                fields[path] = from_row(value, kind)
            except ValueError as error:
                flaws.append(Flaw(f"{shape.object} {record_id}", f"{path}: {_reason(error)}"))
    stamp = _required_instant(row, shape.stamp_field)
    return Record(
        object=shape.object,
        id=record_id,
        fields=fields,
        stamp=stamp,
        created_at=_instant_until(stamp, row, "CreatedDate"),
        modified_at=_instant_until(stamp, row, "LastModifiedDate"),
        created_by=_person(row, "CreatedBy"),
        modified_by=_person(row, "LastModifiedBy"),
        is_deleted=row.get("IsDeleted") is True,
        merged_into=_master_of(row, record_id),
    )


def _master_of(row: Row, record_id: RecordId) -> RecordId | None:
    """The row of the same object (by the prefix of the Id) that a deleted row was merged into.

    An undeleted row is independent again, whether or not the org clears the reference.
    """
    master = _optional_id(row, "MasterRecordId") if row.get("IsDeleted") is True else None
    is_kin = master is not None and master != record_id and master[:3] == record_id[:3]
    return master if is_kin else None


def to_comment(row: Row, shape: CommentShape) -> Comment:
    """One comment row.

    Raises:
        ValueError: it has no Id, no parent or no time, or its body is not a text.
    """
    stamp = _required_instant(row, shape.stamp_field)
    body = row.get(shape.body_field)
    if body is not None and not isinstance(body, str):
        raise ValueError(f"{shape.body_field} is no text")
    if body is not None and len(body) > MOST_TEXT:
        raise ValueError(f"{shape.body_field} has more than {MOST_TEXT} characters")
    return Comment(
        object=shape.object,
        id=_required_id(row, "Id"),
        parent_object=shape.parent_object,
        parent_id=_required_id(row, shape.parent_field),
        body=body or "",
        author=_person(row, "CreatedBy"),
        created_at=_instant_until(stamp, row, "CreatedDate"),
        stamp=stamp,
        is_deleted=row.get("IsDeleted") is True,
    )


def value_at(row: Row, path: str) -> tuple[bool, object]:
    """Whether the row has a value at a path, and the value; below an empty parent it is None."""
    value = _walk(row, path.split("."))
    return (False, None) if value is _ABSENT else (True, value)


def _walk(row: Row, steps: Sequence[str]) -> object:
    value: object = row
    for step in steps:
        if value is None:
            return None
        if not isinstance(value, dict) or step not in value:  # JSON as it was parsed
            return _ABSENT
        value = value[step]
    return value


def row_place(row: Row, stamp_field: str) -> tuple[datetime, RecordId] | None:
    """The place of a row in the order of a feed; None if its Id or stamp is missing."""
    try:
        return _required_instant(row, stamp_field), _required_id(row, "Id")
    except ValueError:
        return None


def last_place(
    rows: Sequence[Row], stamp_field: str, latest: datetime | None = None
) -> tuple[datetime, RecordId] | None:
    """The place of the last row of a page that is not later than ``latest``."""
    places = (row_place(row, stamp_field) for row in reversed(rows))
    return next((x for x in places if x and (latest is None or x[0] <= latest)), None)


def found_id(row: Row) -> RecordId:
    """The Id of a row found by a search.

    Raises:
        MalformedError: it has none; an unreadable row must not count as absent.
    """
    record_id = _optional_id(row, "Id")
    if record_id is None:
        raise MalformedError("query: a row of the answer has no Id")
    return record_id


def created_at(row: Row) -> datetime:
    """The time of creation of a row found by a search.

    Raises:
        MalformedError: it has none; an unreadable row must not count as too old.
    """
    value = row.get("CreatedDate")
    try:
        return parse_stamp(value if isinstance(value, str) else "")
    except ValueError as error:
        raise MalformedError("query: a row of the answer has no CreatedDate") from error


def row_name(row: Row) -> str:
    """The row's Id for a message, if it has one."""
    return _optional_id(row, "Id") or "row without an Id"


def _person(row: Row, relation: str) -> Person:
    user_id = _optional_id(row, f"{relation}Id")
    user = row.get(relation)
    name, email = (user.get("Name"), user.get("Email")) if isinstance(user, dict) else (None, None)
    return _known_person(
        user_id,
        name[:MOST_NAME] if isinstance(name, str) else None,
        email[:MOST_NAME] if isinstance(email, str) else None,
    )


@lru_cache(maxsize=1024)
def _known_person(user_id: str | None, name: str | None, email: str | None) -> Person:
    """Cached: the same few people appear in all rows."""
    return Person(user_id, name, email)


def _required_id(row: Row, name: str) -> RecordId:
    found = _optional_id(row, name)
    if found is None:
        raise ValueError(f"{name} is missing or is no Id")
    return found


def _optional_id(row: Row, name: str) -> RecordId | None:
    value = row.get(name)
    return find_record_id(value) if isinstance(value, str) else None


def _required_instant(row: Row, name: str) -> datetime:
    found = _instant(row, name)
    if found is None:
        raise ValueError(f"{name} is missing or is no time")
    return found


def _instant(row: Row, name: str) -> datetime | None:
    value = row.get(name)
    if not isinstance(value, str):
        return None
    try:
        return parse_stamp(value)
    except ValueError:
        return None


def _instant_until(stamp: datetime, row: Row, name: str) -> datetime:
    """A time of a row; its stamp if the time is missing or later than the stamp."""
    found = _instant(row, name)
    return stamp if found is None or found > stamp + MOST_AHEAD else found


def _reason(error: ValueError) -> str:
    # Messages of datetime and of pagerforce's parsers quote the value, which is customers' data.
    text = str(error)
    return text if text in TELLABLE else "does not have the form of its type"
