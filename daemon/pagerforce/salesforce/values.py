"""Converts values between pagerforce's scalars and fields of Salesforce, by type. Pure.

``from_row`` converts a value that was read; ``to_payload`` converts a configured or rendered value
to the stored form. Both return the same canonical form, so that the wanted value can be compared
with the current one. Facts: docs/vendors/salesforce.md#values.
"""

import math
import re
from datetime import date, time
from functools import lru_cache

from pagerforce.errors import RefusedError
from pagerforce.model.ids import find_record_id, parse_record_id
from pagerforce.model.lengths import MOST_TEXT
from pagerforce.model.sameness import is_same
from pagerforce.model.value import Scalar, format_instant, is_empty, parse_instant
from pagerforce.salesforce.schema import FieldInfo
from pagerforce.wire.answer import OutOfRange
from pagerforce.wire.oddities import is_beyond

_NOT_SINGLE = "is not a single value"
_OUT_OF_RANGE = "is no number of 64 bits"
_TOO_LONG = f"has more than {MOST_TEXT} characters"
TELLABLE = frozenset({_NOT_SINGLE, _OUT_OF_RANGE, _TOO_LONG})
"""Reasons that do not quote the value."""

_INTEGER_TYPES = frozenset({"int", "long"})
_NUMBER_TYPES = frozenset({"double", "currency", "percent"})
_ID_TYPES = frozenset({"id", "reference"})
_YES = frozenset({"true", "yes", "1"})
_NO = frozenset({"false", "no", "0", ""})
# The REST API's form of an instant; a value of unknown type in this form is treated as one.
_WIRE_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")


def is_plain_text(kind: str | None) -> bool:
    """Whether ``from_row`` returns each text of a field of this type unchanged."""
    return kind is not None and kind != "datetime" and kind not in _ID_TYPES


def from_row(value: object, kind: str | None) -> Scalar:
    """A value of a row in canonical form: instants in UTC with ``Z``, Ids with 18 characters.

    Args:
        value: a value of the JSON; must be a scalar.
        kind: the field's type in lower case; None if it is not known.

    Raises:
        ValueError: it is not a scalar, or does not fit the type.
    """
    if not isinstance(value, str):
        return _checked(value)
    if len(value) > MOST_TEXT:
        raise ValueError(_TOO_LONG)
    if kind == "datetime" or (kind is None and _WIRE_INSTANT.fullmatch(value)):
        return _canonical_instant(value)
    if kind in _ID_TYPES:
        return find_record_id(value) or value
    return value


@lru_cache(maxsize=8192)
def _canonical_instant(text: str) -> str:
    return format_instant(parse_instant(text))


def _checked(value: object) -> Scalar:
    is_odd_int = isinstance(value, int) and is_beyond(value)
    is_odd_float = isinstance(value, float) and not math.isfinite(value)
    if is_odd_int or is_odd_float or isinstance(value, OutOfRange):
        raise ValueError(_OUT_OF_RANGE)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError(_NOT_SINGLE)


def to_payload(field: FieldInfo, value: Scalar) -> Scalar:
    """The value to send for a value of a rule; empty text clears the field.

    Raises:
        RefusedError: the value does not fit the field; the message names field and type, and the
            length if the text is too long, but never the text.
    """
    if field.type == "boolean":
        return _to_boolean(field, value)
    if is_empty(value):
        return None
    try:
        return _to_typed(field, value)
    except (ValueError, OverflowError):
        raise _unsuited(field, value) from None


def _to_typed(field: FieldInfo, value: Scalar) -> Scalar:
    kind = field.type
    if kind in _INTEGER_TYPES or kind in _NUMBER_TYPES:
        return _to_number(value, is_whole=kind in _INTEGER_TYPES)
    if kind == "datetime":
        return format_instant(parse_instant(_text(value).strip()))
    if kind == "date":
        return _to_date(_text(value).strip())
    if kind == "time":
        return _to_time(_text(value).strip())
    if kind in _ID_TYPES:
        return parse_record_id(_text(value).strip())
    text = _text(value)
    if 0 < field.length < len(text):
        raise RefusedError(
            f"{field.name} takes {field.length} characters and the text has {len(text)};"
            " shorten it in the rule, e.g. with the truncate filter"
        )
    return text


def is_same_value(field: FieldInfo, left: Scalar, right: Scalar) -> bool:
    """Whether Salesforce treats two values of a field as the same, by the field's type."""
    return is_same(field.type, left, right, scale=field.scale, is_rich=field.is_rich)


def _to_boolean(field: FieldInfo, value: Scalar) -> bool:
    if isinstance(value, bool):
        return value
    word = "" if value is None else str(value).strip().casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise _unsuited(field, value)


def _to_number(value: Scalar, *, is_whole: bool) -> int | float:
    if isinstance(value, bool) or value is None:
        raise ValueError("is not a number")
    number = _parse_number(value)
    if isinstance(number, float):
        if not math.isfinite(number):
            raise ValueError("is not a finite number")
        number = int(number) if number.is_integer() else number
    if is_whole and not isinstance(number, int):
        raise ValueError("is not a whole number")
    return number


def _parse_number(value: str | float) -> int | float:
    """Returns an int if it is written as one, so that long numbers keep their last digits."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return float(value)
    return value


def _to_date(text: str) -> str:
    if "T" in text or " " in text:
        return parse_instant(text).date().isoformat()
    return date.fromisoformat(text).isoformat()


def _to_time(text: str) -> str:
    """Formats a time as it is read back, so that an own write is recognised: ``09:30:00.000Z``."""
    clock = time.fromisoformat(text)
    if clock.utcoffset():
        raise ValueError("a time of day has no time zone")
    return clock.replace(tzinfo=None).isoformat("milliseconds") + "Z"


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _unsuited(field: FieldInfo, value: Scalar) -> RefusedError:
    hint = "; use a lookup to find the Id" if field.type == "reference" else ""
    return RefusedError(
        f"{field.name} is of type {field.type}, and the value"
        f" ({type(value).__name__}) is not one{hint}; correct it in the rule"
    )
