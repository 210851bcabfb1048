"""A link: the stored pair of an incident and a record."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pagerforce.model.ids import IncidentId, RecordId


class LinkState(StrEnum):
    """What users see as a link's state."""

    ACTIVE = "active"
    PAUSED = "paused"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Link:
    """This incident belongs to that record.

    ``created_at`` is in PagerDuty's clock, ``record_at`` the same moment in Salesforce's.
    """

    incident_id: IncidentId
    object: str
    record_id: RecordId
    state: LinkState
    created_at: datetime
    record_at: datetime
