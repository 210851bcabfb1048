"""The canonical scalar: the value of a field, whichever side it came from.

Values are JSON scalars so that a snapshot can be stored and compared as it is: text, boolean, int,
float, or None for empty. Instants are text in UTC, ``2026-01-02T03:04:05Z``.
"""

from collections.abc import Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Fields: TypeAlias = Mapping[str, Scalar]
if TYPE_CHECKING:
    Json: TypeAlias = Scalar | Sequence["Json"] | Mapping[str, "Json"]
else:
    Json = Any  # msgspec has no recursive types
_UTC_OFFSET = "+00:00"
# Rows may be imported with times older than either vendor.
_EARLIEST_STAMP = datetime(1970, 1, 1, tzinfo=UTC)
_BEYOND_STAMPS = datetime(2200, 1, 1, tzinfo=UTC)


# A row, its snapshot and its neighbours share the same few instants.
@lru_cache(maxsize=8192)
def parse_instant(text: str) -> datetime:
    """Reads an ISO 8601 instant of either vendor; one without a zone is treated as UTC.

    Raises:
        ValueError: the text is not an instant.
    """
    moment = datetime.fromisoformat(text)
    # A time zone, a clock's skew or an overlap must not move an instant out of the calendar.
    if not MINYEAR < moment.year < MAXYEAR:
        raise ValueError("its year is out of range")
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_stamp(text: str) -> datetime:
    """Reads an instant that one of the two systems set itself, e.g. the time of a row's change.

    Raises:
        ValueError: it is no instant, or a time without such a system. Arithmetic with the result
            never leaves the calendar.
    """
    moment = parse_instant(text)
    if not _EARLIEST_STAMP <= moment < _BEYOND_STAMPS:
        raise ValueError("its year is out of range")
    return moment


def format_instant(moment: datetime) -> str:
    """An instant as both APIs accept it: UTC, ``Z``, a fraction only if it has one."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat().removesuffix(_UTC_OFFSET) + "Z"


def format_whole_second(moment: datetime) -> str:
    """An instant cut to its second, for SOQL literals and ``since``/``until``."""
    return format_instant(moment.replace(microsecond=0))


def is_empty(value: object) -> bool:
    """Whether a value counts as empty: missing, null, or text of blanks only."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_equal(left: Scalar, right: Scalar) -> bool:
    """Whether two stored values are the same: empty text and null are one value."""
    if type(left) is type(right) and left == right:
        return True  # the most frequent case first
    if is_empty(left) or is_empty(right):
        return is_empty(left) and is_empty(right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right
