"""Pure: PagerDuty's log entries and reconciled incidents -> events with what the rules say."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pagerforce.diff.acts import TRIGGER, is_first_call
from pagerforce.diff.echo import find_created, find_entry, find_page
from pagerforce.diff.fold import (
    Folded,
    Held,
    as_of_trigger,
    changed_fields,
    contradicted_fields,
    find_drift,
    find_reopening,
    fold,
    learned,
    still_true,
)
from pagerforce.model.event import CommentText, Event
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, LogEntry, Person
from pagerforce.model.link import Link, LinkState
from pagerforce.model.sequence import LAST, OVERTAKEN
from pagerforce.model.value import format_whole_second
from pagerforce.model.verdict import KEEPS_STATUS, Expectation
from pagerforce.pipeline.forgotten import OwnEntries
from pagerforce.pipeline.ruling import Judge, Ruled, World
from pagerforce.store.outbox import Cause
from pagerforce.store.restored import FORGOTTEN
from pagerforce.store.traces import Expected

CONSEQUENCE = "(consequence)"
"""Stands for the id of an action: PagerDuty did it by itself beside somebody's act, whose event tells it."""

SILENT = frozenset({"title", "service"})
"""Fields whose changes leave no entry: that the incident shows another value contradicts nothing."""

RECONCILE_GRACE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link to be stored. ``at`` is in the clock of the side that showed it."""

    incident_id: IncidentId
    object: str
    record_id: RecordId
    at: datetime


@dataclass(slots=True)
class EntryPlan:
    """What one batch of entries, or one reconcile, leads to; stored in one transaction.

    ``late_starts``: triggers that were seen after what followed them. ``echoes``: entries that are the
    doing of an action, by their event. ``shown``: by incident, the snapshot that entries led to and the
    incident as their last one shows it. ``contradictions``: fields in which an incident was believed
    although its entries say otherwise.
    """

    ruled: list[Ruled] = field(default_factory=list)
    held: dict[IncidentId, Held] = field(default_factory=dict)
    new_links: list[NewLink] = field(default_factory=list)
    merges: list[tuple[IncidentId, IncidentId]] = field(default_factory=list)
    consumed: list[int] = field(default_factory=list)
    late_starts: list[Event] = field(default_factory=list)
    echoes: dict[EventId, str] = field(default_factory=dict)
    shown: dict[IncidentId, Incident] = field(default_factory=dict)
    contradictions: list[tuple[IncidentId, str]] = field(default_factory=list)


@dataclass(slots=True)
class Hopes:
    """Expectations of our own writes, each good for as many matches as it has left.

    ``causes``: per action its object, the record and the incident its event was about. ``own``: what
    is our own doing though nothing remembers it.
    """

    expected: Sequence[Expected]
    causes: Mapping[str, Cause]
    own: OwnEntries = field(default_factory=OwnEntries)
    used: dict[int, int] = field(default_factory=dict)

    def open(self) -> list[Expected]:
        """Those that still have a match left."""
        return [item for item in self.expected if item.remaining > self.used.get(item.seq, 0)]

    def consume(self, item: Expected) -> None:
        """One match less is left."""
        self.used[item.seq] = self.used.get(item.seq, 0) + 1


@dataclass(frozen=True, slots=True)
class Fresh:
    """New entries, and what the known ones that were read along with them tell.

    Attributes:
        entries: from ``diff.acts.gather``.
        overtaken: new entries that the log lists before one of their second that is known already.
        echoes: known events that are the doing of an action, with that action.
    """

    entries: Sequence[LogEntry]
    overtaken: frozenset[str] = frozenset()
    echoes: Mapping[EventId, str] = field(default_factory=dict)


def event_id_of(entry: LogEntry) -> EventId:
    """Entries are append-only: their id identifies the change."""
    return EventId(f"pd:{entry.id}")


def plan_entries(
    fresh: Fresh,
    held: Mapping[IncidentId, Held],
    world: World,
    hopes: Hopes,
    judge: Judge,
    now: datetime,
) -> EntryPlan:
    """Events of new entries, in order; the plan holds the snapshots after them.

    ``held``: the snapshots before. ``world`` goes along with what happens.
    """
    plan = EntryPlan(held=dict(held), echoes=dict(fresh.echoes))
    for number, read in enumerate(fresh.entries):
        entry = read
        if read.type == TRIGGER and read.incident_id and _is_new(plan.held.get(read.incident_id)):
            later = (x for x in fresh.entries[number:] if x.incident_id == read.incident_id)
            entry = as_of_trigger(read, later)
        if entry.incident_id is None:
            plan.ruled.append(Ruled(_bare_event(entry), ()))
            continue
        before, echo = plan.held.get(entry.incident_id), _echo(entry, plan, hopes)
        is_our_end = echo is not None and entry.type == "resolve"
        is_overtaken = entry.id in fresh.overtaken
        meant = _as_meant(entry, echo)
        opened = None if is_our_end else find_reopening(before, meant, is_overtaken=is_overtaken)
        is_doubtful = opened is not None and echo is not None and not _is_settled(echo, entry)
        state = before if opened is None else Held(opened)
        folded = fold(state, meant, is_overtaken=is_overtaken)
        kept = before if is_doubtful and before else _kept(state, folded, entry)
        plan.held[entry.incident_id] = kept
        if read.current is not None:
            plan.shown[entry.incident_id] = read.current
        world.incidents[entry.incident_id] = plan.held[entry.incident_id].incident
        _link_ours(entry.current, entry.at, plan, world, hopes, made_by=_maker(entry))
        _link_forgotten(entry, plan, world, hopes.own)
        if before is not None and opened is not None and not is_doubtful:
            told = _reopening(entry, before.incident, opened)
            plan.ruled.append(judge.rule(told, world, now))
        event = _event(entry, folded.type, folded.before, folded.after)
        if is_overtaken:
            event = replace(event, place=OVERTAKEN)
        echo_of = _echo_of(entry, echo, plan, hopes)
        if echo_of is not None:
            plan.echoes[event.id] = echo_of
            plan.ruled.append(Ruled(event, (entry.incident_id,), echo_of=echo_of))
            continue
        plan.ruled.append(judge.rule(event, world, now))
        if folded.is_late_start:
            plan.late_starts.append(event)
        if folded.type == "merge" and folded.after.merged_into:
            plan.merges.append((entry.incident_id, folded.after.merged_into))
    return plan


def _is_new(held: Held | None) -> bool:
    """Whether no entry of an incident was seen yet."""
    return held is None or held.entry_at is None


def _echo_of(entry: LogEntry, echo: Expected | None, plan: EntryPlan, hopes: Hopes) -> str | None:
    """Why an entry meets no rule: the action whose doing it or its cause is, or ``CONSEQUENCE``."""
    if echo is not None:
        return echo.action_id
    if entry.cause_id is not None:
        ours = plan.echoes.get(EventId(f"pd:{entry.cause_id}"))
        if ours is not None or entry.cause_type != TRIGGER:
            return ours or CONSEQUENCE
    if is_first_call(entry):
        waiting = (
            hopes.open()
        )  # a page that waits still: its trigger is seen later than its first call
        page = find_page(entry, [item.what for item in waiting])
        if page is not None:
            return waiting[page].action_id
    return FORGOTTEN if hopes.own.is_forgotten(entry) else None


def _is_settled(echo: Expected, entry: LogEntry) -> bool:
    """Whether an acknowledge of ours is known to have opened nothing that has to be closed again.

    It may have crossed a resolve. Until it is settled that cannot be told: the incident stays held as
    resolved, and if it is open after all the reconcile tells.
    """
    return echo.is_done and entry.current is not None and entry.current.is_open


def _as_meant(entry: LogEntry, echo: Expected | None) -> LogEntry:
    """The entry as it is folded: who was assigned along with our acknowledgement does not end it.

    Were it otherwise, another acknowledgement of ours follows (pagerduty/actions/acknowledge.py).
    """
    if echo is None or KEEPS_STATUS not in echo.what.values:
        return entry
    return replace(entry, agent_type="service", channel="auto")


def _echo(entry: LogEntry, plan: EntryPlan, hopes: Hopes) -> Expected | None:
    """The expectation an entry fulfils."""
    waiting = hopes.open()
    if entry.cause_id is not None:
        # What PagerDuty did beside an act is only that one's: a person's may look like ours.
        ours = plan.echoes.get(EventId(f"pd:{entry.cause_id}"))
        waiting = [item for item in waiting if item.action_id == ours]
    whats: list[Expectation] = [item.what for item in waiting]
    index = find_created(entry.current, whats, _maker(entry)) if entry.type == "trigger" else None
    if index is None:
        index = find_entry(entry, whats)
    if index is None:
        return None
    hopes.consume(waiting[index])
    plan.consumed.append(waiting[index].seq)
    return waiting[index]


def _maker(entry: LogEntry) -> str | None:
    """Who triggered the incident, where this is the entry that tells."""
    return entry.agent.id if entry.type == "trigger" else None


def _link_ours(
    incident: Incident | None,
    seen_at: datetime,
    plan: EntryPlan,
    world: World,
    hopes: Hopes,
    *,
    made_by: str | None = None,
) -> None:
    """Links an incident that bears a key of ours as soon as anything of it is seen.

    The answer to its creation may be lost and its trigger entry late; what people do with it
    meanwhile must reach the record.
    """
    index = find_created(incident, [item.what for item in hopes.expected], made_by)
    cause = None if index is None else hopes.causes.get(hopes.expected[index].action_id)
    if incident is not None and cause is not None and cause.record_id is not None:
        at = incident.created_at or seen_at
        _link(NewLink(incident.id, cause.object, cause.record_id, at), plan, world)


def _link_forgotten(entry: LogEntry, plan: EntryPlan, world: World, own: OwnEntries) -> None:
    """Links a page of ours that nothing remembers; its key says for which record it was."""
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
        event_id_of(entry), Side.PAGERDUTY, entry.type, entry.at, entry.agent, note=entry.note
    )


def _event(entry: LogEntry, kind: str, before: Incident | None, after: Incident) -> Event:
    author = entry.agent.name or entry.agent.email or entry.agent.id or "PagerDuty"
    is_note = entry.type == "annotate" and entry.note is not None
    return Event(
        id=event_id_of(entry),
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
        id=EventId(f"{event_id_of(entry)}:reopen"),
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
    """The snapshot after an entry; of one that came late, what the incident still shows."""
    kept, shown = folded.held, entry.current
    if kept is not before or entry.type == TRIGGER or shown is None:
        return kept
    return replace(kept, incident=still_true(kept.incident, folded.after, shown))


@dataclass(frozen=True, slots=True)
class Comparison:
    """How incidents were looked at.

    Attributes:
        server_now: when, by PagerDuty's clock.
        skew: how far Salesforce's clock is ahead of PagerDuty's.
        believed: fields of an incident that are taken for true whatever its entries say.
    """

    server_now: datetime
    skew: timedelta = timedelta(0)
    believed: Mapping[IncidentId, Collection[str]] = field(default_factory=dict)


def plan_drift(
    held: Mapping[IncidentId, Held],
    seen: Sequence[Incident],
    world: World,
    hopes: Hopes,
    judge: Judge,
    comparison: Comparison,
) -> EntryPlan:
    """Events of incidents that changed without a log entry.

    An incident that is not held yet is left to its trigger entry, unless it has had time enough:
    then its entry lies before the window, and it is taken in as it is, without an event.
    """
    plan, server_now = EntryPlan(), comparison.server_now
    for incident in seen:
        _link_ours(incident, server_now, plan, world, hopes)
        known = held.get(incident.id)
        if known is None:
            if incident.created_at and server_now - incident.created_at >= RECONCILE_GRACE:
                plan.held[incident.id] = Held(incident)
            continue
        met, known = known, replace(known, incident=learned(known.incident, incident))
        drift = find_drift(
            known,
            incident,
            server_now=server_now,
            grace=RECONCILE_GRACE,
            believed=comparison.believed.get(incident.id, ()),
        )
        if drift is None:
            if known != met:
                plan.held[incident.id] = known
            continue
        kind, after = drift
        if kind == "update":
            told = contradicted_fields(known.incident, after) - SILENT
            plan.contradictions += [(incident.id, name) for name in sorted(told)]
        plan.held[incident.id] = Held(after)
        world.incidents[incident.id] = after
        at = after.updated_at or after.status_changed_at or server_now
        plan.ruled.append(
            judge.rule(_drift_event(kind, known.incident, after, at), world, server_now)
        )
        if kind == "merge" and after.merged_into:
            plan.merges.append((incident.id, after.merged_into))
    return plan


def _drift_event(kind: str, before: Incident, after: Incident, at: datetime) -> Event:
    changed = changed_fields(before, after)
    # The names of what changed tell two changes of one second apart.
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
