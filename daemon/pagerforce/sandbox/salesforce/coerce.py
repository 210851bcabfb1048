"""Converts a caller's value of a field to its stored form, or says why not.

Facts: ``salesforce.values-of-another-type``, ``salesforce.text-is-trimmed``. An empty text is stored as
null, as Salesforce does.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal

from pagerforce.sandbox.salesforce.errors import ApiError, too_long
from pagerforce.sandbox.salesforce.ids import canonical_id
from pagerforce.sandbox.salesforce.schema import TEXT_TYPES, Field, FieldType, Value

_OFFSET_WITHOUT_COLON = re.compile(r"([+-]\d{2})(\d{2})$")
_TIME = re.compile(r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?Z?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def coerce(field: Field, given: object) -> Value:
    """The stored form of a value.

    Raises:
        ApiError: the value does not fit the field.
    """
    if given is None or given == "":
        return False if field.type is FieldType.BOOLEAN else None
    if field.type in TEXT_TYPES:
        return _text(field, given)
    return _COERCERS[field.type](field, given)


def parse_moment(text: str) -> datetime:
    """Reads an ISO 8601 instant as the API accepts it, with or without a colon in the offset.

    Raises:
        ValueError: it is not one.
    """
    moment = datetime.fromisoformat(_OFFSET_WITHOUT_COLON.sub(r"\1:\2", text.strip()))
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"out of the calendar: {text}") from error


def _wrong_type(field: Field, given: object, wanted: str) -> ApiError:
    kind = "VALUE_STRING" if isinstance(given, str) else type(given).__name__
    return ApiError(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {wanted} from {kind}",
        fields=[field.name],
    )


def _text(field: Field, given: object) -> str:
    if not isinstance(given, str):
        raise _wrong_type(field, given, "string")
    if len(given) > field.length:
        raise too_long(field, given, field.length)
    if field.type is FieldType.EMAIL and _EMAIL.fullmatch(given) is None:
        raise ApiError(
            "INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address", fields=[field.name]
        )
    if field.restricted:
        return _restricted(field, given)
    return given


def _restricted(field: Field, given: str) -> str:
    by_name = {value.lower(): value for value in field.picklist}
    parts = given.split(";") if field.type is FieldType.MULTIPICKLIST else [given]
    for part in parts:
        if part.lower() not in by_name:
            raise ApiError(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.label}: bad value for restricted picklist field",
                fields=[field.name],
            )
    return ";".join(by_name[part.lower()] for part in parts)


def _boolean(field: Field, given: object) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in {"true", "false"}:
        return given.lower() == "true"
    raise _wrong_type(field, given, "boolean")


def _double(field: Field, given: object) -> float:
    if isinstance(given, int | float | str) and not isinstance(given, bool):
        try:
            value = float(given)
        except (ValueError, OverflowError):
            value = math.nan
        if math.isfinite(value):
            return value
    raise _wrong_type(field, given, "double")


def _fixed(field: Field, given: object) -> float:
    """A number of a fixed scale; halves are rounded away from zero, as on the platform."""
    value = _double(field, given)
    if field.scale is None:
        return value
    step = Decimal(1).scaleb(-field.scale)
    return float(Decimal(str(value)).quantize(step, ROUND_HALF_UP))


def _integer(field: Field, given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given  # a long has more digits than a double
    value = _double(field, given)
    if not value.is_integer():
        raise _wrong_type(field, given, field.type.value)
    return int(value)


def _reference(field: Field, given: object) -> str:
    row_id = canonical_id(given) if isinstance(given, str) else None
    if row_id is None:
        raise ApiError(
            "MALFORMED_ID",
            f"{field.label}: id value of incorrect type: {given}",
            fields=[field.name],
        )
    return row_id


def _moment(field: Field, given: object) -> datetime:
    if isinstance(given, datetime):
        return given.astimezone(UTC).replace(microsecond=0)
    if isinstance(given, str):
        try:
            return parse_moment(given).replace(microsecond=0)
        except ValueError:
            pass  # reported below, with the field's name
    raise _wrong_type(field, given, "datetime")


def _day(field: Field, given: object) -> date:
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    if isinstance(given, str):
        try:
            return date.fromisoformat(given[:10])
        except ValueError:
            pass  # reported below, with the field's name
    raise _wrong_type(field, given, "date")


def _clock(field: Field, given: object) -> time:
    if isinstance(given, time):
        return given
    if isinstance(given, str) and _TIME.fullmatch(given):
        try:
            return time.fromisoformat(given.removesuffix("Z"))
        except ValueError:
            pass  # reported below, with the field's name
    raise _wrong_type(field, given, "time")


_COERCERS: Mapping[FieldType, Callable[[Field, object], Value]] = {
    FieldType.BOOLEAN: _boolean,
    FieldType.INTEGER: _integer,
    FieldType.LONG: _integer,
    FieldType.DOUBLE: _fixed,
    FieldType.CURRENCY: _fixed,
    FieldType.PERCENT: _fixed,
    FieldType.DATE: _day,
    FieldType.DATETIME: _moment,
    FieldType.TIME: _clock,
    FieldType.REFERENCE: _reference,
    FieldType.ID: _reference,
}
