"""Folds PagerDuty's log entries onto an incident's snapshot: the state just after each entry.

The API reports an incident only as it is now (``pagerduty.included-incident-is-current``): three
entries found in one poll would all show the last status. So each entry's own meaning is applied to
the snapshot:

    entry             status        assignees            other
    trigger (first)   triggered     as now               everything as now
    acknowledge       acknowledged  the entry's, if any
    unacknowledge     triggered
    resolve           resolved      none                 resolve reason as now, if this is the last
    escalate          triggered     the entry's
    assign, delegate  triggered     the entry's          delegate: policy as now
      the service's own: as before
    priority_change                                      the entry's priority
    urgency_change                                       the entry's urgency, else as now
    custom field change                                  custom fields as now
    all others        nothing: fields without entries are left to the reconcile

Handing on an acknowledged incident ends its acknowledgement, without an entry (recorded answers).
Each entry already has all targets of its act (``diff/acts.py``).
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.model.incident import Incident, IncidentStatus, LogEntry, Person, Ref

# An incident's own times and those of its entries are rarely a second apart.
_FIRST_TRIGGER = _SAME_CHANGE = timedelta(seconds=2)
_SECOND = timedelta(seconds=1)
_OF_OPEN = ("acknowledge", "unacknowledge")
_HANDED_ON = ("assign", "escalate", "delegate")
_TOLD = ("status", "assignees", "priority", "urgency", "escalation_policy")
_QUIET = ("title", "service", "conference_bridge", "custom_fields")


class Held(Struct, frozen=True):
    """An incident's snapshot and the newest entry folded into it (None: none yet)."""

    incident: Incident
    entry_at: datetime | None = None
    entry_type: str | None = None


class Folded(Struct, frozen=True):
    """An entry's event: its type, the states around it, and the snapshot to keep.

    ``is_late_start``: the incident's first trigger, seen after what followed it.
    """

    type: str
    before: Incident | None
    after: Incident
    held: Held
    is_late_start: bool = False


def fold(held: Held | None, entry: LogEntry, *, is_overtaken: bool = False) -> Folded:
    """The event of an entry, given the snapshot before it.

    A late entry (older than one already folded) is an event with its own meaning applied, but does
    not move the snapshot back. The entry must name an incident.

    Args:
        held: the snapshot.
        entry: the entry.
        is_overtaken: a later entry of the same second is already folded.
    """
    is_late = held is not None and (is_overtaken or _is_late(held, entry))
    is_first = entry.type == "trigger" and _is_first_trigger(held, entry, is_late=is_late)
    before = None if is_first or held is None else held.incident
    base = _start(entry) if is_first or held is None else held.incident
    after = _APPLY.get(entry.type, _same)(base, entry, held)
    # A first trigger that appears after others of its second is late as well.
    is_behind = is_late or (is_first and held is not None and held.entry_at is not None)
    kept = held if is_behind and held is not None else Held(after, entry.at, entry.type)
    kind = _event_type(entry, before, after, is_first=is_first)
    return Folded(kind, before, after, kept, is_late_start=is_first and is_behind)


def _is_late(held: Held, entry: LogEntry) -> bool:
    """Whether the snapshot is newer than the entry."""
    if held.entry_at is not None and entry.at <= held.entry_at:
        return entry.at < held.entry_at
    return _is_of_open(entry) and _is_over(held.incident, entry.at)


def _is_of_open(entry: LogEntry) -> bool:
    """Whether an entry proves an open incident: nobody acknowledges or reassigns a resolved one."""
    return entry.type in _OF_OPEN or (entry.type in _HANDED_ON and not entry.is_automatic)


def _is_over(incident: Incident, at: datetime) -> bool:
    """Whether an incident was resolved at that time or later."""
    resolved_at = incident.status_changed_at
    is_resolved = incident.status is IncidentStatus.RESOLVED
    return is_resolved and resolved_at is not None and at <= resolved_at


def as_of_trigger(entry: LogEntry, later: Iterable[LogEntry]) -> LogEntry:
    """A first trigger with its incident's priority at that time, if a later entry shows it.

    Args:
        entry: the trigger; its incident is shown as it is now.
        later: the later entries of the incident, oldest first.
    """
    first = next((x for x in later if x.type == "priority_change"), None)
    if entry.current is None or first is None or not first.had_old_priority:
        return entry
    return replace(entry, current=replace(entry.current, priority=first.old_priority))


def find_reopening(
    held: Held | None, entry: LogEntry, *, is_overtaken: bool = False
) -> Incident | None:
    """The state right after a reopening that this entry proves, or None.

    A reopening leaves no entry. But a resolved incident must be open again before it can be
    acknowledged, lose its acknowledgement, be handed on, or be merged. It was reopened at the
    latest in the second before the entry, as far as time stamps show.
    """
    if held is None or is_overtaken or _is_late(held, entry):
        return None
    before = held.incident
    if before.status is not IncidentStatus.RESOLVED or before.status_changed_at is None:
        return None
    if not _is_of_open(entry) and not _is_merge(before, entry):
        return None
    return replace(
        before,
        status=IncidentStatus.TRIGGERED,
        resolve_reason=None,
        merged_into=None,
        status_changed_at=entry.at - _SECOND,
    )


