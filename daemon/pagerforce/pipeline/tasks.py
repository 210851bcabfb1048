"""Builds the task for a handler: its incident and record, and what is known about them."""

from datetime import datetime

from pagerforce.model.action import ActionSpec, Rival, TargetKind, Task
from pagerforce.model.durations import LATEST_ENTRY
from pagerforce.model.event import Event
from pagerforce.model.ids import IncidentId, RecordId, Side
from pagerforce.model.outbox import Action
from pagerforce.pipeline.target import Pairs
from pagerforce.store import attempts, links, own_writes, snapshots
from pagerforce.store.database import Transaction


def sides_of(
    spec: ActionSpec, target: str, event: Event, pairs: Pairs, object_name: str
) -> tuple[IncidentId | None, RecordId | None]:
    """The incident and the record of an action, given its target."""
    if spec.side is Side.PAGERDUTY and spec.target is not TargetKind.NEW_INCIDENT:
        record = event.record_id or next(
            (link.record_id for link in pairs.links if link.object == object_name), None
        )
        return IncidentId(target), record
    if spec.target is TargetKind.NEW_INCIDENT:
        return None, event.record_id
    if spec.target is TargetKind.NEW_RECORD:
        return IncidentId(target), event.record_id
    incident = event.incident_id or next((link.incident_id for link in pairs.links), None)
    return incident, RecordId(target)


async def build_task(
    tx: Transaction,
    actions: tuple[Action, ...],
    spec: ActionSpec,
    event: Event,
    sides: tuple[IncidentId | None, RecordId | None],
    now: datetime,
) -> Task:
    """What a handler needs to know, read from the store. ``sides``: what ``sides_of`` found."""
    head = actions[0]
    incident_id, record_id = sides
    is_salesforces = spec.side is Side.SALESFORCE
    tried = await attempts.tried_incidents(tx, head) if head.is_uncertain else ()
    elsewhere = () if is_salesforces else tuple(key for key in tried if key != incident_id)
    parents = [record_id if is_salesforces else incident_id, *elsewhere]
    known = [await own_writes.own_ids(tx, parent, but_of=head.id) for parent in parents if parent]
    rivals: tuple[Rival, ...] = ()
    if head.is_uncertain and spec.target is TargetKind.NEW_RECORD:
        known.append(await _linked(tx, head, event))
        rivals = await attempts.rivals_of(tx, head)
    return Task(
        key=head.id,
        ids=tuple(action.id for action in actions),
        do=head.do,
        calls=tuple(action.args or {} for action in actions),
        event_id=event.id,
        event_source=event.source,
        event_type=event.type,
        event_at=event.at,
        event_place=event.place,
        actor=event.actor,
        object=head.object,
        incident_id=incident_id,
        record_id=record_id,
        incident=await snapshots.find_incident(tx, incident_id) if incident_id else None,
        record=await snapshots.find_record(tx, record_id) if record_id else None,
        event_record=event.record,
        comment=event.comment if head.is_copy else None,
        attempt=head.attempts + 1,
        is_uncertain=head.is_uncertain,
        first_attempt_at=head.first_attempt_at,
        now=now,
        known_ids=frozenset[str]().union(*known),
        seen_before=await _seen_before(tx, head, spec, record_id),
        tried_elsewhere=elsewhere,
        doubt_since=head.doubt_since if head.is_uncertain else None,
        tried=await attempts.tried(tx, head.id) if head.is_uncertain else (),
        rivals=rivals,
    )


async def _seen_before(
    tx: Transaction, head: Action, spec: ActionSpec, record_id: RecordId | None
) -> frozenset[str]:
    """Rows that no attempt of this action created: polls saw them before. Not after a restore."""
    began = head.first_attempt_at
    if not head.is_uncertain or spec.side is not Side.SALESFORCE or head.doubt_since:
        return frozenset()
    seq = await attempts.read_before(tx, head)
    if seq is None or began is None:
        return frozenset()
    if spec.target is TargetKind.NEW_RECORD:
        name = str((head.args or {}).get("object") or head.object)
        return await own_writes.records_seen_before(tx, name, seq)
    if record_id is None:
        return frozenset()
    return await own_writes.comments_seen_before(tx, record_id, seq, began)


async def _linked(tx: Transaction, head: Action, event: Event) -> frozenset[str]:
    """Records that are linked already: this action created none of them."""
    name = str((head.args or {}).get("object") or head.object)
    since = min(filter(None, (event.at, head.doubt_since, head.first_attempt_at)))
    return await links.linked_since(tx, name, since - LATEST_ENTRY)
