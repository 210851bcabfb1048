"""Notes and comments: each copied once, in order, and only what was written after the link."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pagerforce.model.value import parse_instant
from simulation.ledger import HISTORY, LogEntry, P, Who
from simulation.promises import BrokenPromise, Promise
from simulation.scene import Scene
from simulation.watch import is_repeated, token_in

_CLOCK_DOUBT = timedelta(seconds=4)


@dataclass(frozen=True, slots=True)
class Copies:
    """Everything written on one side is on the other side."""

    scene: Scene

    def run(self) -> None:
        self._of_comments()
        self._of_notes()
        self._order()

    def _of_comments(self) -> None:
        notes = Counter(
            token_in(made.text)
            for made in self.scene.ledger.entries
            if made.who is Who.DAEMON and made.entry.type == "annotate_log_entry"
        )
        for made in self.scene.people_comments():
            token = token_in(made.row.values[f"{P}note__c"])
            record = str(made.row.values[f"{P}FKIncident__c"])
            if self.scene.was_deleted(record):
                continue
            created_at = made.row.values["CreatedDate"]
            for link in self.scene.state.links:
                if link.record_id == record:
                    count = notes[token]
                    if link.incident_id in self.scene.people.merged:
                        continue  # before the merge or after: Watch checks that it is once on each
                    self._is_copied(token, count, created_at, link.record_at, f"sf:{made.row.id}")

    def _of_notes(self) -> None:
        comments = Counter(
            (str(row.values[f"{P}FKIncident__c"]), token_in(row.values[f"{P}note__c"]))
            for row in self.scene.ledger.sf.store.scan(HISTORY)
            if self._is_ours(row.id)
        )
        for made in self.scene.ledger.entries:
            is_note = made.who is Who.PEOPLE and made.entry.type == "annotate_log_entry"
            if not is_note or made.text in self.scene.ledger.repeated:
                continue
            incident = self.scene.ledger.pd.state.incidents[str(made.entry.incident_id)]
            self._is_on_what_moved(made, comments)
            for link in self.scene.state.links:
                if link.incident_id != incident.id or self.scene.was_deleted(link.record_id):
                    continue
                count = comments[link.record_id, token_in(made.text)]
                if incident.id in self.scene.people.merged or self.scene.came_late(incident.id):
                    continue
                self._is_copied(
                    token_in(made.text),
                    count,
                    made.entry.created_at,
                    link.created_at,
                    f"pd:{made.entry.id}",
                )

    def _is_on_what_moved(self, made: LogEntry, comments: Counter[tuple[str, str | None]]) -> None:
        """A note from before a merge is on the records that its incident had until then.

        Not on those that an earlier merge added to it, maybe after the note.
        """
        source = str(made.entry.incident_id)
        ended = [
            item.entry.created_at
            for item in self.scene.ledger.entries
            if item.entry.incident_id == source and item.entry.type == "resolve_log_entry"
        ]
        if self.scene.came_late(source) or not ended or made.entry.created_at > ended[-1]:
            return
        moved, incidents = self.scene.state.moved, self.scene.ledger.pd.state.incidents
        records = {record for incident, record in moved if incident == source}
        records -= {
            record for incident, record in moved if incidents[incident].merged_into == source
        }
        for link in self.scene.state.links:
            if link.record_id in records and not self.scene.was_deleted(link.record_id):
                token = token_in(made.text)
                self._is_copied(
                    token,
                    comments[link.record_id, token],
                    made.entry.created_at,
                    link.created_at,
                    f"pd:{made.entry.id}",
                )

    def _is_ours(self, row_id: str) -> bool:
        return any(
            w.row.id == row_id and w.is_new and w.who is Who.DAEMON
            for w in self.scene.ledger.writes
        )

    def _is_copied(
        self, token: str | None, count: int, made_at: object, linked_at: str, event_id: str
    ) -> None:
        """Once if it was written after the link, not at all if before; at that moment, either."""
        if not isinstance(made_at, datetime):
            raise TypeError(event_id)
        since = made_at - parse_instant(linked_at)
        event = self.scene.state.events[event_id]
        actions = self.scene.state.actions.get(event.seq, [])
        if any(a.state == "dead_letter" for a in actions):
            return
        if count > 1:
            raise BrokenPromise(Promise.NO_SECOND_NOTE, f"{token} stands {count} times")
        if since > _CLOCK_DOUBT and count == 0:
            raise BrokenPromise(Promise.NOTHING_LOST, f"{token} was never copied: {actions}")
        if since < -_CLOCK_DOUBT and count == 1:
            raise BrokenPromise(Promise.NO_SECOND_NOTE, f"{token} is from before the link")
        self.scene.tally.copies += count

    def _order(self) -> None:
        """Copies on an incident or record have the order of the events that they come from."""
        places: dict[tuple[str, object], list[tuple[int, str]]] = defaultdict(list)
        tokens = {
            token_in(event.data.get("note")): event
            for event in self.scene.state.events.values()
            if event.echo_of is None and event.type in ("comment", "annotate")
        }
        tokens.pop(None, None)  # without one: a later part of a long text
        for where, text in self._as_made():
            event = tokens.get(token_in(text))
            if is_repeated(text, self.scene.ledger.repeated):
                continue
            if event is not None:
                places[where, event.record_id or event.incident_id].append((event.seq, text))
        for (where, _), copies in places.items():
            if copies != sorted(copies):
                raise BrokenPromise(Promise.IN_ORDER, f"on {where}: {[text for _, text in copies]}")

    def _as_made(self) -> Iterator[tuple[str, str]]:
        for made in self.scene.ledger.entries:
            if made.who is Who.DAEMON and made.entry.type == "annotate_log_entry":
                yield str(made.entry.incident_id), made.text
        for write in self.scene.ledger.writes:
            if write.is_new and write.row.object == HISTORY and write.who is Who.DAEMON:
                values = write.row.values
                yield str(values[f"{P}FKIncident__c"]), str(values[f"{P}note__c"])
