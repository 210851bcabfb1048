"""Pure: which waiting actions of a backlog are pointless, because a later one undoes them.

After an outage a link may have a whole history waiting: acknowledged, status set, status set again,
resolved. Only its end is useful. Only actions on the same incident or record, from events of the
same side, are compared; texts, pages and creations are never left out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from pagerforce.model.action import Specs
from pagerforce.model.event import Event
from pagerforce.model.outbox import Action
from pagerforce.model.sequence import is_older

BACKLOG_AFTER = timedelta(minutes=1)
"""Newer actions go out one by one, however many a poll found: people watch the steps."""
LOOK_AHEAD = 200


class WaitingAction(Struct, frozen=True):
    """An action that waits, with the event it was decided on."""

    action: Action
    event: Event


def is_foldable(action: Action, specs: Specs) -> bool:
    """Whether a later action could make this one pointless at all.

    An action that may have taken effect is always finished, and one of several parts is always
    kept.
    """
    is_plain = action.args is not None and action.target is None and not action.is_uncertain
    return is_plain and bool(specs[action.do].undone_by)


def may_undo(later: Action, head: Action, specs: Specs) -> bool:
    """Whether the later action would undo the first one on the same incident or record."""
    is_kind = later.do in specs[head.do].undone_by and later.object == head.object
    is_plain = later.args is not None and later.target is None
    is_other = later.event_seq != head.event_seq
    return is_kind and is_plain and is_other and _is_same_field(later, head, specs)


def find_undoing(
    head: WaitingAction,
    behind: Sequence[Action],
    events: Mapping[int, Event],
    now: datetime,
    specs: Specs,
) -> Action | None:
    """The waiting action that makes the first of its lane pointless.

    Args:
        head: the first action of a lane, of those that ``is_foldable`` accepts.
        behind: the actions that wait behind it, in order.
        events: by ``event_seq``, at least those of the actions ``may_undo`` accepts.
        now: in the clock of the actions.
        specs: the catalog.
    """
    for later in behind:
        if may_undo(later, head.action, specs):
            event = events.get(later.event_seq)
            if event is None:
                return None  # it can't be read, so nothing is known about it
            if _is_about_same(head.event, event) and _is_backlog(head, event, now):
                return later
        if _is_barrier(head.action, later, specs):
            return None
    return None


def _is_same_field(later: Action, head: Action, specs: Specs) -> bool:
    mine, other = (specs[x.do].field_in(x.args or {}) for x in (head, later))
    return str(mine).lower() == str(other).lower()


def _is_about_same(first: Event, later: Event) -> bool:
    return (first.source, first.incident_id, first.record_id) == (
        later.source,
        later.incident_id,
        later.record_id,
    )


def _is_backlog(head: WaitingAction, later: Event, now: datetime) -> bool:
    """Whether the action has waited for a while, or its event was that much before the later one.

    An event that was only seen later, but happened before, undoes nothing.
    """
    if is_older(later.at, later.place, head.event.at, head.event.place):
        return False
    has_waited = now - head.action.created_at > BACKLOG_AFTER
    return has_waited or later.at - head.event.at > BACKLOG_AFTER


def _is_barrier(head: Action, between: Action, specs: Specs) -> bool:
    """Whether an action in between may need the first one, e.g. a comment on a reopened record."""
    mine, other = specs[head.do], specs.get(between.do)
    if other is None:
        return True  # from a version with more actions
    return mine.sets_field and other.side is mine.side and not other.sets_field
