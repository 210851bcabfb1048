"""Pure: what the rules require of a linked pair in its current state, for the command ``drift``.

The rules are tried on one artificial event per side: as if the incident had just reached its
current status, and as if every field of the record had just got its current value. Only actions
that set a state on the other side count: a field, a status, a priority. Pages, notes and comments
belong to a moment and are never repeated.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.model.action import ActionSpec
from pagerforce.model.event import Event
from pagerforce.model.ids import EventId, Side
from pagerforce.model.incident import Incident, IncidentStatus
from pagerforce.model.link import Link
from pagerforce.model.outbox import NewAction
from pagerforce.model.record import Record
from pagerforce.pipeline.ruling import Judge, Ruled, World
from pagerforce.rules.inspection import is_template
from pagerforce.rules.template import roots_of, texts_of

_EVENTS = {
    IncidentStatus.TRIGGERED: ("trigger", None),
    IncidentStatus.ACKNOWLEDGED: ("acknowledge", IncidentStatus.TRIGGERED),
    IncidentStatus.RESOLVED: ("resolve", IncidentStatus.ACKNOWLEDGED),
}
_OF_MOMENT = {"event", "comment", "old"}


class Pair(Struct, frozen=True):
    """A link with the current state of both sides. ``record.changed_at`` is the snapshot's.

    ``skew``: how far Salesforce's clock is ahead of PagerDuty's.
    """

    link: Link
    incident: Incident
    record: Record
    skew: timedelta = timedelta(0)


class WantedState(Struct, frozen=True):
    """A state that a rule requires on the side that did not change last. ``spec``: the action's."""

    pair: Pair
    ruled: Ruled
    action: NewAction
    spec: ActionSpec


def wanted_states(pair: Pair, judge: Judge, now: datetime) -> list[WantedState]:
    """The states that rules require on either side; the caller checks whether they are met."""
    found = []
    specs = judge.settings.specs
    for event in (_incident_event(pair, now), _record_event(pair, now)):
        if event is None:
            continue
        world = World({pair.incident.id: pair.incident}, {pair.record.id: pair.record}, [pair.link])
        ruled = judge.rule(event, world, now)
        found += [
            WantedState(pair, ruled, action, spec)
            for action, spec in ((action, specs[action.do]) for action in ruled.actions)
            if spec.sets is not None
            and spec.side is not event.source
            and action.args is not None
            and action.object == pair.link.object
            and not _speaks_of_moment(action)
            and not _is_outdated(pair, event, spec.field_in(action.args))
        ]
    return found


def only(ruled: Ruled, actions: Sequence[NewAction]) -> Ruled:
    """The same event with these of its actions."""
    return replace(ruled, actions=list(actions))


def _incident_event(pair: Pair, now: datetime) -> Event | None:
    incident = pair.incident
    if incident.status is None:
        return None
    kind, before = _EVENTS[incident.status]
    return Event(
        id=_event_id(pair, now, Side.PAGERDUTY),
        source=Side.PAGERDUTY,
        type=kind,
        at=_status_at(incident) or now,
        incident_id=incident.id,
        incident=incident,
        old_incident=None if before is None else replace(incident, status=before),
        changed=frozenset() if before is None else frozenset({"status"}),
    )


def _record_event(pair: Pair, now: datetime) -> Event | None:
    record = pair.record
    if record.is_deleted:
        return None
    return Event(
        id=_event_id(pair, now, Side.SALESFORCE),
        source=Side.SALESFORCE,
        type="update",
        at=record.modified_at,
        object=record.object,
        record_id=record.id,
        record=record.fields,
        old_record=dict.fromkeys(record.fields),
        changed=frozenset(record.fields),
    )


def _event_id(pair: Pair, now: datetime, side: Side) -> EventId:
    """The id of an event of this comparison: a repaired pair may drift again."""
    stamp = f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"
    return EventId(f"drift:{pair.incident.id}:{pair.record.id}:{stamp}:{side.value}")


def _speaks_of_moment(action: NewAction) -> bool:
    """Whether its arguments name the person or the text of an event: an artificial one has none."""
    texts = (text for text in texts_of(action.written) if is_template(text))
    return any(roots_of(text) & _OF_MOMENT for text in texts)


def _is_outdated(pair: Pair, event: Event, field: str | None) -> bool:
    """Whether the side to write changed later than the side that requires it.

    ``field``: the record's field to write; None: the incident is written.
    """
    if field is not None:
        changed_at = pair.record.changed_at.get(field)
        return changed_at is not None and changed_at >= event.at + pair.skew
    status_at = _status_at(pair.incident)
    changed_at = max(pair.record.changed_at.values(), default=pair.record.modified_at)
    return status_at is not None and status_at + pair.skew >= changed_at


def _status_at(incident: Incident) -> datetime | None:
    return incident.status_changed_at or incident.created_at
