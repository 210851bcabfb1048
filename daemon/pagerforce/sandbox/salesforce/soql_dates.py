"""SOQL's date functions: the span of time of each. Weeks begin on Sunday, days in UTC."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta

Span = tuple[datetime, datetime]
"""From, inclusive, to, exclusive."""

MAX_COUNT = 100_000


def _days(first: date, last: date) -> Span:
    """Both days inclusive."""
    end = last + timedelta(days=1)
    return datetime.combine(first, time(), UTC), datetime.combine(end, time(), UTC)


def _week(today: date, shift: int) -> Span:
    first = today - timedelta(days=today.isoweekday() % 7) + timedelta(weeks=shift)
    return _days(first, first + timedelta(days=6))


def _month(today: date, shift: int) -> Span:
    months = today.year * 12 + today.month - 1 + shift
    first = date(months // 12, months % 12 + 1, 1)
    following = date((months + 1) // 12, (months + 1) % 12 + 1, 1)
    return _days(first, following - timedelta(days=1))


def _year(today: date, shift: int) -> Span:
    year = today.year + shift
    return _days(date(year, 1, 1), date(year, 12, 31))


def _shifted(days: int) -> Callable[[date], Span]:
    return lambda today: _days(today + timedelta(days=days), today + timedelta(days=days))


PLAIN_SPANS: Mapping[str, Callable[[date], Span]] = {
    "TODAY": _shifted(0),
    "YESTERDAY": _shifted(-1),
    "TOMORROW": _shifted(1),
    "THIS_WEEK": lambda today: _week(today, 0),
    "LAST_WEEK": lambda today: _week(today, -1),
    "NEXT_WEEK": lambda today: _week(today, 1),
    "THIS_MONTH": lambda today: _month(today, 0),
    "LAST_MONTH": lambda today: _month(today, -1),
    "NEXT_MONTH": lambda today: _month(today, 1),
    "THIS_YEAR": lambda today: _year(today, 0),
    "LAST_YEAR": lambda today: _year(today, -1),
    "NEXT_YEAR": lambda today: _year(today, 1),
    "LAST_90_DAYS": lambda today: _days(today - timedelta(days=90), today),
    "NEXT_90_DAYS": lambda today: _days(today + timedelta(days=1), today + timedelta(days=90)),
}
"""Functions without a number."""

COUNTED_SPANS: Mapping[str, Callable[[date, int], Span]] = {
    "LAST_N_DAYS": lambda today, n: _days(today - timedelta(days=n), today),
    "NEXT_N_DAYS": lambda today, n: _days(today + timedelta(days=1), today + timedelta(days=n)),
    "N_DAYS_AGO": lambda today, n: _shifted(-n)(today),
    "LAST_N_WEEKS": lambda today, n: (_week(today, -n)[0], _week(today, -1)[1]),
    "LAST_N_MONTHS": lambda today, n: (_month(today, -n)[0], _month(today, -1)[1]),
}
"""Functions with a number, as ``LAST_N_DAYS:3``."""


def span_of(name: str, count: int | None, now: datetime) -> Span:
    """The span of a date function.

    Raises:
        OverflowError: the number is out of the calendar.
        ValueError: as above.
    """
    today = now.astimezone(UTC).date()
    if count is None:
        return PLAIN_SPANS[name](today)
    if count > MAX_COUNT:
        raise ValueError(f"{name}:{count} is out of range")
    return COUNTED_SPANS[name](today, count)