def _is_merge(resolved: Incident, entry: LogEntry) -> bool:
    """Whether an entry shows that an incident that was resolved earlier has been merged since."""
    if entry.type != "resolve" or entry.current is None or entry.current.merged_into is None:
        return False
    return not _is_over(resolved, entry.at - _SAME_CHANGE) and _stands(entry)


def _is_first_trigger(held: Held | None, entry: LogEntry, *, is_late: bool) -> bool:
    """Whether a trigger entry starts its incident: each further alert adds another one."""
    if held is None:
        return True
    if entry.is_first is not None:
        return entry.is_first
    created_at = held.incident.created_at
    is_early = created_at is not None and entry.at - created_at <= _FIRST_TRIGGER
    return is_early and (is_late or held.entry_at is None)


def _event_type(
    entry: LogEntry, before: Incident | None, after: Incident, *, is_first: bool
) -> str:
    if entry.type == "trigger" and not is_first:
        return "update"
    # A merge that a comparison found before its entry was already an event: the incident is over.
    is_over = before is not None and before.status is IncidentStatus.RESOLVED
    is_told = is_over and before is not None and before.merged_into == after.merged_into
    if entry.type == "resolve" and after.merged_into is not None and not is_told:
        return "merge"
    return entry.type


def _start(entry: LogEntry) -> Incident:
    """The state to apply an entry to if no earlier state is known."""
    if entry.current is not None:
        return entry.current
    if entry.incident_id is None:
        raise ValueError(f"log entry {entry.id} names no incident")
    return Incident(entry.incident_id, service=entry.service)


def _same(base: Incident, _entry: LogEntry, _held: Held | None) -> Incident:
    return base


def _status(status: IncidentStatus) -> Callable[[Incident, LogEntry, Held | None], Incident]:
    def apply(base: Incident, entry: LogEntry, _held: Held | None) -> Incident:
        return replace(base, status=status, status_changed_at=entry.at)

    return apply


def _trigger(base: Incident, entry: LogEntry, held: Held | None) -> Incident:
    if held is not None and base is held.incident:
        return base
    # At the trigger nobody had done anything yet, whatever the incident looks like now.
    return replace(
        base, status=IncidentStatus.TRIGGERED, resolve_reason=None, status_changed_at=entry.at
    )


def _resolve(base: Incident, entry: LogEntry, _held: Held | None) -> Incident:
    now = entry.current if _stands(entry) else None
    return replace(
        base,
        status=IncidentStatus.RESOLVED,
        assignees=(),
        status_changed_at=entry.at,
        resolve_reason=now.resolve_reason if now else None,
        merged_into=now.merged_into if now else None,
    )


def _stands(entry: LogEntry) -> bool:
    """Whether the status still comes from this entry: a reopened incident may be merged by now."""
    since = entry.current.status_changed_at if entry.current else None
    return since is None or since - entry.at <= _SAME_CHANGE


def _acknowledge(base: Incident, entry: LogEntry, _held: Held | None) -> Incident:
    moved = _to(base, entry)
    return replace(moved, status=IncidentStatus.ACKNOWLEDGED, status_changed_at=entry.at)


def _to(base: Incident, entry: LogEntry) -> Incident:
    return replace(base, assignees=entry.assignees) if entry.assignees else base


def _assign(base: Incident, entry: LogEntry, _held: Held | None) -> Incident:
    moved = _to(base, entry)
    return moved if entry.is_automatic else _handed_on(moved, entry)


def _handed_on(base: Incident, entry: LogEntry) -> Incident:
    """Ends the acknowledgement: the new assignees have not acknowledged yet."""
    if base.status is not IncidentStatus.ACKNOWLEDGED:
        return base
    return replace(base, status=IncidentStatus.TRIGGERED, status_changed_at=entry.at)


def _escalate(base: Incident, entry: LogEntry, _held: Held | None) -> Incident:
    """Also moves the time of the last status change, whatever the status was."""
    moved = _handed_on(_to(base, entry), entry)
    return replace(moved, status_changed_at=entry.at) if moved.is_open else moved


def _delegate(base: Incident, entry: LogEntry, _held: Held | None) -> Incident:
    policy = entry.current.escalation_policy if entry.current else None
    moved = _handed_on(_to(base, entry), entry)
    return replace(moved, escalation_policy=policy) if policy else moved


def _priority(base: Incident, entry: LogEntry, _held: Held | None) -> Incident:
    now = entry.current.priority if entry.current else None
    if not entry.had_priority:
        return replace(base, priority=now)
    wanted = entry.priority
    # The entry often has only the name. If the priority is still the same, the incident has its id.
    if wanted and now and not wanted.id and wanted.name == now.name:
        wanted = now
    return replace(base, priority=wanted)


