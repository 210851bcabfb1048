"""Pure: finds changes that answer an own write, to detect loops between rules.

The rate of a link's actions (``loop_limit`` a minute) stops a fast loop. Actions whose events took
longer to happen and that only go out together, as after an outage, are no loop. A slow loop, for
example with an automation in the org that resets a field each time, is detected by its chain: each
action is followed by a change of the same thing that it wrote, which leads to the next action.
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
# The times of causes come from two clocks, in whole seconds, and a poll may see one of them later.
_SLACK = timedelta(seconds=30)


def decisions_of(recent: Sequence[Done]) -> list[Done]:
    """The newest part of each decision: one on several records or incidents counts once."""
    found: dict[str, Done] = {}
    for done in recent:
        found.setdefault(done.id.partition("-")[0], done)
    return [*found.values()]


def is_crowd(recent: Sequence[Done], limit: int) -> bool:
    """Whether the limit is reached by actions whose causes also happened within a minute.

    Args:
        recent: the actions delivered on a link within a minute, newest first.
        limit: ``loop_limit``.
    """
    newest = [done.event_at for done in recent[:limit]]
    return len(newest) >= limit and max(newest) - min(newest) <= _MINUTE + _SLACK


def depth_of(event: Event, recent: Iterable[Done], specs: Specs) -> int:
    """The length of the chain that ends with an action decided on this event.

    Args:
        event: the change; never an echo.
        recent: the actions delivered on its link within ``ANSWER_WINDOW``.
        specs: the catalog.
    """
    causes = (done.depth for done in recent if _is_answer(event, done, specs))
    return 1 + max(causes, default=0)


def _is_answer(event: Event, done: Done, specs: Specs) -> bool:
    spec = specs.get(done.do)
    if spec is None:
        return False  # from a version with more actions
    if event.record_id is not None:
        is_there = done.record_id is not None and is_same_record_id(done.record_id, event.record_id)
        field = spec.field_in(done.args)
        is_that = field is not None and field.lower() in {name.lower() for name in event.changed}
        return is_there and is_that
    is_there = done.incident_id is not None and done.incident_id == event.incident_id
    return is_there and event.type in spec.answered_by
