"""Groups the entries that PagerDuty writes for one act. Pure.

PagerDuty writes one entry per target. Beside some acts it adds entries of its own (recorded
answers):

    act                        entries of that second, oldest first
    reassign, two people       assign (Jane), assign (Sam)
    escalate, two people       escalate (Jane), escalate (Sam)
    delegate                   delegate (without targets), assign by the service for each target
    acknowledge by another     assign by the service (to the acknowledging user), acknowledge

    trigger                    trigger, assign by the service for each target
    resolve with a note        annotate, up to a second earlier, and resolve, without the note

Each entry of an act gets the whole set of targets. The service's own entries name their act, so
that one act is one event. After a trigger the service's assignment is a separate event, unless
pagerforce caused the trigger.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from msgspec.structs import replace

from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import LogEntry, Person

Act: TypeAlias = Sequence[LogEntry]
"""The entries of one act; the first one says what it is."""

_HANDED = ("assign", "escalate")
_CARRIED_OUT = ("delegate", "assign", "escalate")
_MERE_NEWS = "notify"
TRIGGER = "trigger"
# The entries of one act have the same second, or two successive ones. After this time all are
# there.
_SETTLED_AFTER = timedelta(seconds=3)
_NOTE_BEFORE = timedelta(seconds=1)
_FIRST_CALL_AFTER = timedelta(seconds=1)


def gather(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """The same entries: each has all data of its act, and consequences directly follow their act.

    Args:
        entries: in the order of time, with those already known, because a late entry may belong to
            one of them.
    """
    by_second: dict[tuple[IncidentId | None, datetime], list[LogEntry]] = defaultdict(list)
    for entry in entries:
        by_second[entry.incident_id, entry.at].append(entry)
    gathered: dict[tuple[IncidentId | None, datetime], Iterator[LogEntry]] = {
        key: iter(_gather_second(group) if len(group) > 1 and key[0] else group)
        for key, group in by_second.items()
    }
    # Entries of other incidents keep their positions.
    ordered = [next(gathered[entry.incident_id, entry.at]) for entry in entries]
    triggers = {entry.incident_id: entry for entry in reversed(ordered) if entry.type == TRIGGER}
    ordered = [_as_first_call(entry, triggers.get(entry.incident_id)) for entry in ordered]
    return [_with_note(entry, ordered) if _lacks_note(entry) else entry for entry in ordered]


def _as_first_call(entry: LogEntry, trigger: LogEntry | None) -> LogEntry:
    """Links the service's assignment to the first trigger; it may have the next second."""
    if trigger is None or entry.type != "assign" or not entry.is_automatic or entry.cause_id:
        return entry
    is_right_after = timedelta(0) <= entry.at - trigger.at <= _FIRST_CALL_AFTER
    if not is_right_after:
        return entry
    return replace(entry, cause_id=trigger.id, cause_type=TRIGGER)


def is_first_call(entry: LogEntry) -> bool:
    """Whether the service assigned an incident right after its start, as far as stamps show."""
    began = entry.current.created_at if entry.current is not None else None
    is_assigned = entry.type == "assign" and entry.is_automatic
    return is_assigned and (began is None or entry.at - began <= _FIRST_CALL_AFTER)


def is_of_trigger(entry: LogEntry) -> bool:
    """Whether an incident is known to have been assigned for its trigger, and for nothing later."""
    if entry.cause_id is not None:
        return entry.cause_type == TRIGGER
    return (
        entry.current is not None and entry.current.created_at is not None and is_first_call(entry)
    )


def _lacks_note(entry: LogEntry) -> bool:
    return entry.type == "resolve" and entry.note is None and entry.agent.id is not None


def _with_note(resolve: LogEntry, entries: Sequence[LogEntry]) -> LogEntry:
    """A resolve with the note that the same user entered with it."""
    notes = [
        entry.note
        for entry in entries
        if entry.type == "annotate"
        and (entry.incident_id, entry.agent.id) == (resolve.incident_id, resolve.agent.id)
        and timedelta(0) <= resolve.at - entry.at <= _NOTE_BEFORE
    ]
    return replace(resolve, note=notes[-1]) if notes else resolve


