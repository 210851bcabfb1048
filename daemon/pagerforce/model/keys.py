"""Keys of pagerforce's own incidents: the record and the action of an incident. Pure.

An incident shows its key while it has no alerts. A page is therefore found after a lost answer by
the whole key, and after a restore by the record in the key.
"""

from msgspec import Struct

from pagerforce.model.ids import RecordId

_PREFIX = "pagerforce"
_SEPARATOR = ":"


class IncidentKey(Struct, frozen=True):
    """The record of a page, and the action that creates the page."""

    object: str
    record_id: RecordId
    action: str

    def __str__(self) -> str:
        return _SEPARATOR.join((_PREFIX, self.object, self.record_id, self.action))


def parse_incident_key(text: str | None) -> IncidentKey | None:
    """A key of pagerforce; None if it is another key."""
    parts = (text or "").split(_SEPARATOR)
    if len(parts) != 4 or parts[0] != _PREFIX or not all(parts):
        return None
    return IncidentKey(parts[1], RecordId(parts[2]), parts[3])
