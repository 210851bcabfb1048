"""The data that the checks of a history read and share."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from simulation.automation import HOURS, REGIONS
from simulation.ledger import HISTORY, Ledger, P, RowWrite, Who
from simulation.people import People
from simulation.promises import BrokenPromise, Promise
from simulation.state import State, StoredEvent
from simulation.watch import Watch

FIELDS = {
    f"{P}shortDescription__c": f"{P}shortDescription__c",
    f"{P}FKStatus__c": f"{P}FKStatus__r.Name",
    f"{P}FKPriority__c": f"{P}FKPriority__r.Name",
    "OwnerId": "OwnerId",
    HOURS: HOURS,
    REGIONS: REGIONS,
}
"""Fields that people, rules or flows change, and the path under which rules see them."""

PARENT = f"{P}FKCategory__r.{P}Abbreviation__c"
"""A parent's field that an administrator changes, as rules see it."""


@dataclass(slots=True)
class Tally:
    """Counts over a history.

    ``lost_answers``: attempts to create a record or comment with an unknown outcome; ``doubts``: those of
    the actions that were abandoned because nobody can know.
    """

    changes: int = 0
    ruled: int = 0
    folded: int = 0
    copies: int = 0
    agreeing: int = 0
    excused: int = 0
    lost_answers: int = 0
    doubts: int = 0


@dataclass(slots=True)
class Scene:
    """A history at rest: what happened, and what the daemon has stored of it.

    ``codes``: the codes that an administrator gave to parents.
    """

    ledger: Ledger
    people: People
    watch: Watch
    state: State
    codes: frozenset[str] = frozenset()
    tally: Tally = field(default_factory=Tally)

    def found(self, event_id: str, what: str) -> StoredEvent:
        event = self.state.events.get(event_id)
        if event is None:
            raise BrokenPromise(Promise.NOTHING_LOST, f"{what} was never evaluated")
        return event

    def count(self, event: StoredEvent) -> None:
        if event.echo_of is None:
            self.tally.changes += 1
            self.tally.ruled += 1

    def ruled(self, event: StoredEvent, what: str) -> None:
        self.tally.changes += 1
        if event.echo_of is not None:
            raise BrokenPromise(Promise.NOTHING_LOST, f"{what} was treated as an own write")
        self.tally.ruled += 1

    def of_record(self, record_id: str, *types: str) -> list[StoredEvent]:
        return [
            event
            for event in self.state.events.values()
            if event.record_id == record_id and event.type in types and event.echo_of is None
        ]

    def was_deleted(self, record_id: str) -> bool:
        return any(w.row.id == record_id and w.row.is_deleted for w in self.ledger.writes)

    def people_comments(self) -> Iterator[RowWrite]:
        return (
            write
            for write in self.ledger.writes
            if write.is_new and write.row.object == HISTORY and write.who is Who.PEOPLE
        )

    def came_late(self, incident_id: str) -> bool:
        """Its trigger entry became visible after the entries that follow it, which found nothing linked."""
        found = [e for e in self.state.events.values() if e.incident_id == incident_id]
        triggers = [event.seq for event in found if event.type == "trigger"]
        told = ("resolve", "reopen", "merge", "annotate")
        others = [event.seq for event in found if event.type in told]
        return bool(triggers and others) and min(others) < min(triggers)

    def value(self, write: RowWrite, field_name: str) -> str:
        value = write.row.values.get(field_name)
        target = self.ledger.sf.store.find(str(value)) if field_name.startswith(P) else None
        return self.shown(target.values["Name"] if target is not None else value)

    def shown(self, value: object) -> str:
        return str(value)
