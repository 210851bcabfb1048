"""The definition of objects: fields, their types and who may write them. Data, no behaviour.

The objects themselves are in :mod:`.remedyforce` and :mod:`.standard`. Names are found in any case,
as in Salesforce, and returned in their own spelling.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import Enum

Value = str | bool | int | float | datetime | date | time | None


class FieldType(Enum):
    """Field types by their name in describe."""

    ID = "id"
    STRING = "string"
    TEXTAREA = "textarea"
    BOOLEAN = "boolean"
    INTEGER = "int"
    LONG = "long"
    DOUBLE = "double"
    CURRENCY = "currency"
    PERCENT = "percent"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    PICKLIST = "picklist"
    MULTIPICKLIST = "multipicklist"
    COMBOBOX = "combobox"
    REFERENCE = "reference"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    ENCRYPTED = "encryptedstring"


TEXT_TYPES = frozenset(
    {
        FieldType.STRING,
        FieldType.TEXTAREA,
        FieldType.PICKLIST,
        FieldType.MULTIPICKLIST,
        FieldType.COMBOBOX,
        FieldType.EMAIL,
        FieldType.PHONE,
        FieldType.URL,
        FieldType.ENCRYPTED,
    }
)
"""Types that hold text: they compare case-insensitively and have a length."""

NUMBER_TYPES = frozenset({FieldType.DOUBLE, FieldType.CURRENCY, FieldType.PERCENT})
"""Types that return a number with a fraction; of a fixed scale, which rounds writes."""

Formula = Callable[[Callable[[str], Value]], Value]
"""A formula: computes its value with a function from field path to value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an object.

    Attributes:
        length: most characters, 0 if the type has none.
        scale: digits after the point of a number; None: any number of digits.
        required: may not be null on insert, nor be cleared.
        reference_to: the objects a lookup may point to; several make it polymorphic.
        relationship: the name in a parent path (``Owner``, ``X__r``), ``""`` for none.
        children: the relationship name in a subquery of the parent, ``""`` for none.
        cascade: master-detail: the row is deleted with its parent.
        restricted: a picklist that accepts only its own values.
        formula: computed at read time; never stored, never moves a stamp
            (``salesforce.formulas-leave-the-stamp``).
    """

    name: str
    type: FieldType
    length: int = 0
    scale: int | None = None
    required: bool = False
    createable: bool = True
    updateable: bool = True
    filterable: bool = True
    external_id: bool = False
    unique: bool = False
    auto_number: bool = False
    reference_to: tuple[str, ...] = ()
    relationship: str = ""
    children: str = ""
    cascade: bool = False
    picklist: tuple[str, ...] = ()
    restricted: bool = False
    default: Value = None
    formula: Formula | None = None
    html: bool = False

    @property
    def custom(self) -> bool:
        """Whether an administrator or a package created it."""
        return self.name.endswith("__c")

    @property
    def label(self) -> str:
        """Its label for people."""
        bare = self.name.removeprefix("BMCServiceDesk__").removesuffix("__c")
        return bare.replace("_", " ")


@dataclass(frozen=True, slots=True)
class SObject:
    """One object type.

    Attributes:
        prefix: the first three characters of every Id of it.
        fields: by lower-case name, system fields included.
        setup: users, queues and the organisation: this sandbox's REST API only reads them.
    """

    name: str
    label: str
    prefix: str
    fields: Mapping[str, Field]
    custom: bool = False
    setup: bool = False
    by_relationship: Mapping[str, Field] = field(default_factory=dict)

    def find(self, name: str) -> Field | None:
        """The field of that name in any spelling, or None."""
        return self.fields.get(name.lower())

    def find_parent(self, relationship: str) -> Field | None:
        """The lookup field behind a parent path's step, or None."""
        return self.by_relationship.get(relationship.lower())


def define_object(
    name: str, label: str, prefix: str, fields: Iterable[Field], *, setup: bool = False
) -> SObject:
    """An object with these fields and the system fields of every object."""
    present = {item.name.lower(): item for item in fields}
    merged = {item.name.lower(): item for item in system_fields()} | present
    parents = {item.relationship.lower(): item for item in merged.values() if item.relationship}
    return SObject(name, label, prefix, merged, name.endswith("__c"), setup, parents)


def system_fields() -> tuple[Field, ...]:
    """Id, deletion mark and audit fields (``salesforce.whole-second-stamps``)."""

    def read_only(name: str, kind: FieldType, parent: str = "") -> Field:
        return Field(
            name=name,
            type=kind,
            createable=False,
            updateable=False,
            reference_to=("User",) if parent else (),
            relationship=parent,
            length=18 if kind in {FieldType.ID, FieldType.REFERENCE} else 0,
            default=False if kind is FieldType.BOOLEAN else None,
        )

    return (
        read_only("Id", FieldType.ID),
        read_only("IsDeleted", FieldType.BOOLEAN),
        read_only("CreatedDate", FieldType.DATETIME),
        read_only("CreatedById", FieldType.REFERENCE, "CreatedBy"),
        read_only("LastModifiedDate", FieldType.DATETIME),
        read_only("LastModifiedById", FieldType.REFERENCE, "LastModifiedBy"),
        read_only("SystemModstamp", FieldType.DATETIME),
    )


@dataclass(frozen=True, slots=True)
class ChildLink:
    """A child relationship seen from the parent object."""

    object: SObject
    field: Field


@dataclass(slots=True)
class Schema:
    """The objects of the org, as one user sees them.

    A hidden field (field-level security) or a hidden object is absent.
    """

    objects: dict[str, SObject]

    @classmethod
    def of(cls, objects: Iterable[SObject]) -> "Schema":
        """A schema of these objects."""
        return cls({item.name.lower(): item for item in objects})

    def find(self, name: str) -> SObject | None:
        """The object of that name in any spelling, or None."""
        return self.objects.get(name.lower())

    def get(self, name: str) -> SObject:
        """The object of that name in any spelling; a KeyError is a bug of the caller."""
        return self.objects[name.lower()]

    def find_by_prefix(self, row_id: str) -> SObject | None:
        """The object of an Id, by its first three characters."""
        return next((item for item in self.objects.values() if item.prefix == row_id[:3]), None)

    def children_of(self, parent: SObject) -> list[ChildLink]:
        """Every lookup that points to this object."""
        return [
            ChildLink(item, lookup)
            for item in self.objects.values()
            for lookup in item.fields.values()
            if parent.name in lookup.reference_to
        ]

    def find_child(self, parent: SObject, relationship: str) -> ChildLink | None:
        """The child relationship of that name, in any spelling."""
        wanted = relationship.lower()
        matches = (c for c in self.children_of(parent) if c.field.children.lower() == wanted)
        return next(matches, None)

    def without(self, hidden: Iterable[tuple[str, str]], denied: Iterable[str]) -> "Schema":
        """This schema without these ``(object, field)`` pairs and these objects."""
        gone = {(name.lower(), item.lower()) for name, item in hidden}
        refused = {name.lower() for name in denied}
        kept = (item for item in self.objects.values() if item.name.lower() not in refused)
        return Schema.of(_strip(item, gone) for item in kept)


def _strip(item: SObject, gone: set[tuple[str, str]]) -> SObject:
    fields = [f for key, f in item.fields.items() if (item.name.lower(), key) not in gone]
    if len(fields) == len(item.fields):
        return item
    parents = {f.relationship.lower(): f for f in fields if f.relationship}
    named = {f.name.lower(): f for f in fields}
    return SObject(item.name, item.label, item.prefix, named, item.custom, item.setup, parents)
