"""Insert, update, delete, undelete: the one path of every write, by REST or by a person.

The order is the platform's: fields are checked and set, before-triggers derive values, then come
required fields, uniqueness, lookup filters and validation rules, the row is saved, after-triggers
run.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pagerforce.sandbox.salesforce.coerce import coerce
from pagerforce.sandbox.salesforce.errors import (
    ApiError,
    entity_is_deleted,
    not_found,
    unknown_column,
    validation_failed,
)
from pagerforce.sandbox.salesforce.ids import make_id
from pagerforce.sandbox.salesforce.schema import Field, FieldType, Schema, SObject, Value
from pagerforce.sandbox.salesforce.store import Row
from pagerforce.sandbox.salesforce.transaction import Transaction

_SOMEBODY = make_id("005", 2)
"""A user of the seed other than the integration user."""


@dataclass(slots=True)
class Draft:
    """A row to be written.

    Attributes:
        before: its committed state, None on insert.
        values: its new values; before-triggers change them.
        written: the fields the caller gave, by API name.
    """

    item: SObject
    id: str
    before: Row | None
    values: dict[str, Value]
    written: frozenset[str]

    def old(self, name: str) -> Value:
        """The previous value, null on insert."""
        return None if self.before is None else self.before.values.get(name)

    def is_changed(self, name: str) -> bool:
        """Whether the field differs from before; on insert, whether it is set."""
        return self.values.get(name) != self.old(name)

    def changed(self) -> set[str]:
        """The fields that differ from before."""
        return {name for name in self.values if self.is_changed(name)}

    def as_row(self) -> Row:
        """The resulting row."""
        return Row(self.item.name, self.id, dict(self.values))


Rule = Callable[[Draft, Transaction], str | None]
"""A validation rule of the customer: the message if it refuses, else None."""


def _no_before(_draft: Draft, _tx: Transaction) -> None:
    """An object without triggers."""


def _no_after(_row: Row, _tx: Transaction) -> None:
    """An object without triggers."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The package's behaviour for writes of one object."""

    before: Callable[[Draft, Transaction], None] = _no_before
    validate: Callable[[Draft, Transaction], None] = _no_before
    after: Callable[[Row, Transaction], None] = _no_after


