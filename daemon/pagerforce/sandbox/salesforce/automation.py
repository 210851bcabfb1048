"""Automation of an administrator: flows, rich text, limits, duplicate rules, roll-ups, approvals.

All off until a test, or a person with curl, turns it on for an object; then it applies to writes of
people and of the API. Facts: docs/vendors/salesforce.md#errors and #values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pagerforce.sandbox.salesforce.coerce import coerce
from pagerforce.sandbox.salesforce.dml import Draft, Hooks
from pagerforce.sandbox.salesforce.errors import ApiError, too_long
from pagerforce.sandbox.salesforce.flows import Flow
from pagerforce.sandbox.salesforce.render import Json
from pagerforce.sandbox.salesforce.rich_text import RichText, encoded_bytes
from pagerforce.sandbox.salesforce.schema import Schema, Value
from pagerforce.sandbox.salesforce.store import Row
from pagerforce.sandbox.salesforce.transaction import Transaction

Place = tuple[str, str]
"""An object and a field of it."""

DUPLICATE_MESSAGE = (
    "You're creating a duplicate record. We recommend you use an existing record instead."
)


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """A duplicate rule on new rows: all these fields equal, in any spelling.

    Attributes:
        blocks: refuses whatever the caller allows; else it only alerts, and ``allowSave=true``
            saves.
    """

    object: str
    fields: tuple[str, ...]
    blocks: bool = False
    name: str = "Standard_Duplicate_Rule"


@dataclass(frozen=True, slots=True)
class BadField:
    """A field that refuses every new value.

    Attributes:
        is_named: whether the answer's ``fields`` names it; else the list is there and empty.
    """

    object: str
    field: str
    code: str = "FIELD_INTEGRITY_EXCEPTION"
    message: str = "the value is not one for this field"
    is_named: bool = True


@dataclass(frozen=True, slots=True)
class RollUp:
    """Counts live children on their parent; only the parent's SystemModstamp moves."""

    child: str
    lookup: str
    field: str


