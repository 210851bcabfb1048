"""What must hold once everything has come to rest: the ledger against the daemon's journal."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pagerforce.model.value import parse_instant
from simulation.ledger import HISTORY, INCIDENT, INTEGRATION, Ledger, P, RowWrite, Who
from simulation.people import People
from simulation.promises import BrokenPromise, Promise
from simulation.state import State, StoredAction, StoredEvent
from simulation.watch import Watch, token_in

_EXPLAINED = (
    r"This incident is closed",  # the package's own validation; an operator decides
    r"must not be sent twice|is not sent again",  # a workflow whose outcome is unknown: contract promise 2
)
_CLOCK_DOUBT = timedelta(seconds=4)
_FIELDS = {
    f"{P}shortDescription__c": f"{P}shortDescription__c",
    f"{P}FKStatus__c": f"{P}FKStatus__r.Name",
    f"{P}FKPriority__c": f"{P}FKPriority__r.Name",
    "OwnerId": "OwnerId",
}
"""Fields that people change, and the path under which rules see them."""


@dataclass(slots=True)
class Tally:
    """What is counted over a history."""

    changes: int = 0
    ruled: int = 0
    folded: int = 0
    copies: int = 0
    agreeing: int = 0
    excused: int = 0


@dataclass(slots=True)
class Checks:
    """One pass over everything; raises at the first promise that is broken."""

    ledger: Ledger
    people: People
    watch: Watch
    tally: Tally = field(default_factory=Tally)
    state: State = field(init=False)

    def run(self, state: State) -> Tally:
        self.state = state
        self._nothing_waits()
        self._entries()
        self._rows()
        self._comments()
        self._echoes()
        self._copies_of_comments()
        self._copies_of_notes()
        self._order_of_copies()
        self._snapshots()
        self._pairs()
        self._workflows()
        self._races()
        return self.tally

    # Nothing lost, ruled on once --------------------------------------------------------------

    def _nothing_waits(self) -> None:
        for action in self.state.all_actions():
            if action.state in ("pending", "in_flight"):
                raise BrokenPromise(Promise.QUIET, f"{action} still waits")
            if action.state == "dead_letter" and not self._is_explained(action):
                raise BrokenPromise(Promise.CONTAINED, f"dead letter without need: {action}")

    def _is_explained(self, action: StoredAction) -> bool:
        is_gone = action.record_id is not None and self._was_deleted(action.record_id)
        return is_gone or any(re.search(pattern, action.reason) for pattern in _EXPLAINED)

    def _found(self, event_id: str, what: str) -> StoredEvent:
        event = self.state.events.get(event_id)
        if event is None:
            raise BrokenPromise(Promise.NOTHING_LOST, f"{what} was never ruled on")
        return event

    def _entries(self) -> None:
        """Every log entry is an event, and the daemon's own are known as such."""
        shared: Counter[tuple[str, str]] = Counter()
        for made in self.ledger.entries:
            entry = made.entry
            what = f"{entry.type} {entry.id} of {entry.incident_id} ({made.text or entry.summary})"
            event = self._found(f"pd:{entry.id}", what)
            is_unique = entry.type == "annotate_log_entry" and made.text not in self.ledger.repeated
            if entry.agent_id == INTEGRATION and not is_unique:
                # People use this account too, and whose of two acknowledgements is whose nobody can
                # tell: as many must be taken for the daemon's as are.
                key = str(entry.incident_id), f"{entry.type} {made.text}"
                shared[key] += (event.echo_of is not None) - (made.who is Who.DAEMON)
                self._count(event)
            elif made.who is Who.PEOPLE:
                self._ruled(event, what)
            elif entry.agent_id == INTEGRATION and event.echo_of is None:
                raise BrokenPromise(Promise.NO_ECHO, f"{what} is our own doing")
        for (incident_id, kind), surplus in shared.items():
            if surplus and not self._is_doubtful(incident_id):
                promise = Promise.NOTHING_LOST if surplus > 0 else Promise.NO_ECHO
                raise BrokenPromise(promise, f"{surplus:+} {kind} of {incident_id} taken for ours")

    def _count(self, event: StoredEvent) -> None:
        if event.echo_of is None:
            self.tally.changes += 1
            self.tally.ruled += 1

    def _is_doubtful(self, incident_id: str) -> bool:
        """An answer was lost: what stands there now may be ours or that of who shares the account."""
        return incident_id in self.people.reopened or any(
            action.incident_id == incident_id and action.attempts > 1
            for action in self.state.all_actions()
        )

    def _ruled(self, event: StoredEvent, what: str) -> None:
        self.tally.changes += 1
        if event.echo_of is not None:
            raise BrokenPromise(Promise.NOTHING_LOST, f"{what} was taken for our own doing")
        self.tally.ruled += 1

    def _of_record(self, record_id: str, *types: str) -> list[StoredEvent]:
        return [
            event
            for event in self.state.events.values()
            if event.record_id == record_id and event.type in types and event.echo_of is None
        ]

    def _rows(self) -> None:
        for record_id, writes in _by_row(self.ledger.writes, INCIDENT).items():
            self._creation(record_id, writes)
            self._deletion(record_id, writes)
            for field_name, path in _FIELDS.items():
                self._last_value(record_id, writes, field_name, path)

    def _creation(self, record_id: str, writes: list[RowWrite]) -> None:
        created = self._of_record(record_id, "create")
        if writes[0].who is Who.DAEMON:
            if created:
                raise BrokenPromise(
                    Promise.NO_ECHO, f"{record_id} is our own record: {created[0].id}"
                )
            return
        self.tally.changes += 1
        if len(created) > 1:
            raise BrokenPromise(Promise.RULED_ONCE, f"{record_id} was created {len(created)} times")
        if created:
            self.tally.ruled += 1
        elif any(write.row.is_deleted for write in writes):
            self.tally.folded += 1  # created and deleted before anybody looked
        else:
            raise BrokenPromise(Promise.NOTHING_LOST, f"the creation of {record_id}")

    def _deletion(self, record_id: str, writes: list[RowWrite]) -> None:
        is_known = record_id in self.state.records
        turns = [e.type for e in self._of_record(record_id, "delete", "undelete")]
        is_deleted = writes[-1].row.is_deleted
        was_seen_alive = bool(self._of_record(record_id, "create", "update", "undelete"))
        is_ours = writes[0].who is Who.DAEMON
        was_seen_alive = was_seen_alive or (is_ours and not self._was_deleted_at_once(writes))
        if not was_seen_alive and is_deleted:
            return  # deleted before anybody looked
        if is_known and is_deleted is not (turns[-1:] == ["delete"]):
            text = f"{record_id} is deleted: {is_deleted}, events: {turns}"
            raise BrokenPromise(Promise.NOTHING_LOST, text)

    def _was_deleted_at_once(self, writes: list[RowWrite]) -> bool:
        """Before the daemon had read back the record it made."""
        known_at = self.watch.known_at.get(writes[0].row.id, 0.0)
        return any(write.row.is_deleted and write.second <= known_at for write in writes)

    def _last_value(
        self, record_id: str, writes: list[RowWrite], field_name: str, path: str
    ) -> None:
        """The last value that somebody gave to a field is in an event; earlier ones may be folded."""
        given = [write for write in writes if field_name in write.changed]
        people = [write for write in given if write.who is Who.PEOPLE and not write.is_new]
        self.tally.changes += len(people)
        whole = self._of_record(record_id, "create", "undelete")  # told as it is, changed or not
        seen = {self._shown(event.record.get(path)) for event in whole}
        seen |= {
            self._shown(event.record.get(path))
            for event in self._of_record(record_id, "update", "delete")
            if path in event.changed
        }
        told = [write for write in people if self._value(write, field_name) in seen]
        self.tally.ruled += len(told)
        self.tally.folded += len(people) - len(told)
        if not people or people[-1] is not given[-1] or writes[-1].row.is_deleted:
            return
        last = self._value(people[-1], field_name)
        was_before = any(self._value(write, field_name) == last for write in given[:-1])
        if self._is_wanted_too(record_id, field_name):
            return
        if last not in seen and not was_before and record_id in self.state.records:
            text = f"{field_name} of {record_id} became {last!r}; told were {seen}"
            raise BrokenPromise(Promise.NOTHING_LOST, text)

    def _is_wanted_too(self, record_id: str, field_name: str) -> bool:
        """The daemon was about to write the same value: whose it is cannot be told, nor matters."""
        return any(
            action.record_id == record_id
            and action.do == "salesforce.set_field"
            and field_name in action.args
            and "found written" in action.reason
            for action in self.state.all_actions()
        )

    def _value(self, write: RowWrite, field_name: str) -> str:
        value = write.row.values[field_name]
        target = self.ledger.sf.store.find(str(value)) if field_name.startswith(P) else None
        return self._shown(target.values["Name"] if target is not None else value)

    def _shown(self, value: object) -> str:
        return str(value)

    def _comments(self) -> None:
        for made in self._people_comments():
            row = self.ledger.sf.store.newest(made.row.id)
            if row is None or row.is_deleted:
                continue
            what = f"comment {made.row.values[f'{P}note__c']!r}"
            self._ruled(self._found(f"sf:{made.row.id}", what), what)

    def _people_comments(self) -> Iterator[RowWrite]:
        return (
            write
            for write in self.ledger.writes
            if write.is_new and write.row.object == HISTORY and write.who is Who.PEOPLE
        )

    # No echo ----------------------------------------------------------------------------------

    def _echoes(self) -> None:
        """What is reported as somebody's change was brought about by somebody."""
        rows = _by_row(self.ledger.writes, INCIDENT)
        ours = {
            f"sf:{write.row.id}"
            for write in self.ledger.writes
            if write.row.object == HISTORY and write.is_new and write.who is Who.DAEMON
        }
        for event in self.state.events.values():
            if event.echo_of is not None:
                continue
            if event.id in ours:
                raise BrokenPromise(Promise.NO_ECHO, f"{event.id} is a comment of ours")
            if event.source == "salesforce" and event.type == "update":
                self._is_somebodys(event, rows[str(event.record_id)])

    def _is_somebodys(self, event: StoredEvent, writes: list[RowWrite]) -> None:
        by_path = {path: name for name, path in _FIELDS.items()}
        for path in event.changed:
            name = by_path.get(path)
            if name is None:
                continue
            value = self._shown(event.record.get(path))
            for write in writes:
                is_it = write.who is Who.PEOPLE and name in write.changed
                if is_it and self._value(write, name) == value:
                    return
        raise BrokenPromise(Promise.NO_ECHO, f"nobody did {event.id}: {event.changed}")

    # Notes and comments -----------------------------------------------------------------------

    def _copies_of_comments(self) -> None:
        notes = Counter(
            token_in(made.text)
            for made in self.ledger.entries
            if made.who is Who.DAEMON and made.entry.type == "annotate_log_entry"
        )
        for made in self._people_comments():
            token = token_in(made.row.values[f"{P}note__c"])
            record = str(made.row.values[f"{P}FKIncident__c"])
            if self._was_deleted(record):
                continue
            created_at = made.row.values["CreatedDate"]
            for link in self.state.links:
                if link.record_id == record:
                    count = notes[token]
                    if link.incident_id in self.people.merged:
                        continue  # before the merge or after: Watch sees that it is once on each
                    self._is_copied(token, count, created_at, link.record_at, f"sf:{made.row.id}")

    def _copies_of_notes(self) -> None:
        comments = Counter(
            (str(row.values[f"{P}FKIncident__c"]), token_in(row.values[f"{P}note__c"]))
            for row in self.ledger.sf.store.scan(HISTORY)
            if self._is_ours(row.id)
        )
        for made in self.ledger.entries:
            is_note = made.who is Who.PEOPLE and made.entry.type == "annotate_log_entry"
            if not is_note or made.text in self.ledger.repeated:
                continue
            incident = self.ledger.pd.state.incidents[str(made.entry.incident_id)]
            for link in self.state.links:
                if link.incident_id != incident.id or self._was_deleted(link.record_id):
                    continue
                count = comments[link.record_id, token_in(made.text)]
                if incident.id in self.people.merged or self._came_late(incident.id):
                    continue
                self._is_copied(
                    token_in(made.text),
                    count,
                    made.entry.created_at,
                    link.created_at,
                    f"pd:{made.entry.id}",
                )

    def _is_ours(self, row_id: str) -> bool:
        return any(
            w.row.id == row_id and w.is_new and w.who is Who.DAEMON for w in self.ledger.writes
        )

    def _was_deleted(self, record_id: str) -> bool:
        return any(w.row.id == record_id and w.row.is_deleted for w in self.ledger.writes)

    def _is_copied(
        self, token: str | None, count: int, made_at: object, linked_at: str, event_id: str
    ) -> None:
        """Once if it was written after the link, not at all if before; at that moment, either."""
        if not isinstance(made_at, datetime):
            raise TypeError(event_id)
        since = made_at - parse_instant(linked_at)
        event = self.state.events[event_id]
        actions = self.state.actions.get(event.seq, [])
        if any(a.state == "dead_letter" for a in actions):
            return
        if count > 1:
            raise BrokenPromise(Promise.NO_SECOND_NOTE, f"{token} stands {count} times")
        if since > _CLOCK_DOUBT and count == 0:
            raise BrokenPromise(Promise.NOTHING_LOST, f"{token} was never copied: {actions}")
        if since < -_CLOCK_DOUBT and count == 1:
            raise BrokenPromise(Promise.NO_SECOND_NOTE, f"{token} is from before the link")
        self.tally.copies += count

    def _order_of_copies(self) -> None:
        """Copies on an incident or record stand in the order of the events they come from."""
        places: dict[tuple[str, object], list[tuple[int, str]]] = defaultdict(list)
        tokens = {
            token_in(event.data.get("note")): event
            for event in self.state.events.values()
            if event.echo_of is None and event.type in ("comment", "annotate")
        }
        for where, text in self._copies_as_made():
            event = tokens.get(token_in(text))
            if any(text.endswith(repeated) for repeated in self.ledger.repeated):
                continue
            if event is not None:
                places[where, event.record_id or event.incident_id].append((event.seq, text))
        for (where, _), copies in places.items():
            if copies != sorted(copies):
                raise BrokenPromise(Promise.IN_ORDER, f"on {where}: {[text for _, text in copies]}")

    def _copies_as_made(self) -> Iterator[tuple[str, str]]:
        for made in self.ledger.entries:
            if made.who is Who.DAEMON and made.entry.type == "annotate_log_entry":
                yield str(made.entry.incident_id), made.text
        for write in self.ledger.writes:
            if write.is_new and write.row.object == HISTORY and write.who is Who.DAEMON:
                values = write.row.values
                yield str(values[f"{P}FKIncident__c"]), str(values[f"{P}note__c"])

    # Converged --------------------------------------------------------------------------------

    def _snapshots(self) -> None:
        """What the daemon believes is what is."""
        for incident_id, known in self.state.incidents.items():
            real = self.ledger.pd.state.incidents[incident_id]
            there = {"status": real.status}
            if real.is_open:  # what leaves no entry is looked for on open incidents only
                there |= {"title": real.title, "urgency": real.urgency}
            held = {name: known.get(name) for name in there}
            if held != there:
                raise BrokenPromise(Promise.CONVERGED, f"{incident_id} is {there}, held as {held}")
        for record_id, known in self.state.records.items():
            row = self.ledger.sf.store.newest(record_id)
            if row is None or row.is_deleted:
                continue
            for name in _FIELDS:
                held = known["fields"].get(name)
                if name in known["fields"] and held != row.values[name]:
                    text = f"{name} of {record_id} is {row.values[name]!r}, held as {held!r}"
                    raise BrokenPromise(Promise.CONVERGED, text)

    def _pairs(self) -> None:
        """A resolved incident's records are closed, and the other way round."""
        for link in self.state.links:
            row = self.ledger.sf.store.newest(link.record_id)
            if row is None or row.is_deleted or not link.is_active:
                continue
            incident = self.ledger.pd.state.incidents[link.incident_id]
            if incident.is_open is row.values[f"{P}state__c"]:
                self.tally.agreeing += 1
            elif self._is_excused(link.incident_id, link.record_id):
                self.tally.excused += 1
            else:
                state = row.values[f"{P}state__c"]
                text = f"{incident.id} is {incident.status}, {link.record_id} open: {state}"
                raise BrokenPromise(Promise.CONVERGED, text)

    def _is_excused(self, incident_id: str, record_id: str) -> bool:
        """No rule says what to do, or a newer edit of a person stands and that is reported."""
        reopened = any(
            write.row.id == record_id
            and write.who is Who.PEOPLE
            and write.changed.get(f"{P}state__c") is True
            and not write.is_new
            for write in self.ledger.writes
        )
        reported = any(
            action.record_id == record_id
            and (action.state == "dead_letter" or "newer value" in action.reason)
            for action in self.state.all_actions()
        )
        siblings = [link for link in self.state.links if link.incident_id == incident_id]
        return (
            reopened
            or reported
            or len(siblings) > 1  # closing one record resolves the incident, and that is our doing
            or self._was_deleted(record_id)
            or self._came_late(incident_id)
            or self._has_crossed(incident_id, record_id)
            or self._was_resolved_unseen(incident_id)
        )

    def _has_crossed(self, incident_id: str, record_id: str) -> bool:
        """Somebody acted on the incident after the record was closed, but before we resolved it.

        The newer act wins in the record, and the older close has resolved the incident by then.
        """
        closed = [
            write.second
            for write in self.ledger.writes
            if write.row.id == record_id
            and write.who is Who.PEOPLE
            and write.changed.get(f"{P}state__c") is False
        ]
        entries = [item for item in self.ledger.entries if item.entry.incident_id == incident_id]
        resolved = [
            item.second
            for item in entries
            if item.who is Who.DAEMON and item.entry.type == "resolve_log_entry"
        ]
        return any(
            start <= item.second <= end
            for start, end in zip(closed[-1:], resolved[-1:], strict=False)
            for item in entries
            if item.who is Who.PEOPLE and item.entry.type == "acknowledge_log_entry"
        )

    def _was_resolved_unseen(self, incident_id: str) -> bool:
        """It was opened again before its late resolve entry was seen: there is nothing to tell of."""
        found = [e for e in self.state.events.values() if e.incident_id == incident_id]
        late = [
            event
            for event in found
            if event.type == "resolve"
            and any(o.seq < event.seq and o.data["at"] > event.data["at"] for o in found)
        ]
        return incident_id in self.people.reopened and bool(late)

    def _came_late(self, incident_id: str) -> bool:
        """Its trigger entry became visible after what followed it, which found nothing linked."""
        found = [e for e in self.state.events.values() if e.incident_id == incident_id]
        triggers = [event.seq for event in found if event.type == "trigger"]
        told = ("resolve", "reopen", "merge", "annotate")
        others = [event.seq for event in found if event.type in told]
        return bool(triggers and others) and min(others) < min(triggers)

    def _workflows(self) -> None:
        runs = len(self.ledger.pd.workflow_runs)
        asked = sum(action.do == "pagerduty.run_workflow" for action in self.state.all_actions())
        if runs > asked:
            raise BrokenPromise(Promise.AT_MOST_ONCE, f"{runs} runs for {asked} actions")

    def _races(self) -> None:
        """What a crossing write opened again was resolved again."""
        for incident_id in self.watch.raced:
            incident = self.ledger.pd.state.incidents[incident_id]
            if incident.is_open and incident_id not in self.people.reopened:
                raise BrokenPromise(Promise.NO_REOPEN, f"{incident_id} was left open")


def _by_row(writes: Iterable[RowWrite], object_name: str) -> dict[str, list[RowWrite]]:
    found: dict[str, list[RowWrite]] = defaultdict(list)
    for write in writes:
        if write.row.object == object_name:
            found[write.row.id].append(write)
    return found