@dataclass(slots=True)
class Dml:
    """The write path.

    Attributes:
        hooks: package behaviour by object name.
        rules: the customer's validation rules by object name.
        serials: last Id serial, by key prefix.
        numbers: last AutoNumber, by object name. As on the platform, a rollback leaves gaps.
        holds: whether a fact, given by name, is true in the org.
        own: the administrator's automation, for all objects; the package's comes after it.
    """

    schema: Schema
    hooks: Mapping[str, Hooks]
    own: Hooks = field(default_factory=Hooks)
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    serials: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    holds: Callable[[str], bool] = lambda _fact: True

    def insert(
        self, tx: Transaction, item: SObject, given: Mapping[str, object], row_id: str = ""
    ) -> str:
        """Creates a row with these values (``attributes`` is ignored) and returns its Id.

        ``row_id`` is the Id to use, for seeds only.

        Raises:
            ApiError: the row is refused.
        """
        values = {f.name: f.default for f in item.fields.values() if f.formula is None}
        written = self._apply(values, item, given, is_insert=True)
        next_id = self._next_id(item)
        draft = Draft(item, row_id or next_id, None, values, written)
        self._platform_values(draft, tx)
        self._save(draft, tx)
        return draft.id

    def update(self, tx: Transaction, row_id: str, given: Mapping[str, object]) -> None:
        """Changes a row.

        Raises:
            ApiError: no such row exists, or the change is refused.
        """
        row = self.live(tx, row_id)
        item = self.schema.get(row.object)
        values = dict(row.values)
        written = self._apply(values, item, given, is_insert=False)
        stamps = self._stamps_of(tx, "system-modstamp-moves-on-update")
        if not self.holds("last-modified-by-is-us"):
            stamps["LastModifiedById"] = _SOMEBODY
        self._save(Draft(item, row_id, row, values | stamps, written), tx)

    def delete(self, tx: Transaction, row_id: str) -> None:
        """Puts a row and its detail rows into the Recycle Bin.

        Raises:
            ApiError: no such row exists.
        """
        row = self.live(tx, row_id)
        item = self.schema.get(row.object)
        for child in self.schema.children_of(item):
            if child.field.cascade:
                for detail in tx.holders(child.object.name, child.field.name, row_id):
                    self._mark(tx, detail, deleted=True)
        self._mark(tx, row, deleted=True)
        self._after(item, tx.find(row_id) or row, tx)

    def undelete(self, tx: Transaction, row_id: str) -> None:
        """Takes a row out of the Recycle Bin, with the detail rows that went with it.

        Raises:
            ApiError: it is not in the Recycle Bin.
        """
        row = tx.find(row_id)
        if row is None or not row.is_deleted:
            raise ApiError("UNDELETE_FAILED", "Entity is not in the recycle bin")
        item = self.schema.get(row.object)
        for child in self.schema.children_of(item):
            if child.field.cascade:
                for detail in tx.deleted_children(child.object.name, child.field.name, row_id):
                    if detail.values["SystemModstamp"] == row.values["SystemModstamp"]:
                        self._mark(tx, detail, deleted=False)
        self._mark(tx, row, deleted=False)
        self._after(item, tx.find(row_id) or row, tx)

    def live(self, tx: Transaction, row_id: str) -> Row:
        """An existing row that is not deleted.

        Raises:
            ApiError: NOT_FOUND or ENTITY_IS_DELETED.
        """
        row = tx.find(row_id)
        if row is None:
            raise not_found()
        if row.is_deleted:
            raise entity_is_deleted()
        return row

    def _after(self, item: SObject, row: Row, tx: Transaction) -> None:
        self._hooks(item).after(row, tx)
        self.own.after(row, tx)

    def _hooks(self, item: SObject) -> Hooks:
        return self.hooks.get(item.name, Hooks())

    def _next_id(self, item: SObject) -> str:
        self.serials[item.prefix] = self.serials.get(item.prefix, 0) + 1
        return make_id(item.prefix, self.serials[item.prefix])

    def _apply(
        self,
        values: dict[str, Value],
        item: SObject,
        given: Mapping[str, object],
        *,
        is_insert: bool,
    ) -> frozenset[str]:
        written = set()
        for name, value in given.items():
            if name == "attributes":
                continue
            target = _writable(item, name, is_insert=is_insert)
            values[target.name] = coerce(target, value)
            written.add(target.name)
        return frozenset(written)

    def _platform_values(self, draft: Draft, tx: Transaction) -> None:
        values, item = draft.values, draft.item
        creator = tx.user_id if self.holds("created-by-is-us") else _SOMEBODY
        values |= {"Id": draft.id, "CreatedDate": tx.now, "CreatedById": creator}
        values |= _edit_stamps(tx)
        if "OwnerId" in values and values["OwnerId"] is None:
            values["OwnerId"] = tx.user_id
        for target in item.fields.values():
            if target.auto_number:
                self.numbers[item.name] = self.numbers.get(item.name, 0) + 1
                values[target.name] = f"{self.numbers[item.name]:08d}"

    def _save(self, draft: Draft, tx: Transaction) -> None:
        hooks = self._hooks(draft.item)
        self._check_references(draft, tx)
        self.own.before(draft, tx)
        hooks.before(draft, tx)
        self._check_required(draft)
        self._check_unique(draft, tx)
        hooks.validate(draft, tx)
        for rule in self.rules.get(draft.item.name, ()):
            message = rule(draft, tx)
            if message is not None:
                raise validation_failed(message)
        self.own.validate(draft, tx)
        tx.stage(draft.as_row())
        self._after(draft.item, draft.as_row(), tx)

    def _check_references(self, draft: Draft, tx: Transaction) -> None:
        for name in draft.written:
            target = draft.item.fields[name.lower()]
            value = draft.values[name]
            if target.type is FieldType.REFERENCE and isinstance(value, str):
                self._check_reference(target, value, tx)
        if "OwnerId" in draft.written and draft.is_changed("OwnerId"):
            self._check_owner(draft, tx)

    def _check_owner(self, draft: Draft, tx: Transaction) -> None:
        """The answer has an empty list of fields (believed; words from public error tables)."""
        owner = tx.find(str(draft.values["OwnerId"]))
        if owner is not None and owner.values.get("IsActive") is False:
            raise ApiError(
                "INACTIVE_OWNER_OR_USER",
                f"operation performed with inactive user [{owner.id}] as owner of"
                f" {draft.item.label.lower()}",
                fields=(),
            )

    def _check_reference(self, target: Field, value: str, tx: Transaction) -> None:
        pointed = self.schema.find_by_prefix(value)
        if pointed is None or pointed.name not in target.reference_to:
            raise ApiError(
                "MALFORMED_ID",
                f"{target.label}: id value of incorrect type: {value}",
                fields=[target.name],
            )
        row = tx.find(value)
        if row is None or row.is_deleted:
            raise ApiError(
                "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields=[target.name]
            )

    def _check_required(self, draft: Draft) -> None:
        fields = draft.item.fields.values()
        missing = [f.name for f in fields if f.required and draft.values.get(f.name) is None]
        if missing:
            raise ApiError(
                "REQUIRED_FIELD_MISSING",
                f"Required fields are missing: [{', '.join(missing)}]",
                fields=missing,
            )
        name = draft.item.find("Name")
        if name is not None and name.formula is None and draft.values["Name"] is None:
            draft.values["Name"] = draft.id[:15]

    def _check_unique(self, draft: Draft, tx: Transaction) -> None:
        for target in draft.item.fields.values():
            value = draft.values.get(target.name)
            if not target.unique or not isinstance(value, str):
                continue
            others = tx.holders(draft.item.name, target.name, value)
            taken = next((row.id for row in others if row.id != draft.id), None)
            if taken is not None:
                raise ApiError(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {target.name} duplicates value on record with id: "
                    f"{taken[:15]}",
                )

    def _mark(self, tx: Transaction, row: Row, *, deleted: bool) -> None:
        stamps = self._stamps_of(tx, "delete-moves-system-modstamp")
        changes: dict[str, Value] = {"IsDeleted": deleted, **stamps}
        if not deleted and "MasterRecordId" in row.values:
            changes["MasterRecordId"] = None  # set only while this row is deleted
        tx.stage(Row(row.object, row.id, {**row.values, **changes}))

    def _stamps_of(self, tx: Transaction, fact: str) -> dict[str, Value]:
        stamps = _edit_stamps(tx)
        if not self.holds(fact):
            del stamps["SystemModstamp"]
        return stamps


def check_columns(schema: Schema, item: SObject, names: Iterable[str]) -> None:
    """Checks that all fields of a write exist.

    Raises:
        ApiError: INVALID_FIELD.
    """
    known = schema.get(item.name)
    for name in names:
        if name != "attributes" and known.find(name) is None:
            raise unknown_column(name, item.name)


def _edit_stamps(tx: Transaction) -> dict[str, Value]:
    return {
        "LastModifiedDate": tx.now,
        "LastModifiedById": tx.user_id,
        "SystemModstamp": tx.now,
    }


def _writable(item: SObject, name: str, *, is_insert: bool) -> Field:
    target = item.find(name)
    if target is None:
        raise unknown_column(name, item.name)
    if not (target.createable if is_insert else target.updateable):
        raise ApiError(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {target.name}. Please check the security settings "
            "of this field and verify that it is read/write for your profile or permission set.",
            fields=[target.name],
        )
    return target
