"""Incidents that their log entries contradict: read again after a while, and then believed.

PagerDuty shows the current incident beside each entry. Once everything has been read, the entries
must lead to the same state. If they do not, an entry is late or a belief about PagerDuty is wrong:
after a while the incident itself is read, and the values that it still shows are accepted.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from pagerforce.diff.fold import contradicted_fields
from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import Incident

PATIENCE_SECONDS = 20.0
"""An entry that is later than its incident's change by more than this becomes a second event."""
_MOST = 1_000
_MOST_ASKED = 10


class _Suspect(Struct, frozen=True):
    """An incident that its entries contradict: since when, and the ``names`` of the fields."""

    since: float
    seen: Incident
    names: frozenset[str]


class Suspects(Struct):
    """Kept in memory: after a restart the next entry or comparison finds them again."""

    _found: dict[IncidentId, _Suspect] = msgspec.field(default_factory=dict)
    _present: dict[IncidentId, tuple[Incident, frozenset[str]]] = msgspec.field(
        default_factory=dict
    )

    def note(self, shown: Mapping[IncidentId, tuple[Incident, Incident]]) -> None:
        """Compares the snapshots after a batch with its last entries: the last batch counts."""
        for key, (held, now) in shown.items():
            self._present[key] = now, contradicted_fields(held, now)

    def end_round(self, seconds: float) -> list[IncidentId]:
        """After everything is read: the incidents that have been contradicted for long enough."""
        for key, (now, names) in self._present.items():
            known = self._found.get(key)
            if not names:
                self._found.pop(key, None)
            elif (known is None or not names <= known.names) and len(self._found) < _MOST:
                self._found[key] = _Suspect(seconds, now, names)
        self._present.clear()
        due = [key for key, item in self._found.items() if seconds - item.since >= PATIENCE_SECONDS]
        return due[:_MOST_ASKED]

    def believe(self, incidents: Iterable[Incident]) -> dict[IncidentId, frozenset[str]]:
        """For each incident read again, the fields that are still as shown; it is removed."""
        believed = {}
        for now in incidents:
            suspect = self._found.pop(now.id, None)
            if suspect is not None:
                changed = contradicted_fields(suspect.seen, now)
                believed[now.id] = suspect.names - changed
        return believed

    def forget(self, ids: Iterable[IncidentId]) -> None:
        """Forgets incidents, e.g. those that are gone or not visible."""
        for key in ids:
            self._found.pop(key, None)