def _urgency(base: Incident, entry: LogEntry, _held: Held | None) -> Incident:
    now = entry.current.urgency if entry.current else None
    return replace(base, urgency=entry.urgency or now or base.urgency)


def _custom_fields(base: Incident, entry: LogEntry, _held: Held | None) -> Incident:
    values = entry.current.custom_fields if entry.current else {}
    return replace(base, custom_fields=values) if values else base


_APPLY: Mapping[str, Callable[[Incident, LogEntry, Held | None], Incident]] = {
    "trigger": _trigger,
    "acknowledge": _acknowledge,
    "unacknowledge": _status(IncidentStatus.TRIGGERED),
    "resolve": _resolve,
    "assign": _assign,
    "escalate": _escalate,
    "delegate": _delegate,
    "priority_change": _priority,
    "urgency_change": _urgency,
    "field_value_change": _custom_fields,
    "custom_field_value_change": _custom_fields,
}


def changed_fields(before: Incident | None, after: Incident) -> frozenset[str]:
    """Names of the fields that differ, as in conditions; none if ``before`` is unknown."""
    if before is None:
        return frozenset()
    found = {name for name in (*_TOLD, *_QUIET) if not _is_same(before, after, name)}
    if "custom_fields" in found:
        names = {*before.custom_fields, *after.custom_fields}
        found |= {
            f"custom_fields.{name}"
            for name in names
            if before.custom_fields.get(name) != after.custom_fields.get(name)
        }
    return frozenset(found)


def _is_same(before: Incident, after: Incident, name: str) -> bool:
    left, right = getattr(before, name), getattr(after, name)
    if left is right:  # most fields: an entry changes few
        return True
    if isinstance(left, Ref) and isinstance(right, Ref):
        return left.id == right.id if left.id and right.id else left.name == right.name
    if name == "assignees":
        return _ids(left) == _ids(right)
    return bool(left == right)


def _ids(people: tuple[Person, ...]) -> set[str | None]:
    return {person.id for person in people}


# For the reconcile -------------------------------------------------------------------------------


_ALWAYS = (
    *("title", "urgency", "service", "escalation_policy"),
    *("number", "html_url", "created_at"),
)


def learned(held: Incident, now: Incident) -> Incident:
    """The snapshot with fields that were unknown: every incident has them, so none has changed."""
    names = [name for name in _ALWAYS if getattr(held, name) is None]
    return replace(held, **{name: getattr(now, name) for name in names}) if names else held


def contradicted_fields(held: Incident, now: Incident) -> frozenset[str]:
    """Fields of an incident that contradict its entries; a field that is not shown does not."""
    return frozenset(
        name
        for name in (*_TOLD, "title", "service")
        if _is_shown(now, name) and not _is_same(held, now, name)
    )


def _is_shown(now: Incident, name: str) -> bool:
    """Whether an answer shows a field: an open incident always has an assignee."""
    if name == "assignees":
        return bool(now.assignees) or (now.status is not None and not now.is_open)
    return getattr(now, name) is not None


def still_true(before: Incident, after: Incident, shown: Incident) -> Incident:
    """Applies the changes of a late entry that the incident still shows: later ones kept them."""
    names = [
        name
        for name in _TOLD
        if name != "status" and not _is_same(before, after, name) and _is_same(after, shown, name)
    ]
    return replace(before, **{name: getattr(after, name) for name in names})


def find_unlogged(
    held: Held,
    now: Incident,
    *,
    server_now: datetime,
    grace: timedelta,
    believed: Collection[str] = (),
) -> tuple[str, Incident] | None:
    """A change of an incident without a log entry, with its event type, or None.

    A change of a field that has log entries must be older than ``grace``, because its entry may
    still become visible. Fields without entries, a reopening, and ``believed`` fields are accepted
    at once.
    """
    before = held.incident
    if before.status is IncidentStatus.RESOLVED and now.is_open:
        return None if _is_stale(before, now, server_now - grace) else ("reopen", now)
    changed_at = now.updated_at or now.status_changed_at or now.created_at
    is_settled = changed_at is not None and server_now - changed_at >= grace
    doubtful = [] if is_settled else [name for name in _TOLD if name not in believed]
    if "status" in doubtful:  # the entry that ends the incident reports a merge
        doubtful += ["merged_into", "resolve_reason"]
    after = replace(now, **{name: getattr(before, name) for name in doubtful})
    # The list call has no custom fields (`pagerduty.list-without-custom-fields`): keep the known
    # ones.
    after = after if after.custom_fields else replace(after, custom_fields=before.custom_fields)
    if not changed_fields(before, after):
        return None
    is_merge = after.merged_into is not None and before.merged_into is None
    return ("merge" if is_merge else "update"), after


def _is_stale(before: Incident, now: Incident, settled_at: datetime) -> bool:
    """Whether a list from a lagging replica still shows a newly resolved incident as open."""
    then, since = before.status_changed_at, now.status_changed_at
    return then is not None and since is not None and since <= then and then > settled_at
