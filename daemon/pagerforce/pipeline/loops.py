"""Pauses a lane whose rules seem to form a loop. Detection: ``causality.py``."""

from datetime import datetime, timedelta

from pagerforce.model.outbox import Action, Done
from pagerforce.model.value import Json, format_instant
from pagerforce.observe.log import get_log
from pagerforce.pipeline.causality import ANSWER_WINDOW, decisions_of, is_crowd
from pagerforce.pipeline.settings import DeliveryLimits
from pagerforce.store import outbox, pauses
from pagerforce.store.database import Transaction

_LOG = get_log("deliver")
_MOST_PARTS = 25  # records of one incident that the loop detection takes into account
_LOOP_WINDOW = timedelta(minutes=1)


async def pause_if_looping(
    tx: Transaction, head: Action, limits: DeliveryLimits, now: datetime
) -> bool:
    """Pauses the lane if its rules seem to form a loop; whether it did.

    Actions that led to a pause that is over do not lead to the next one.
    """
    limit = limits.loop_limit
    ended_at = await pauses.last_end(tx, head.lane, now)
    since = max(filter(None, (now - _LOOP_WINDOW, ended_at)))
    recent = await outbox.recent(tx, head.lane, since, now, limit=limit * _MOST_PARTS)
    recent = decisions_of(recent)
    is_new = ended_at is None or head.created_at > ended_at
    if is_crowd(recent, limit):
        reason = f"{len(recent)} actions within a minute"
    elif head.depth > limit and is_new:
        reason = f"{head.depth} actions, each answered by a change of what it wrote"
        recent = await outbox.recent(tx, head.lane, now - ANSWER_WINDOW, now, limit=limit)
    else:
        return False
    until = now + limits.loop_pause
    reason += ": is there a loop between the rules, or with an automation?"
    evidence = [_evidence(done) for done in recent]
    await pauses.begin(tx, head.lane, now, until, reason=reason, evidence=evidence)
    rules = sorted({f"{done.ruleset} / {done.rule}" for done in recent})
    _LOG.warning(
        "link_paused", lane=head.lane, reason=reason, rules=rules, until=format_instant(until)
    )
    return True


def _evidence(done: Done) -> dict[str, Json]:
    """An action as shown to the operator: never with its texts."""
    return {
        "action_id": done.id,
        "action": done.do,
        "ruleset": done.ruleset,
        "rule": done.rule,
        "at": format_instant(done.finished_at),
        "depth": done.depth,
    }
