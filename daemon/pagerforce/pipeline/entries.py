"""Pure: PagerDuty's log entries and reconciled incidents -> events with the rules' decisions."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.diff.acts import TRIGGER
from pagerforce.diff.fold import (
    Folded,
    Held,
    as_of_trigger,
    changed_fields,
    contradicted_fields,
    find_reopening,
    find_unlogged,
    fold,
    learned,
    still_true,
)
from pagerforce.model.durations import OVERLAP
from pagerforce.model.event import CommentText, Event
from pagerforce.model.expectation import EntryExpected
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side, event_id_of
from pagerforce.model.incident import Incident, LogEntry, Person
from pagerforce.model.link import Link, LinkState
from pagerforce.model.sequence import LAST, OVERTAKEN
from pagerforce.model.value import format_whole_second
from pagerforce.own_writes.forgotten import OwnEntries
from pagerforce.own_writes.matching import find_created
from pagerforce.own_writes.waiting import Waiting
from pagerforce.own_writes.whose import (
    Known,
    Ours,
    Theirs,
    Undecided,
    Whose,
    maker,
    whose,
)
from pagerforce.pipeline.ruling import Judge, Ruled, World

SILENT = frozenset({"title", "service"})
"""Fields whose changes leave no entry: another value in the incident is no contradiction."""


class NewLink(Struct, frozen=True):
    """A link to store. ``at`` is in the clock of the side that showed it."""

    incident_id: IncidentId
    object: str
    record_id: RecordId
    at: datetime


class EntryPlan(Struct):
    """The results of one batch of entries, or of one reconcile; stored in one transaction.

    ``late_starts``: triggers that were seen after later entries. ``echoes``: the actions that
    caused entries, by their event. ``undecided``: ids of entries that must be read again.
    ``shown``: by incident, the incident as its last entry shows it. ``contradictions``: fields of
    an incident that were believed although its entries contradict.
    """

    ruled: list[Ruled] = msgspec.field(default_factory=list)
    held: dict[IncidentId, Held] = msgspec.field(default_factory=dict)
    new_links: list[NewLink] = msgspec.field(default_factory=list)
    merges: list[tuple[IncidentId, IncidentId]] = msgspec.field(default_factory=list)
    late_starts: list[Event] = msgspec.field(default_factory=list)
    echoes: dict[EventId, str] = msgspec.field(default_factory=dict)
    undecided: set[str] = msgspec.field(default_factory=set)
    shown: dict[IncidentId, Incident] = msgspec.field(default_factory=dict)
    contradictions: list[tuple[IncidentId, str]] = msgspec.field(default_factory=list)


class Fresh(Struct, frozen=True):
    """New entries, with information from the known ones that were read with them.

    Attributes:
        entries: from ``diff.acts.gather``.
        overtaken: new entries that the log lists before a known one of the same second.
        echoes: known events that an action caused, with that action.
    """

    entries: Sequence[LogEntry]
    overtaken: frozenset[str] = frozenset()
    echoes: Mapping[EventId, str] = msgspec.field(default_factory=dict)


def plan_entries(
    fresh: Fresh,
    held: Mapping[IncidentId, Held],
    world: World,
    known: Known,
    judge: Judge,
    now: datetime,
) -> EntryPlan:
    """Events of new entries, in order; the plan holds the snapshots after them.

    ``held``: the snapshots before. ``world`` is updated with each event.
    """
    plan = EntryPlan(held=dict(held), echoes=dict(fresh.echoes))
    known = replace(known, echoes=plan.echoes)
    for number, read in enumerate(fresh.entries):
        entry = read
        if read.type == TRIGGER and read.incident_id and _is_new(plan.held.get(read.incident_id)):
            later = (x for x in fresh.entries[number:] if x.incident_id == read.incident_id)
            entry = as_of_trigger(read, later)
        doer = whose(entry, known)
        if isinstance(doer, Undecided):
            plan.undecided.add(entry.id)
        elif entry.incident_id is None:
            plan.ruled.append(Ruled(_bare_event(entry), ()))
        else:
            if isinstance(doer, Ours):
                known.waiting.use(doer.item)
            is_overtaken = entry.id in fresh.overtaken
            seen = _Seen(entry, entry.incident_id, read.current, doer, is_overtaken)
            _plan_entry(seen, plan, world, known, judge, now)
    return plan


class _Seen(Struct, frozen=True):
    """An entry and whose change it is.

    ``shown``: the incident that was read with it. ``is_overtaken``: it is before a known one.
    """

    entry: LogEntry
    incident_id: IncidentId
    shown: Incident | None
    whose: Whose
    is_overtaken: bool


def _plan_entry(
    seen: _Seen, plan: EntryPlan, world: World, known: Known, judge: Judge, now: datetime
) -> None:
    """Applies an entry to its incident's snapshot and evaluates rules on it if it is theirs."""
    entry, doer = seen.entry, seen.whose
    before = plan.held.get(seen.incident_id)
    is_our_end = isinstance(doer, Ours) and entry.type == "resolve"
    meant = _as_meant(entry, doer)
    opened = None if is_our_end else find_reopening(before, meant, is_overtaken=seen.is_overtaken)
    is_doubtful = opened is not None and isinstance(doer, Ours) and not _is_settled(doer, entry)
    state = before if opened is None else Held(opened)
    folded = fold(state, meant, is_overtaken=seen.is_overtaken)
    kept = before if is_doubtful and before else _kept(state, folded, entry)
    plan.held[seen.incident_id] = kept
    if seen.shown is not None:
        plan.shown[seen.incident_id] = seen.shown
    world.incidents[seen.incident_id] = kept.incident
    _link_ours(entry.current, entry.at, plan, world, known.waiting, made_by=maker(entry))
    _link_forgotten(entry, plan, world, known.entries)
    if before is not None and opened is not None and not is_doubtful:
        plan.ruled.append(judge.rule(_reopening(entry, before.incident, opened), world, now))
    event = _event(entry, folded.type, folded.before, folded.after)
    if seen.is_overtaken:
        event = replace(event, place=OVERTAKEN)
    if not isinstance(doer, Theirs | Undecided):
        plan.echoes[event.id] = doer.echo_of
        plan.ruled.append(Ruled(event, (seen.incident_id,), echo_of=doer.echo_of))
        return
    plan.ruled.append(judge.rule(event, world, now))
    if folded.is_late_start:
        plan.late_starts.append(event)
    if folded.type == "merge" and folded.after.merged_into:
        plan.merges.append((seen.incident_id, folded.after.merged_into))


