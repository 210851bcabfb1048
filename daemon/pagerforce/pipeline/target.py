"""The targets of an action, resolved just before it is delivered.

docs/reference/rules.md, "Actions": later actions of an event see the link that an earlier
one created, so the current links count, not those at the time of the decision.
"""

from datetime import timedelta

from msgspec import Struct

from pagerforce.model.action import ActionSpec, TargetKind
from pagerforce.model.event import Event
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident
from pagerforce.model.link import Link, LinkState
from pagerforce.model.outbox import Action
from pagerforce.store import links, snapshots
from pagerforce.store.database import Transaction

_CLOCK_DOUBT = timedelta(seconds=2)
NOTHING_LINKED = "nothing linked"


class Targets(Struct, frozen=True):
    """The incidents or records to act on; none: ``reason`` says why it is skipped."""

    ids: tuple[str, ...]
    reason: str = ""


class Pairs(Struct, frozen=True):
    """The links that an action may use, with the last known state of their incidents.

    Attributes:
        late_merges: linked records that belonged to an incident which was merged into this one after
            the event. A merge usually closes them, so they do not replace a record of its own.
    """

    links: tuple[Link, ...]
    incidents: dict[str, Incident]
    late_merges: frozenset[str] = frozenset()


async def find_pairs(tx: Transaction, action: Action, spec: ActionSpec, event: Event) -> Pairs:
    """The links of the event's subject that this action may use, oldest first."""
    subject = event.incident_id or event.record_id
    found = await links.links_of(tx, [subject]) if subject else []
    found = found or await _moved_links(tx, spec, event)
    # A deletion makes links inactive; and a record that somebody deleted is not created again.
    if event.type != "delete" and spec.target is not TargetKind.NEW_RECORD:
        found = [link for link in found if link.state is not LinkState.INACTIVE]
    if action.is_copy:
        found = [link for link in found if _is_after(event, link)]
    incidents = await snapshots.read_incidents(tx, {link.incident_id for link in found})
    late = await _late_merges(tx, spec, event, found)
    return Pairs(tuple(found), {key: item for key, (item, _) in incidents.items()}, late)


async def _moved_links(tx: Transaction, spec: ActionSpec, event: Event) -> list[Link]:
    """The former links of a merged incident, for events up to the merge, and vice versa.

    A page for a merged record is for the surviving record, which may have an incident.
    """
    if event.record_id is not None:
        record = await snapshots.find_record(tx, event.record_id)
        if record is None or record.merged_into is None:
            return []
        if spec.target is TargetKind.NEW_INCIDENT:
            return await links.links_of(tx, [await links.master_of(tx, record.id)])
        return await links.links_merged_away(tx, record.id)
    if event.incident_id is None:
        return []
    incident = await snapshots.find_incident(tx, event.incident_id)
    is_before = incident is not None and incident.was_merged_after(event.at)
    return await links.moved_links(tx, event.incident_id) if is_before else []


async def _late_merges(
    tx: Transaction, spec: ActionSpec, event: Event, found: list[Link]
) -> frozenset[str]:
    """The linked records that a merge after the event brought to its incident."""
    if spec.target is not TargetKind.NEW_RECORD or event.source is not Side.PAGERDUTY:
        return frozenset()
    sources = await links.merged_incidents(tx, {link.record_id for link in found})
    incidents = await snapshots.read_incidents(tx, set().union(*sources.values()))
    late = {key for key, (incident, _) in incidents.items() if incident.was_merged_after(event.at)}
    # An incident's own records stay its own when it is merged itself, once or several times.
    others = {key: some for key, some in sources.items() if event.incident_id not in some}
    return frozenset(key for key, some in others.items() if some & late)


def _is_after(event: Event, link: Link) -> bool:
    """Whether a comment was written after the link, by the clock of its own side.

    Both times are in whole seconds, and so is the known difference between the two clocks.
    """
    linked_at = link.record_at if event.source is Side.SALESFORCE else link.created_at
    return event.at >= linked_at - _CLOCK_DOUBT


def choose(action: Action, spec: ActionSpec, event: Event, pairs: Pairs) -> Targets:
    """Pure: the targets of an action among the current links."""
    kind = spec.target
    if kind is TargetKind.NEW_INCIDENT:
        return _new_incident(action, event, pairs)
    if kind is TargetKind.NEW_RECORD:
        return _new_record(action, event, pairs)
    if kind is TargetKind.RECORD:
        return _records(action, event, pairs)
    return _incidents(event, pairs, should_be_open=kind is TargetKind.INCIDENT)


def _new_incident(action: Action, event: Event, pairs: Pairs) -> Targets:
    if event.source is Side.PAGERDUTY:
        return Targets((), "the event is an incident's own: there is nothing to create")
    mode = action.written.get("unless_linked", "any")
    known = [link.incident_id for link in pairs.links]
    if mode == "open":
        known = [key for key in known if _is_open(pairs, key)]
    if known:
        return Targets((), f"already linked to incident {known[0]}")
    return Targets((str(event.record_id),))


def _new_record(action: Action, event: Event, pairs: Pairs) -> Targets:
    name = action.written.get("object") or action.object
    if event.source is Side.PAGERDUTY:
        own = [link for link in pairs.links if link.record_id not in pairs.late_merges]
        known = [link.record_id for link in own if link.object == name]
        return (
            Targets((), f"already linked to record {known[0]}")
            if known
            else Targets((str(event.incident_id),))
        )
    if name == event.object:
        return Targets((), "the event is a record's own: there is nothing to create")
    incidents = tuple(dict.fromkeys(link.incident_id for link in pairs.links))
    return Targets(incidents, "" if incidents else NOTHING_LINKED)


def _records(action: Action, event: Event, pairs: Pairs) -> Targets:
    if event.source is Side.SALESFORCE:
        return Targets((str(event.record_id),))
    found = tuple(link.record_id for link in pairs.links if link.object == action.object)
    return Targets(found, "" if found else NOTHING_LINKED)


def _incidents(event: Event, pairs: Pairs, *, should_be_open: bool) -> Targets:
    if event.source is Side.PAGERDUTY:
        return Targets((str(event.incident_id),))
    found = tuple(dict.fromkeys(link.incident_id for link in pairs.links))
    if not found:
        return Targets((), NOTHING_LINKED)
    if should_be_open:
        found = tuple(key for key in found if _is_open(pairs, key))
    return Targets(found, "" if found else "the linked incident is resolved")


def _is_open(pairs: Pairs, incident_id: str) -> bool:
    """Whether it is open. Without a snapshot it counts as open: the handler reads it first."""
    incident = pairs.incidents.get(incident_id)
    return incident is None or incident.is_open
