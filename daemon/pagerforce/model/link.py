"""A link: the stored pair of an incident and a record."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from pagerforce.model.ids import IncidentId, RecordId


class LinkState(StrEnum):
    """A link's state, as users see it."""

    ACTIVE = "active"
    PAUSED = "paused"
    INACTIVE = "inactive"


class Link(Struct, frozen=True):
    """The pair of this incident and this record.

    ``created_at`` is in PagerDuty's clock, ``record_at`` the same moment in Salesforce's.
    """

    incident_id: IncidentId
    object: str
    record_id: RecordId
    state: LinkState
    created_at: datetime
    record_at: datetime
