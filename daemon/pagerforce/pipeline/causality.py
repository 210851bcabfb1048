"""Pure: whether a change answers a write of ours, so that rules running in a circle are noticed.

The rate of a link's actions (``loop_limit`` a minute) stops a fast circle; what took long to happen
and goes out at once, as after an outage, is none. A slow one, say over an
automation in the org that sets a field back each time, shows by its chain: each action followed by a
change of the very thing it wrote, which leads to the next action.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from pagerforce.model.action import Specs
from pagerforce.model.event import Event
from pagerforce.model.ids import is_same_record_id
from pagerforce.model.outbox import Done

ANSWER_WINDOW = timedelta(minutes=10)
"""How long after a write a change of the same thing counts as its answer."""

_MINUTE = timedelta(minutes=1)
# Two clocks tell the times of causes, in whole seconds, and a poll may see one later than the other.
_SLACK = timedelta(seconds=30)


def decisions_of(recent: Sequence[Done]) -> list[Done]:
    """The newest part of each decision: what acts on several records or incidents counts once."""
    found: dict[str, Done] = {}
    for done in recent:
        found.setdefault(done.id.partition("-")[0], done)
    return [*found.values()]


def is_crowd(recent: Sequence[Done], limit: int) -> bool:
    """Whether so many actions within a minute had causes that happened as fast.

    Args:
        recent: what was delivered on a link within a minute, newest first.
        limit: ``loop_limit``.
    """
    newest = [done.event_at for done in recent[:limit]]
    return len(newest) >= limit and max(newest) - min(newest) <= _MINUTE + _SLACK


def depth_of(event: Event, recent: Iterable[Done], specs: Specs) -> int:
    """How long the chain is that an action decided on this event would be the end of.

    Args:
        event: the change; never an echo of ours.
        recent: what was delivered on its link within ``ANSWER_WINDOW``.
        specs: the catalog.
    """
    causes = (done.depth for done in recent if _is_answer(event, done, specs))
    return 1 + max(causes, default=0)


def _is_answer(event: Event, done: Done, specs: Specs) -> bool:
    spec = specs.get(done.do)
    if spec is None:
        return False  # of a version that knew more actions
    if event.record_id is not None:
        is_there = done.record_id is not None and is_same_record_id(done.record_id, event.record_id)
        field = spec.field_in(done.args)
        is_that = field is not None and field.lower() in {name.lower() for name in event.changed}
        return is_there and is_that
    is_there = done.incident_id is not None and done.incident_id == event.incident_id
    return is_there and event.type in spec.answered_by
