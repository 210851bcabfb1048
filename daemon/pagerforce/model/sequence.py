"""In which order events of PagerDuty count, as far as whole seconds and the log's own order say. Pure.

The log stamps whole seconds and lists what shares one in the order in which it happened, newest first
(docs: recorded answers). So an event has a *place* within its second. It also shows entries late: what
is seen second may have happened first.
"""

from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)
_MOST = 900_000  # places are kept as microseconds of a second

OVERTAKEN = -1
"""The place of an entry that was seen after later ones of its second were ruled on."""

LAST = _MOST
"""The place of what has no entry of its own: found by a comparison, after everything of its second."""


def bounded_place(place: int) -> int:
    """A place that fits into a second."""
    return max(OVERTAKEN, min(place, _MOST))


def is_older(at: datetime, place: int, than_at: datetime, than_place: int) -> bool:
    """Whether the first of two events of a side happened before the second."""
    return (at, place) < (than_at, than_place)


def written_at(at: datetime, place: int) -> datetime:
    """What is kept of when a value was written because of an event: before its second, by its place.

    An edit that somebody makes in that second is thus later, and so are events of that second that
    come after it.
    """
    return at - _SECOND + timedelta(microseconds=bounded_place(place) + 1)


def is_overtaken(at: datetime, place: int, by: datetime) -> bool:
    """Whether a value was written because of an event of the same second that comes after this one."""
    return written_at(at, place) < by < at