def find_unsettled(entries: Sequence[LogEntry], seen_at: datetime | None) -> set[str]:
    """Assignments by the service whose cause may still appear: the next poll reads them again.

    Args:
        entries: from ``gather``.
        seen_at: the time of reading, by the clock of their time stamps; None: nothing is held back.
    """
    if seen_at is None:
        return set()
    return {
        entry.id
        for entry in entries
        if entry.type == "assign"
        and entry.is_automatic
        and entry.cause_id is None
        and seen_at - entry.at < _SETTLED_AFTER
    }


def _gather_second(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """One incident's entries of one second."""
    acts = _acts(_with_acknowledge(entries))
    causes = {
        number: cause
        for number in range(len(acts))
        if (cause := _find_cause(acts, number)) is not None
    }
    told: list[LogEntry] = []
    for number, act in enumerate(acts):
        if number in causes:
            continue
        effects = [acts[effect] for effect, cause in causes.items() if cause == number]
        head = act[0]
        if effects and not head.assignees and head.type != TRIGGER:
            head = replace(head, assignees=_targets(effects[-1]))
        told += [head, *act[1:]]
        told += [
            replace(entry, cause_id=head.id, cause_type=head.type)
            if entry.type in _HANDED
            else entry
            for effect in effects
            for entry in effect
        ]
    return told


def _with_acknowledge(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """The entries of a second; assignments show whether their user acknowledged in it."""
    users = {entry.agent.id for entry in entries if entry.type == "acknowledge"} - {None}
    return [
        replace(entry, is_with_acknowledge=True)
        if entry.type == "assign" and entry.agent.id in users
        else entry
        for entry in entries
    ]


def _acts(entries: Sequence[LogEntry]) -> list[list[LogEntry]]:
    """Splits the entries of a second into acts; each hand-over gets all its targets."""
    acts: list[list[LogEntry]] = []
    for entry in entries:
        if acts and (entry.type == _MERE_NEWS or _is_same_act(acts[-1][0], entry)):
            acts[-1].append(entry)
            continue
        if acts and len(acts[-1]) > 1 and _took_it(entry, acts[-1][-1:]):
            # The assignment right before an acknowledgement belongs to it, not to the first call.
            acts.append([acts[-1].pop()])
        acts.append([entry])
    return [_with_targets(act) if act[0].type in _HANDED else act for act in acts]


def _is_same_act(first: LogEntry, entry: LogEntry) -> bool:
    """Whether an entry names one more target of the act before it."""
    return entry.type in _HANDED and (entry.type, entry.agent.id, entry.channel) == (
        first.type,
        first.agent.id,
        first.channel,
    )


def _with_targets(act: Act) -> list[LogEntry]:
    targets = _targets(act)
    return [
        replace(entry, assignees=targets) if targets and entry.type in _HANDED else entry
        for entry in act
    ]


def _targets(act: Act) -> tuple[Person, ...]:
    """All people that an act names, each once."""
    handed = (entry for entry in act if entry.type in _HANDED)
    return tuple({who.id: who for entry in handed for who in entry.assignees or ()}.values())


def _find_cause(acts: Sequence[Act], number: int) -> int | None:
    """The act that caused this assignment by the service; None if it is a separate act."""
    head = acts[number][0]
    if head.type != "assign" or not head.is_automatic:
        return None
    before = acts[number - 1][0] if number else None
    if before is not None and _is_carried_out(before, acts[number]):
        return number - 1
    after = acts[number + 1][0] if number + 1 < len(acts) else None
    return number + 1 if after is not None and _took_it(after, acts[number]) else None


def _is_carried_out(act: LogEntry, assignment: Act) -> bool:
    """Whether the service's assignment carries out the act before it."""
    if act.type == TRIGGER:
        return True
    if act.is_automatic or act.type not in _CARRIED_OUT:
        return False
    named = {person.id for person in act.assignees or ()}
    return not named or {person.id for person in _targets(assignment)} <= named


def _took_it(act: LogEntry, assignment: Act) -> bool:
    """Whether the service assigned the incident to somebody because they acknowledged it."""
    is_automatic = all(entry.is_automatic for entry in assignment if entry.type in _HANDED)
    return (
        is_automatic
        and act.type == "acknowledge"
        and act.agent.id in {who.id for who in _targets(assignment)}
    )
