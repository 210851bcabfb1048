"""Applies the outcome of an attempt to the outbox, the snapshots and the links."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.diff.record import blank
from pagerforce.model.action import Task
from pagerforce.model.durations import LONGEST_WAIT
from pagerforce.model.ids import Side
from pagerforce.model.outbox import DOUBT, Action, ActionState, Settlement
from pagerforce.model.record import Record
from pagerforce.model.sequence import written_at
from pagerforce.model.verdict import (
    CommentMade,
    Delivered,
    Effect,
    EntryCaused,
    FieldsStand,
    FieldsWritten,
    HaltSide,
    IncidentMade,
    NotCaused,
    NoteMade,
    RecordMade,
    Rejected,
    RetryLater,
    Skipped,
    Unknown,
    Verdict,
)
from pagerforce.own_writes.life import fate_of
from pagerforce.store import links, own_writes, snapshots
from pagerforce.store.database import Transaction
from pagerforce.store.links import LinkTime


class RetryPolicy(Struct, frozen=True):
    """When a failed attempt is repeated and when it is given up.

    ``backoff_seconds``: the wait after this number of attempts, at least one.
    """

    retry_for: timedelta
    backoff_seconds: Callable[[int], float]


def bounded_wait(seconds: float) -> timedelta:
    """A wait of this many seconds, at most ``LONGEST_WAIT``, whatever a remote side asks for."""
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))


def settlement_of(
    verdict: Verdict, action: Action, policy: RetryPolicy, now: datetime
) -> Settlement:
    """The settlement for a verdict. Pure except for the policy's jitter."""
    match verdict:
        case Delivered(detail=detail):
            return Settlement(ActionState.DELIVERED, "delivered", detail)
        case Skipped(reason=reason):
            return Settlement(ActionState.SKIPPED, "skipped", reason)
        case Rejected(reason=reason, is_doubt=is_doubt):
            word = DOUBT if is_doubt else "rejected"
            return Settlement(ActionState.DEAD_LETTER, word, reason)
        case HaltSide(reason=reason, after_seconds=after):
            # Nothing was done and the action is fine: it waits with its whole side.
            return Settlement(
                ActionState.PENDING,
                "halted",
                reason,
                now + bounded_wait(after or 0),
                is_uncertain=action.is_uncertain,
            )
        case RetryLater() | Unknown():
            return _repeated(verdict, action, policy, now)


def _repeated(
    verdict: RetryLater | Unknown, action: Action, policy: RetryPolicy, now: datetime
) -> Settlement:
    is_unknown = isinstance(verdict, Unknown)
    word = "unknown" if is_unknown else "retry"
    reason = verdict.reason
    if isinstance(verdict, RetryLater) and verdict.detail:
        reason = f"{reason}: {verdict.detail}"
    began = action.retried_at or action.first_attempt_at or now
    if now - began >= policy.retry_for:
        tried = f"gave up after {action.attempts + 1} attempts: {reason}"
        return Settlement(ActionState.DEAD_LETTER, word, f"{tried}; retry it once that is fixed")
    seconds = policy.backoff_seconds(action.attempts + 1)
    if isinstance(verdict, RetryLater) and verdict.after_seconds is not None:
        seconds = max(seconds, verdict.after_seconds)
    return Settlement(
        ActionState.PENDING,
        word,
        reason,
        now + bounded_wait(seconds),
        is_uncertain=is_unknown or action.is_uncertain,
        is_answered=isinstance(verdict, Unknown) and verdict.is_answered,
    )


async def store_effects(
    tx: Transaction, task: Task, action: Action, verdict: Verdict, skew: timedelta
) -> None:
    """Updates snapshots, links and own ids with the effects of an attempt.

    ``skew``: how far Salesforce's clock is ahead of PagerDuty's.
    """
    for effect in verdict.effects if isinstance(verdict, Delivered | Skipped) else ():
        await _store_effect(tx, task, action, effect, skew)
    fate = fate_of(verdict, is_uncertain=action.is_uncertain)
    await own_writes.drop(tx, action.id, fate.dropped)
    if fate.is_disowned and task.incident_id is not None:
        await own_writes.disown(tx, action.id, task.incident_id)