@dataclass(slots=True)
class Automation:
    """The automation that is on.

    Attributes:
        flows: run in this order on each write.
        rich: rich text fields, in addition to the schema's.
        byte_limits: most UTF-8 bytes of a text in its HTML encoding.
        bad_fields: the first one in a write refuses it.
        approvals: Ids of rows that wait for an approval: the API may not change or delete them.
        deleted_fields: absent from describe, SOQL and writes; their values stay for a restore.
    """

    flows: list[Flow] = field(default_factory=list)
    rich_texts: dict[Place, RichText] = field(default_factory=dict)
    byte_limits: dict[Place, int] = field(default_factory=dict)
    duplicates: list[DuplicateRule] = field(default_factory=list)
    bad_fields: list[BadField] = field(default_factory=list)
    roll_ups: list[RollUp] = field(default_factory=list)
    approvals: set[str] = field(default_factory=set)
    deleted_fields: set[Place] = field(default_factory=set)
    _shaped: tuple[object, Schema] | None = None

    def hooks(self) -> Hooks:
        """The functions that the write path calls."""
        return Hooks(before=self._before, validate=self._find_duplicate, after=self._roll_up)

    def shape(self, full: Schema) -> Schema:
        """The org's schema with the administrator's changes."""
        if not self.deleted_fields and not self.rich_texts:
            return full
        key = (frozenset(self.deleted_fields), frozenset(self.rich_texts))
        if self._shaped is None or self._shaped[0] != key:
            self._shaped = key, _shape(full, self.deleted_fields, self.rich_texts)
        return self._shaped[1]

    def check_approval(self, row_id: str) -> None:
        """Refuses the API's changes to a row that waits for an approval.

        Raises:
            ApiError: ENTITY_IS_LOCKED.
        """
        if row_id in self.approvals:
            raise ApiError("ENTITY_IS_LOCKED", "entity is locked for editing", fields=())

    def _before(self, draft: Draft, tx: Transaction) -> None:
        for bad in self.bad_fields:
            if bad.object == draft.item.name and bad.field in draft.written:
                fields = [bad.field] if bad.is_named else []
                raise ApiError(bad.code, bad.message, fields=fields)
        for flow in self.flows:
            if flow.object == draft.item.name:
                flow.run(draft, tx)
        for name in sorted(draft.written):
            self._fit(draft, name)

    def _fit(self, draft: Draft, name: str) -> None:
        """Stores rich text in its HTML form, and checks fields with a limit in bytes."""
        value, place = draft.values.get(name), (draft.item.name, name)
        target = draft.item.fields[name.lower()]
        if not isinstance(value, str):
            return
        if place in self.rich_texts:
            made = self.rich_texts[place].stored(value)
            if len(made) > target.length:
                raise too_long(target, value, target.length)
            draft.values[name] = made
        limit = self.byte_limits.get(place)
        if limit is not None and encoded_bytes(value) > limit:
            raise too_long(target, value, limit)

    def _find_duplicate(self, draft: Draft, tx: Transaction) -> None:
        if draft.before is not None:
            return
        for rule in self.duplicates:
            if rule.object != draft.item.name or (tx.saves_alerted and not rule.blocks):
                continue
            found = [row.id for row in _alike(rule, draft, tx)]
            if found:
                detail = _duplicate_result(rule, found)
                raise ApiError("DUPLICATES_DETECTED", DUPLICATE_MESSAGE, detail=detail)

    def _roll_up(self, row: Row, tx: Transaction) -> None:
        for roll_up in self.roll_ups:
            parent_id = row.values.get(roll_up.lookup)
            parent = tx.find(parent_id) if isinstance(parent_id, str) else None
            if roll_up.child != row.object or parent is None:
                continue
            target = tx.schema.get(parent.object).fields[roll_up.field.lower()]
            count = coerce(target, len(tx.holders(row.object, roll_up.lookup, parent.id)))
            if parent.values.get(target.name) != count:
                tx.touch(parent.id, {target.name: count}, as_edit=False)


def _shape(full: Schema, deleted: set[Place], rich_texts: Mapping[Place, RichText]) -> Schema:
    shaped = full.without(deleted, ())
    for object_name, name in rich_texts:
        item = shaped.get(object_name)
        target = item.find(name)
        if target is not None:
            fields = {**item.fields, name.lower(): replace(target, html=True)}
            shaped.objects[object_name.lower()] = replace(item, fields=fields)
    return shaped


def _alike(rule: DuplicateRule, draft: Draft, tx: Transaction) -> Iterator[Row]:
    wanted = [_folded(draft.values.get(name)) for name in rule.fields]
    if None in wanted:
        return
    for row in tx.scan(rule.object):
        values = [_folded(row.values.get(name)) for name in rule.fields]
        if not row.is_deleted and row.id != draft.id and values == wanted:
            yield row


def _folded(value: Value) -> Value:
    return value.lower() if isinstance(value, str) else value


def _duplicate_result(rule: DuplicateRule, found: list[str]) -> Json:
    """The object beside the error; its key has the vendor's spelling."""
    records = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {
                "attributes": {
                    "type": rule.object,
                    "url": f"/services/data/v62.0/sobjects/{rule.object}/{row_id}",
                },
                "Id": row_id,
            },
        }
        for row_id in found
    ]
    match = {
        "entityType": rule.object,
        "errors": [],
        "matchEngine": "ExactMatchEngine",
        "matchRecords": records,
        "rule": f"{rule.name}_Match",
        "size": len(records),
        "success": True,
    }
    return {
        "duplicateResut": {
            "allowSave": not rule.blocks,
            "duplicateRule": rule.name,
            "duplicateRuleEntityType": rule.object,
            "errorMessage": DUPLICATE_MESSAGE,
            "matchResults": [match],
        }
    }
