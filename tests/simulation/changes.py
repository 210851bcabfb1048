"""Nothing lost, everything evaluated once, no echo: the ledger against the daemon's journal."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pagerforce.sandbox.pagerduty.journal import Entry
from simulation.automation import WORDS
from simulation.ledger import HISTORY, INCIDENT, INTEGRATION, P, RowWrite, Truth, Who
from simulation.promises import BrokenPromise, Promise
from simulation.scene import FIELDS, PARENT, Scene
from simulation.state import StoredAction, StoredEvent


@dataclass(frozen=True, slots=True)
class Changes:
    """Every change by somebody is an event, and every event is a change by somebody."""

    scene: Scene

    def run(self) -> None:
        self._entries()
        self._truths()
        self._rows()
        self._comments()
        self._echoes()

    def _entries(self) -> None:
        """Every log entry is an event, and the daemon's own are recognised."""
        shared: Counter[tuple[str, str]] = Counter()
        for made in self.scene.ledger.entries:
            entry = made.entry
            what = f"{entry.type} {entry.id} of {entry.incident_id} ({made.text or entry.summary})"
            event = self.scene.found(f"pd:{entry.id}", what)
            is_unique = (
                entry.type == "annotate_log_entry" and made.text not in self.scene.ledger.repeated
            )
            if entry.agent_id == INTEGRATION and not is_unique:
                # People use this account too, and nobody can say whose an acknowledgement is: as many must be
                # treated as the daemon's as are.
                key = str(entry.incident_id), f"{entry.type} {made.text}"
                shared[key] += (event.echo_of is not None) - (made.who is Who.DAEMON)
                self.scene.count(event)
            elif made.who is Who.PEOPLE and _is_beside_an_act(entry):
                self.scene.tally.changes += 1  # the act itself is the event
                self.scene.tally.folded += 1
            elif made.who is Who.PEOPLE:
                self.scene.ruled(event, what)
            elif event.echo_of is None and entry.type != "notify_log_entry":
                raise BrokenPromise(Promise.NO_ECHO, f"{what} follows from an own write")
            elif entry.agent_id == INTEGRATION and event.echo_of is None:
                raise BrokenPromise(Promise.NO_ECHO, f"{what} is an own write")
        for (incident_id, kind), surplus in shared.items():
            if surplus and not self._is_doubtful(incident_id):
                promise = Promise.NOTHING_LOST if surplus > 0 else Promise.NO_ECHO
                raise BrokenPromise(
                    promise, f"{surplus:+} {kind} of {incident_id} treated as pagerforce's"
                )

    def _is_doubtful(self, incident_id: str) -> bool:
        """An answer was lost: the current value may be pagerforce's or that of who shares the account."""
        return incident_id in self.scene.people.reopened or any(
            action.incident_id == incident_id and action.attempts > 1
            for action in self.scene.state.all_actions()
        )

    def _truths(self) -> None:
        """What rules saw of an incident is what PagerDuty showed right after that deed.

        Not if it was seen late, or by a reopening that no entry shows, and not between the
        requests of one action of the daemon: rules do not see those states.
        """
        between = self._between_requests()
        silent = self.scene.people.reopened | {
            str(made.entry.incident_id)
            for made in self.scene.ledger.entries
            if made.entry.visible_at > made.entry.created_at
        }
        for entry_id, truth in self.scene.ledger.truths.items():
            event = self.scene.state.events.get(f"pd:{entry_id}")
            if event is None or truth.incident_id in silent:
                continue
            if entry_id in between:
                continue
            seen = event.data.get("incident") or {}
            people = tuple(sorted(str(item["id"]) for item in seen.get("assignees", ())))
            priority = (seen.get("priority") or {}).get("id")
            told = Truth(truth.incident_id, seen.get("status"), people, priority)
            if told != truth:
                raise BrokenPromise(
                    Promise.IN_ORDER, f"{event.id} {event.type}: {told} not {truth}"
                )

    def _between_requests(self) -> set[str]:
        """Entries before the last one of an own action and not before its first, by anybody."""
        own = {action.id for action in self.scene.state.all_actions()}
        made_by = {x.id: x.echo_of for x in self.scene.state.events.values() if x.echo_of in own}
        entries = [made.entry for made in self.scene.ledger.entries]
        spans: dict[tuple[str, str | None], list[int]] = {}
        for place, entry in enumerate(entries):
            action_id = made_by.get(f"pd:{entry.id}")
            if action_id is not None:
                spans.setdefault((action_id, entry.incident_id), []).append(place)
        return {
            entries[place].id
            for (_, incident_id), places in spans.items()
            for place in range(places[0], places[-1])
            if entries[place].incident_id == incident_id
        }

    def _rows(self) -> None:
        for record_id, writes in _by_row(self.scene.ledger.writes, INCIDENT).items():
            self._creation(record_id, writes)
            self._deletion(record_id, writes)
            for field_name, path in FIELDS.items():
                self._last_value(record_id, writes, field_name, path)

    def _creation(self, record_id: str, writes: list[RowWrite]) -> None:
        created = self.scene.of_record(record_id, "create")
        if writes[0].who is Who.DAEMON:
            if created:
                raise BrokenPromise(
                    Promise.NO_ECHO, f"{record_id} is pagerforce's own record: {created[0].id}"
                )
            return
        self.scene.tally.changes += 1
        if len(created) > 1:
            raise BrokenPromise(Promise.RULED_ONCE, f"{record_id} was created {len(created)} times")
        if created:
            self.scene.tally.ruled += 1
        elif any(write.row.is_deleted for write in writes):
            self.scene.tally.folded += 1  # created and deleted before anybody looked
        else:
            raise BrokenPromise(Promise.NOTHING_LOST, f"the creation of {record_id}")

    def _deletion(self, record_id: str, writes: list[RowWrite]) -> None:
        is_known = record_id in self.scene.state.records
        turns = [e.type for e in self.scene.of_record(record_id, "delete", "undelete")]
        is_deleted = writes[-1].row.is_deleted
        was_seen_alive = bool(self.scene.of_record(record_id, "create", "update", "undelete"))
        is_ours = writes[0].who is Who.DAEMON
        was_seen_alive = was_seen_alive or (is_ours and not self._was_deleted_at_once(writes))
        if not was_seen_alive and is_deleted:
            return  # deleted before anybody looked
        if is_known and is_deleted is not (turns[-1:] == ["delete"]):
            text = f"{record_id} is deleted: {is_deleted}, events: {turns}"
            raise BrokenPromise(Promise.NOTHING_LOST, text)

    def _was_deleted_at_once(self, writes: list[RowWrite]) -> bool:
        """Before the daemon had read back the record that it created."""
        known_at = self.scene.watch.known_at.get(writes[0].row.id, 0.0)
        return any(write.row.is_deleted and write.second <= known_at for write in writes)

    def _last_value(
        self, record_id: str, writes: list[RowWrite], field_name: str, path: str
    ) -> None:
        """The last value that somebody gave to a field is in an event; earlier ones may be folded."""
        given = [write for write in writes if field_name in write.changed]
        people = [write for write in given if write.who is Who.PEOPLE and not write.is_new]
        self.scene.tally.changes += len(people)
        whole = self.scene.of_record(
            record_id, "create", "undelete"
        )  # reported with its current value, changed or not
        seen = {self.scene.shown(event.record.get(path)) for event in whole}
        seen |= {
            self.scene.shown(event.record.get(path))
            for event in self.scene.of_record(record_id, "update", "delete")
            if path in event.changed
        }
        told = [write for write in people if self.scene.value(write, field_name) in seen]
        self.scene.tally.ruled += len(told)
        self.scene.tally.folded += len(people) - len(told)
        if not people or people[-1] is not given[-1] or writes[-1].row.is_deleted:
            return
        last = self.scene.value(people[-1], field_name)
        was_before = any(self.scene.value(write, field_name) == last for write in given[:-1])
        if self._is_wanted_too(record_id, field_name, last):
            return
        if last not in seen and not was_before and record_id in self.scene.state.records:
            text = f"{field_name} of {record_id} became {last!r}; reported: {seen}"
            raise BrokenPromise(Promise.NOTHING_LOST, text)

    def _is_wanted_too(self, record_id: str, field_name: str, value: object) -> bool:
        """The daemon was about to write the same value: whose it is can't be known, and does not matter."""
        return any(
            action.record_id == record_id
            and action.do == "salesforce.set_field"
            and field_name in action.args
            and ("found written" in action.reason or (action.was_unknown and _sets(action, value)))
            for action in self.scene.state.all_actions()
        )

    def _comments(self) -> None:
        for made in self.scene.people_comments():
            row = self.scene.ledger.sf.store.newest(made.row.id)
            if row is None or row.is_deleted:
                continue
            what = f"comment {made.row.values[f'{P}note__c']!r}"
            self.scene.ruled(self.scene.found(f"sf:{made.row.id}", what), what)

    def _echoes(self) -> None:
        """Every reported change of somebody's was really caused by somebody."""
        rows = _by_row(self.scene.ledger.writes, INCIDENT)
        ours = {
            f"sf:{write.row.id}"
            for write in self.scene.ledger.writes
            if write.row.object == HISTORY and write.is_new and write.who is Who.DAEMON
        }
        for event in self.scene.state.events.values():
            if event.echo_of is not None:
                continue
            if event.id in ours:
                raise BrokenPromise(Promise.NO_ECHO, f"{event.id} is a comment of pagerforce's")
            if event.source == "salesforce" and event.type == "update":
                self._is_somebodys(event, rows[str(event.record_id)])

    def _is_somebodys(self, event: StoredEvent, writes: list[RowWrite]) -> None:
        by_path = {path: name for name, path in FIELDS.items()} | {WORDS: WORDS}
        for path in event.changed:
            if path == PARENT and event.record.get(path) in self.scene.codes:
                return
            name = by_path.get(path)
            if name is None:
                continue
            value = self.scene.shown(event.record.get(path))
            for write in writes:
                is_it = write.who is Who.PEOPLE and name in write.changed
                if is_it and self.scene.value(write, name) == value:
                    return
        if not self._was_edited_at_once(writes):
            raise BrokenPromise(Promise.NO_ECHO, f"nobody did {event.id}: {event.changed}")

    def _was_edited_at_once(self, writes: list[RowWrite]) -> bool:
        """Before the daemon had read back the record that it created: it can't know whose value it is."""
        known_at = self.scene.watch.known_at.get(writes[0].row.id, 0.0)
        return writes[0].who is Who.DAEMON and any(
            write.who is Who.PEOPLE and write.second <= known_at for write in writes
        )


def _is_beside_an_act(entry: Entry) -> bool:
    """Whether the service assigned it by itself, which after a trigger is an event of its own."""
    return entry.type == "assign_log_entry" and entry.channel.get("type") == "auto"


def _by_row(writes: Iterable[RowWrite], object_name: str) -> dict[str, list[RowWrite]]:
    found: dict[str, list[RowWrite]] = defaultdict(list)
    for write in writes:
        if write.row.object == object_name:
            found[write.row.id].append(write)
    return found


def _sets(action: StoredAction, value: object) -> bool:
    args = json.loads(action.args)
    return value in (args.get("value"), (args.get("lookup") or {}).get("Name"))