def _written_at(task: Task, names: Iterable[str]) -> dict[str, datetime]:
    """Times of written fields, so that an older event, seen late, overwrites no newer write."""
    if task.event_source is Side.SALESFORCE:
        return {}
    return dict.fromkeys(names, written_at(task.event_at, task.event_place))


async def _store_made(tx: Transaction, task: Task, made: RecordMade, skew: timedelta) -> None:
    """Stores an own record and its link; inactive if it was deleted before it was read back."""
    record = made.record
    if await snapshots.find_record(tx, record.id) is None:
        await _store_first(tx, made)  # otherwise a poll has reported the changes of others
    if task.incident_id is None:
        return
    at = LinkTime.seen(Side.SALESFORCE, record.created_at, skew)
    await links.put_link(tx, task.incident_id, record.object, record.id, at)
    if record.is_deleted:
        await links.set_links_active(tx, record.id, active=False)


async def _store_first(tx: Transaction, made: RecordMade) -> None:
    """Stores the first snapshot of an own record, without the changes of others."""
    record = made.record
    if record.was_edited and record.created_by.id and not record.is_deleted:
        # The next poll reports what somebody did to it before it was read back.
        await snapshots.put_records(tx, [blank(record, made.given)])
        await snapshots.add_rechecks(tx, [record])
    else:
        await snapshots.put_records(tx, [record])


async def _store_fields(
    tx: Transaction, task: Task, action: Action, effect: FieldsWritten | FieldsStand
) -> None:
    known = await snapshots.find_record(tx, effect.record_id)
    if known is None:
        return
    if isinstance(effect, FieldsWritten):
        after = _written(known, task, effect)
        await own_writes.supersede(tx, effect.record_id, effect.fields, by=action.id)
    else:
        after = _standing(known, task, effect)
    await snapshots.put_records(tx, [after])


def _written(known: Record, task: Task, effect: FieldsWritten) -> Record:
    others = {k: at for k, at in known.changed_at.items() if k not in effect.fields}
    return replace(
        known,
        fields={**known.fields, **effect.fields},
        changed_at=others | _written_at(task, effect.fields),
        modified_at=effect.modified_at or known.modified_at,
    )


def _standing(known: Record, task: Task, effect: FieldsStand) -> Record:
    """Updates only the times, not the values: it is not known yet who set them."""
    mine = _written_at(task, effect.names).items()
    newer = {name: max(at, known.changed_at.get(name, at)) for name, at in mine}
    return replace(known, changed_at={**known.changed_at, **newer})


async def _store_effect(
    tx: Transaction, task: Task, action: Action, effect: Effect, skew: timedelta
) -> None:
    match effect:
        case IncidentMade(incident=incident):
            if await snapshots.find_incident(tx, incident.id) is None:
                await snapshots.put_incidents(tx, [(incident, None)])
            await own_writes.know_incident(tx, action.id, incident.id)
            if task.record_id is not None:
                at = LinkTime.seen(Side.PAGERDUTY, incident.created_at or task.now, skew)
                await links.put_link(tx, incident.id, task.object, task.record_id, at)
        case RecordMade():
            await _store_made(tx, task, effect, skew)
        case FieldsWritten() | FieldsStand():
            await _store_fields(tx, task, action, effect)
        case CommentMade():
            await own_writes.put_own_comment(tx, effect, action.id, task.now)
        case NoteMade(incident_id=incident_id, id=note_id):
            await own_writes.put_own_note(tx, incident_id, note_id, action.id)
        case EntryCaused() | NotCaused():
            await _store_entries(tx, task, action, effect)


async def _store_entries(
    tx: Transaction, task: Task, action: Action, effect: EntryCaused | NotCaused
) -> None:
    """Updates expectations: the attempt causes more entries than announced, or fewer."""
    if isinstance(effect, NotCaused):
        await own_writes.expect_less(tx, action.id, effect.expected)
    # A faster poll has treated the entry as a change by a person with the same account. Expected
    # now, it would make the next such change count as an own one.
    elif not await own_writes.is_known_as_theirs(tx, effect.expected, effect.after):
        await own_writes.expect_also(tx, action.id, [effect.expected], task.now)
