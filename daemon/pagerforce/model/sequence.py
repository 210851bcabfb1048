"""The order of events of PagerDuty, as far as whole seconds and the log's own order give it. Pure.

The log has whole seconds. It lists the entries of one second in the order of time, newest first
(docs: recorded answers). So an event has a *place* within its second. The log also shows entries
late: an entry that is seen second may have happened first.
"""

from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)
_MOST = 900_000  # places are stored as microseconds of a second

OVERTAKEN = -1
"""The place of an entry that was seen after later ones of its second were evaluated."""

LAST = _MOST
"""The place of a change without an entry, found by a comparison: the last in its second."""


def bounded_place(place: int) -> int:
    """A place that fits into a second."""
    return max(OVERTAKEN, min(place, _MOST))


def is_older(at: datetime, place: int, than_at: datetime, than_place: int) -> bool:
    """Whether the first of two events of a side happened before the second."""
    return (at, place) < (than_at, than_place)


def written_at(at: datetime, place: int) -> datetime:
    """The stored write time of a value, for an event: before the event's second, by its place.

    So it is earlier than an edit that somebody makes in that second, and earlier than events that
    follow in that second.
    """
    return at - _SECOND + timedelta(microseconds=bounded_place(place) + 1)


def is_overtaken(at: datetime, place: int, by: datetime) -> bool:
    """Whether a value was written for a later event of the same second."""
    return written_at(at, place) < by < at
