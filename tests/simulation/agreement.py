"""Converged: the daemon's state is the real state, and linked pairs agree or differ for a known reason."""

from dataclasses import dataclass
from datetime import datetime

from simulation.ledger import P, Who
from simulation.promises import BrokenPromise, Promise
from simulation.scene import FIELDS, Scene


@dataclass(frozen=True, slots=True)
class Agreement:
    """Both sides at rest."""

    scene: Scene

    def run(self) -> None:
        self._snapshots()
        self._pairs()

    def _snapshots(self) -> None:
        """The daemon's snapshots are the real state."""
        for incident_id, known in self.scene.state.incidents.items():
            real = self.scene.ledger.pd.state.incidents[incident_id]
            there = {"status": real.status}
            if real.is_open:  # changes without an entry are searched for on open incidents only
                there |= {
                    "title": real.title,
                    "urgency": real.urgency,
                    "assignees": sorted(item.user_id for item in real.assignments),
                    "priority": real.priority_id,
                    "service": real.service_id,
                    "escalation_policy": real.policy_id,
                }
            held = {name: _id_of(known.get(name)) for name in there}
            if held != there:
                raise BrokenPromise(Promise.CONVERGED, f"{incident_id} is {there}, held as {held}")
        for record_id, known in self.scene.state.records.items():
            row = self.scene.ledger.sf.store.newest(record_id)
            if row is None or row.is_deleted:
                continue
            for name in FIELDS:
                held = known["fields"].get(name)
                if name in known["fields"] and held != row.values.get(name):
                    text = f"{name} of {record_id} is {row.values.get(name)!r}, held as {held!r}"
                    raise BrokenPromise(Promise.CONVERGED, text)

    def _pairs(self) -> None:
        """A resolved incident's records are closed, and vice versa."""
        for link in self.scene.state.links:
            row = self.scene.ledger.sf.store.newest(link.record_id)
            if row is None or row.is_deleted or not link.is_active:
                continue
            incident = self.scene.ledger.pd.state.incidents[link.incident_id]
            if incident.is_open is row.values[f"{P}state__c"]:
                self.scene.tally.agreeing += 1
            elif self._is_excused(link.incident_id, link.record_id):
                self.scene.tally.excused += 1
            else:
                state = row.values[f"{P}state__c"]
                text = f"{incident.id} is {incident.status}, {link.record_id} open: {state}"
                raise BrokenPromise(Promise.CONVERGED, text)

    def _is_excused(self, incident_id: str, record_id: str) -> bool:
        """No rule says what to do, or a newer edit of a person is kept and that is reported."""
        reopened = any(
            write.row.id == record_id
            and write.who is Who.PEOPLE
            and write.changed.get(f"{P}state__c") is True
            and not write.is_new
            for write in self.scene.ledger.writes
        )
        reported = any(
            action.record_id == record_id
            and (action.state == "dead_letter" or "newer value" in action.reason)
            for action in self.scene.state.all_actions()
        )
        siblings = [link for link in self.scene.state.links if link.incident_id == incident_id]
        return (
            reopened
            or reported
            or len(siblings)
            > 1  # closing one record resolves the incident, and pagerforce does that
            or self.scene.was_deleted(record_id)
            or self._has_crossed(incident_id, record_id)
            or self._was_resolved_unseen(incident_id)
        )

    def _has_crossed(self, incident_id: str, record_id: str) -> bool:
        """Somebody acted on the incident after the record was closed, but before pagerforce resolved it.

        On that one, or on the one that was merged into it with the record.
        The newer act wins in the record, but the older close has already resolved the incident. "After"
        is by the stamps: nobody knows by how much the clocks of the two sides differ.
        """
        closed = [
            _shown(write.row.values["LastModifiedDate"])
            for write in self.scene.ledger.writes
            if write.row.id == record_id
            and write.who is Who.PEOPLE
            and write.changed.get(f"{P}state__c") is False
        ]
        merged = {incident for incident, record in self.scene.state.moved if record == record_id}
        entries = [
            item
            for item in self.scene.ledger.entries
            if item.entry.incident_id in (merged | {incident_id})
        ]
        resolved = [
            item.second
            for item in entries
            if item.who is Who.DAEMON
            and item.entry.type == "resolve_log_entry"
            and item.entry.incident_id == incident_id
        ]
        return any(
            _shown(item.entry.created_at) > start and item.second <= end
            for start, end in zip(closed[-1:], resolved[-1:], strict=False)
            for item in entries
            if item.who is Who.PEOPLE and item.entry.type == "acknowledge_log_entry"
        )

    def _was_resolved_unseen(self, incident_id: str) -> bool:
        """It was reopened before its late resolve entry was seen: there is nothing to report."""
        found = [e for e in self.scene.state.events.values() if e.incident_id == incident_id]
        late = [
            event
            for event in found
            if event.type == "resolve"
            and any(o.seq < event.seq and o.data["at"] > event.data["at"] for o in found)
        ]
        return incident_id in self.scene.people.reopened and bool(late)


def _id_of(value: object) -> object:
    """A stored reference as its id, people as their sorted ids; anything else unchanged."""
    if isinstance(value, dict):
        return value["id"]
    if isinstance(value, list):
        return sorted(str(person["id"]) for person in value)
    return value


def _shown(at: object) -> datetime:
    """A stamp as both APIs show it: to the second."""
    if not isinstance(at, datetime):
        raise TypeError(f"{at!r} is no stamp")
    return at.replace(microsecond=0)
