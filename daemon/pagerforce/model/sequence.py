"""In which order events of PagerDuty count, as far as whole seconds and causes tell. Pure.

Its log says nothing about order within a second, and shows entries late: what is seen second may have
happened first. Facts: pagerduty.md sections 4, 5 and 9.
"""

from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)
_UNRANKED = 50
_RANKS = {
    # An incident begins with its trigger; the policy's own moves follow from it or from a timeout.
    "trigger": 0,
    "unacknowledge": 10,
    "exhaust_escalation_path": 11,
    "repeat_escalation_path": 12,
    "escalate": 13,
    "delegate": 14,
    "assign": 15,
    "notify": 16,
    # People answer what woke them; a snooze needs an acknowledged incident.
    "acknowledge": 20,
    "snooze": 21,
    "urgency_change": 30,
    "priority_change": 31,
    # Whatever has no causal place of its own stands between (_UNRANKED), then words about it.
    "custom": 60,
    "annotate": 61,
    # The end, and what can only follow an end.
    "resolve": 90,
    "merge": 91,
    "reopen": 92,
}
"""Causal order of what shares a second, of one incident: cause before effect."""


def rank_of(kind: str) -> int:
    """The place of an entry or event among those of its second."""
    return _RANKS.get(kind, _UNRANKED)


def is_older(at: datetime, kind: str, than_at: datetime, than_kind: str) -> bool:
    """Whether the first of two events of a side happened before the second."""
    return (at, rank_of(kind)) < (than_at, rank_of(than_kind))


def written_at(at: datetime, kind: str) -> datetime:
    """What is kept of when a value was written because of an event: before its second, by its rank.

    An edit that somebody makes in that second is thus later, and so are events of that second that
    come after it.
    """
    return at - _SECOND + timedelta(microseconds=rank_of(kind))


def is_overtaken(at: datetime, kind: str, by: datetime) -> bool:
    """Whether a value was written because of an event of the same second that comes after this one."""
    return written_at(at, kind) < by < at
