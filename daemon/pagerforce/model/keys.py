"""Incident keys of pages of ours: which record and which action an incident stands for. Pure.

An incident shows its key for as long as it has no alerts, so that a page is found again after a lost
answer by the whole key, and after a restore by the record in it.
"""

from dataclasses import dataclass

from pagerforce.model.ids import RecordId

_PREFIX = "pagerforce"
_SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class IncidentKey:
    """The record a page is for, and the action that makes it."""

    object: str
    record_id: RecordId
    action: str

    def __str__(self) -> str:
        return _SEPARATOR.join((_PREFIX, self.object, self.record_id, self.action))


def parse_incident_key(text: str | None) -> IncidentKey | None:
    """A key of ours; None where it is somebody else's."""
    parts = (text or "").split(_SEPARATOR)
    if len(parts) != 4 or parts[0] != _PREFIX or not all(parts):
        return None
    return IncidentKey(parts[1], RecordId(parts[2]), parts[3])