def _is_new(held: Held | None) -> bool:
    """Whether no entry of an incident has been seen yet."""
    return held is None or held.entry_at is None


def _is_settled(ours: Ours, entry: LogEntry) -> bool:
    """Whether an own acknowledge is known to have opened nothing that must be closed again.

    It may have crossed a resolve, and this is not known before the attempt is settled. Until then
    the snapshot stays resolved. If the incident is open after all, the reconcile finds it.
    """
    return ours.item.is_done and entry.current is not None and entry.current.is_open


def _as_meant(entry: LogEntry, doer: Whose) -> LogEntry:
    """The entry as it is folded: an assignment caused by an own acknowledge does not end it.

    If it does end it, another own acknowledge follows (pagerduty/actions/acknowledge.py).
    """
    what = doer.item.what if isinstance(doer, Ours) else None
    if not isinstance(what, EntryExpected) or not what.keeps_status:
        return entry
    return replace(entry, agent_type="service", channel="auto")


def _link_ours(
    incident: Incident | None,
    seen_at: datetime,
    plan: EntryPlan,
    world: World,
    waiting: Waiting,
    *,
    made_by: str | None = None,
) -> None:
    """Links an incident with an own incident key as soon as anything of it is seen.

    The answer to its creation may be lost and its trigger entry late. Meanwhile the changes that
    people make to it must reach the record.
    """
    index = find_created(incident, [item.what for item in waiting.expected], made_by)
    cause = None if index is None else waiting.causes.get(waiting.expected[index].action_id)
    if incident is not None and cause is not None and cause.record_id is not None:
        at = incident.created_at or seen_at
        _link(NewLink(incident.id, cause.object, cause.record_id, at), plan, world)


def _link_forgotten(entry: LogEntry, plan: EntryPlan, world: World, own: OwnEntries) -> None:
    """Links an incident of a forgotten own page; its key names the record."""
    key = own.find_key(entry)
    if key is not None and entry.incident_id is not None:
        at = (entry.current.created_at if entry.current else None) or entry.at
        _link(NewLink(entry.incident_id, key.object, key.record_id, at), plan, world)


def _link(link: NewLink, plan: EntryPlan, world: World) -> None:
    made = Link(link.incident_id, link.object, link.record_id, LinkState.ACTIVE, link.at, link.at)
    if world.add_link(made):
        plan.new_links.append(link)


