"""Salesforce records and comments in our own words. Facts: docs/vendors/salesforce.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pagerforce.model.ids import RecordId
from pagerforce.model.incident import Person
from pagerforce.model.value import Fields


@dataclass(frozen=True, slots=True)
class Record:
    """One row of an object as seen at one moment.

    Attributes:
        object: API name of the object, e.g. ``BMCServiceDesk__Incident__c``.
        fields: flat; parent values stand under their path
            (``BMCServiceDesk__FKCategory__r.Name``). A field that was not read is absent, an empty
            one is None.
        modified_at: LastModifiedDate; stamp: SystemModstamp (whole seconds, may be later).
        merged_into: MasterRecordId of a row merged away.
        caused_at / caused_by: when and by whom parents were changed lately, of which this may be a
            child; not kept.
        changed_at: of a snapshot, per field: when somebody else last changed it, as far as polls saw.
    """

    object: str
    id: RecordId
    fields: Fields
    stamp: datetime
    created_at: datetime
    modified_at: datetime
    created_by: Person = field(default_factory=Person)
    modified_by: Person = field(default_factory=Person)
    is_deleted: bool = False
    merged_into: RecordId | None = None
    changed_at: Mapping[str, datetime] = field(default_factory=dict)
    caused_at: datetime | None = None
    caused_by: Person | None = None

    @property
    def was_edited(self) -> bool:
        """Whether somebody else than its maker was the last to change it."""
        return self.modified_by.id not in (None, self.created_by.id)


@dataclass(frozen=True, slots=True)
class Comment:
    """A child row that holds human text, e.g. one ``BMCServiceDesk__IncidentHistory__c``.

    Attributes:
        object: API name of the comment object; parent_object: that of the record it hangs on.
    """

    object: str
    id: RecordId
    parent_object: str
    parent_id: RecordId
    body: str
    author: Person
    created_at: datetime
    stamp: datetime
    is_deleted: bool = False
