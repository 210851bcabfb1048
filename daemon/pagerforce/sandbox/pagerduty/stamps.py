"""Times in PagerDuty's format.

Facts: ``pagerduty.times-in-account-zone``, ``pagerduty.whole-seconds``.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def whole_second(moment: datetime) -> datetime:
    """The instant without its fraction: all times of PagerDuty have whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0)


@lru_cache(maxsize=4096)
def write_stamp(moment: datetime, zone: tzinfo = UTC) -> str:
    """An instant as ISO 8601, with ``Z`` in UTC and an offset elsewhere."""
    text = moment.astimezone(zone).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z") if zone is UTC else text


def read_stamp(text: str, zone: tzinfo) -> datetime:
    """Reads ISO 8601 with an optional time part; without a zone it is in ``zone``.

    Raises:
        ValueError: not a date.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def find_zone(name: str) -> tzinfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: no zone has that name.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}") from error


def months_before(moment: datetime, months: int) -> datetime:
    """The same day this many months earlier, or the last day of a shorter month."""
    first = moment.replace(day=1)
    for _ in range(months):
        first = (first - timedelta(days=1)).replace(day=1)
    next_month = (first + timedelta(days=32)).replace(day=1)
    last_day = (next_month - timedelta(days=1)).day
    return first.replace(day=min(moment.day, last_day))