def _bare_event(entry: LogEntry) -> Event:
    return Event(
        event_id_of(entry.id), Side.PAGERDUTY, entry.type, entry.at, entry.agent, note=entry.note
    )


def _event(entry: LogEntry, kind: str, before: Incident | None, after: Incident) -> Event:
    author = entry.agent.name or entry.agent.email or entry.agent.id or "PagerDuty"
    is_note = entry.type == "annotate" and entry.note is not None
    return Event(
        id=event_id_of(entry.id),
        source=Side.PAGERDUTY,
        type=kind,
        at=entry.at,
        actor=entry.agent,
        note=entry.note,
        incident_id=after.id,
        incident=after,
        old_incident=before,
        changed=changed_fields(before, after),
        comment=CommentText(entry.note or "", author, entry.at) if is_note else None,
        place=entry.place,
        message=entry.message,
        subject=entry.subject,
    )


def _reopening(entry: LogEntry, before: Incident, after: Incident) -> Event:
    return Event(
        id=EventId(f"{event_id_of(entry.id)}:reopen"),
        source=Side.PAGERDUTY,
        type="reopen",
        at=after.status_changed_at or entry.at,
        incident_id=after.id,
        incident=after,
        old_incident=before,
        changed=changed_fields(before, after),
        place=LAST,
    )


def _kept(before: Held | None, folded: Folded, entry: LogEntry) -> Held:
    """The snapshot after an entry; of a late one, only changes that the incident still shows."""
    kept, shown = folded.held, entry.current
    if kept is not before or entry.type == TRIGGER or shown is None:
        return kept
    return replace(kept, incident=still_true(kept.incident, folded.after, shown))


class Comparison(Struct, frozen=True):
    """How incidents were compared.

    Attributes:
        server_now: when, by PagerDuty's clock.
        skew: how far Salesforce's clock is ahead of PagerDuty's.
        believed: fields of an incident that are accepted even if its entries contradict.
    """

    server_now: datetime
    skew: timedelta = timedelta(0)
    believed: Mapping[IncidentId, Collection[str]] = msgspec.field(default_factory=dict)


def plan_comparison(
    held: Mapping[IncidentId, Held],
    seen: Sequence[Incident],
    world: World,
    waiting: Waiting,
    judge: Judge,
    comparison: Comparison,
) -> EntryPlan:
    """Events of incidents that changed without a log entry.

    An incident without a snapshot is left to its trigger entry for ``RECONCILE_GRACE``. After that
    its entry must be before the window, and the incident is stored as it is, without an event.
    """
    plan, server_now = EntryPlan(), comparison.server_now
    for incident in seen:
        _link_ours(incident, server_now, plan, world, waiting)
        known = held.get(incident.id)
        if known is None:
            if incident.created_at and server_now - incident.created_at >= OVERLAP:
                plan.held[incident.id] = Held(incident)
            continue
        met, known = known, replace(known, incident=learned(known.incident, incident))
        unlogged = find_unlogged(
            known,
            incident,
            server_now=server_now,
            grace=OVERLAP,
            believed=comparison.believed.get(incident.id, ()),
        )
        if unlogged is None:
            if known != met:
                plan.held[incident.id] = known
            continue
        kind, after = unlogged
        if kind == "update":
            told = contradicted_fields(known.incident, after) - SILENT
            plan.contradictions += [(incident.id, name) for name in sorted(told)]
        plan.held[incident.id] = Held(after)
        world.incidents[incident.id] = after
        at = after.updated_at or after.status_changed_at or server_now
        plan.ruled.append(
            judge.rule(_unlogged_event(kind, known.incident, after, at), world, server_now)
        )
        if kind == "merge" and after.merged_into:
            plan.merges.append((incident.id, after.merged_into))
    return plan


def _unlogged_event(kind: str, before: Incident, after: Incident, at: datetime) -> Event:
    changed = changed_fields(before, after)
    # The names of the changed fields distinguish two changes of one second.
    stamp = f"{format_whole_second(at)}:{kind}:{'+'.join(sorted(changed))}"
    return Event(
        id=EventId(f"pd:{after.id}:{stamp}"),
        source=Side.PAGERDUTY,
        type=kind,
        at=at,
        actor=Person(),
        incident_id=after.id,
        incident=after,
        old_incident=before,
        changed=changed,
        place=LAST,
    )
