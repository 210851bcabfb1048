"""Salesforce records and comments. Facts: docs/vendors/salesforce.md."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from pagerforce.model.ids import RecordId
from pagerforce.model.incident import NOBODY, Person
from pagerforce.model.value import Fields


class Record(Struct, frozen=True, omit_defaults=True):
    """One row of an object at one moment.

    Attributes:
        object: API name of the object, e.g. ``BMCServiceDesk__Incident__c``.
        fields: flat; parent values have their path as key
            (``BMCServiceDesk__FKCategory__r.Name``). A field that was not read is absent, an empty
            one is None.
        modified_at: LastModifiedDate; stamp: SystemModstamp (whole seconds, may be later).
        merged_into: MasterRecordId of a row that was merged away.
        caused_at / caused_by: when and by whom possible parents of this record were changed
            lately; not stored.
        changed_at: of a snapshot, per field: the last change by somebody else that polls saw.
    """

    object: str
    id: RecordId
    fields: Fields
    stamp: datetime
    created_at: datetime
    modified_at: datetime
    created_by: Person = NOBODY
    modified_by: Person = NOBODY
    is_deleted: bool = False
    merged_into: RecordId | None = None
    changed_at: Mapping[str, datetime] = msgspec.field(default_factory=dict)
    caused_at: datetime | None = None
    caused_by: Person | None = None

    @property
    def version(self) -> datetime:
        """The time that a guarded write compares: the record has no change of a later second."""
        return max(self.stamp, self.modified_at)

    @property
    def was_edited(self) -> bool:
        """Whether the last change is by another user than its creator."""
        return self.modified_by.id not in (None, self.created_by.id)


class Comment(Struct, frozen=True):
    """A child row with human text, e.g. one ``BMCServiceDesk__IncidentHistory__c``.

    Attributes:
        object: API name of the comment object; parent_object: API name of its record's object.
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
