"""Creates, reads and deletes the test records of ``verify``, also those of an interrupted run."""

from collections.abc import Mapping
from functools import partial

import msgspec
from msgspec import Struct

from pagerforce.errors import RemoteError, UnknownOutcomeError
from pagerforce.model.ids import RecordId
from pagerforce.model.value import Scalar
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.decode import found_id
from pagerforce.salesforce.schema import FieldInfo, ObjectInfo
from pagerforce.salesforce.soql import Select, compare, equals
from pagerforce.service.verify.closing import close, find_lost
from pagerforce.service.verify.findings import refusal

MARK = "[pagerforce verify: record]"
"""Unlike the incident's title: a rule may copy that into a record that must not be deleted."""

_MOST = 50
_TEXTS = frozenset({"string", "textarea"})
_LIKELY = ("shortdescription", "subject", "title", "summary", "description", "name")
STAMPS = ("CreatedDate", "LastModifiedDate", "SystemModstamp")


def find_text_field(info: ObjectInfo) -> FieldInfo | None:
    """Returns the field for the mark: a text that can be written and searched."""
    fits = [
        one
        for one in info.fields.values()
        if one.type in _TEXTS
        and one.is_createable
        and one.is_updateable
        and one.is_filterable
        and not one.is_calculated
        and not one.is_external_id
        and not one.is_unique
        and (one.length == 0 or one.length >= 80)
    ]
    return min(fits, key=_likelihood, default=None)


def _likelihood(one: FieldInfo) -> tuple[int, str]:
    plain = one.name.lower().replace("_", "")
    places = [place for place, part in enumerate(_LIKELY) if part in plain]
    return (places[0] if places else len(_LIKELY), one.name)


def fill_required(
    info: ObjectInfo, given: Mapping[str, Scalar], user_id: str
) -> tuple[dict[str, Scalar], list[str]]:
    """Returns values for the required fields of a record, and the fields without a value."""
    values: dict[str, Scalar] = dict(given)
    missing: list[str] = []
    for one in info.fields.values():
        is_needed = one.is_createable and not one.is_nillable and one.is_defaulted is not True
        if not is_needed or one.name in values or one.type == "boolean":
            continue
        if one.type in _TEXTS:
            values[one.name] = MARK[: one.length or None]
        elif one.picklist_values:
            values[one.name] = one.picklist_values[0]
        elif "User" in one.reference_to:
            values[one.name] = user_id
        else:
            missing.append(one.name)
    return values, sorted(missing)


class TestRecords(Struct):
    """One run's records of one object.

    Attributes:
        text_field: the field with the mark.
        made: Ids of the records to delete.
    """

    client: SalesforceClient
    object_name: str
    text_field: str
    user_id: RecordId
    made: list[RecordId] = msgspec.field(default_factory=list)
    _is_unsure: bool = False

    __test__ = False  # not a test class, despite its name

    async def create(self, values: Mapping[str, Scalar]) -> RecordId:
        """Creates a record with the mark and returns its Id; raises ``RemoteError``."""
        self._is_unsure = True
        try:
            record_id = await self.client.create(
                self.object_name,
                {**values, self.text_field: f"{MARK} nothing to do, it is deleted"},
            )
        except UnknownOutcomeError:
            raise  # it may exist: the end of the run searches for it
        except RemoteError:
            self._is_unsure = False
            raise
        self.made.append(record_id)
        self._is_unsure = False
        return record_id

    async def read(self, record_id: RecordId, *, deleted: bool = False) -> Mapping[str, object]:
        """Returns the raw record, empty if it is not found; raises ``RemoteError``."""
        fields = ("Id", "IsDeleted", "CreatedById", "LastModifiedById", *STAMPS, self.text_field)
        select = Select(self.object_name, fields, (equals("Id", record_id),))
        rows = await self.client.query_to_end(select.text(), deleted=deleted)
        return rows[0] if rows else {}

    async def leftovers(self) -> list[RecordId]:
        """Returns Ids of records with the mark by the same user; raises ``RemoteError``."""
        marked = compare(self.text_field, "LIKE", f"{MARK}%")
        select = Select(
            self.object_name,
            ("Id", "CreatedById", self.text_field),
            (marked, equals("CreatedById", self.user_id)),
            limit=_MOST,
        )
        rows = await self.client.query_to_end(select.text())
        return [found_id(row) for row in rows if str(row.get(self.text_field)).startswith(MARK)]

    async def close_all(self) -> list[str]:
        """Deletes every record of this run; returns what to do about each that it could not."""
        left: list[str] = []
        if self._is_unsure:
            try:
                self.made += await find_lost(self.leftovers, self.made)
            except RemoteError as error:
                left.append(
                    f"a record of {self.object_name} with {MARK} in {self.text_field} may exist;"
                    f" the search failed ({refusal(error)}): run verify again, or delete it"
                )
        for record_id in self.made:
            problem = await close(partial(self.client.delete, self.object_name, record_id))
            if problem:
                left.append(
                    f"record {record_id} could not be deleted ({problem}): close or delete it in"
                    " Salesforce"
                )
        return left
