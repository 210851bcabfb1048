"""Short constructors for fields, for short object definitions."""

from pagerforce.sandbox.salesforce.schema import Field, FieldType, Formula, Value

LONG_TEXT = 32000


def text(name: str, length: int = 255, *, required: bool = False, default: Value = None) -> Field:
    """A text field that can be filtered."""
    return Field(
        name=name, type=FieldType.STRING, length=length, required=required, default=default
    )


def short_area(name: str, length: int = 255) -> Field:
    """A TextArea (255): multi-line, yet filterable."""
    return Field(name=name, type=FieldType.TEXTAREA, length=length)


def long_area(name: str, length: int = LONG_TEXT, *, html: bool = False) -> Field:
    """A long text area: neither filterable nor sortable (``salesforce.long-text-unfilterable``)."""
    return Field(name=name, type=FieldType.TEXTAREA, length=length, filterable=False, html=html)


def checkbox(name: str, *, default: bool = False) -> Field:
    """A checkbox; it is never null."""
    return Field(name=name, type=FieldType.BOOLEAN, default=default)


def number(name: str, *, writable: bool = True) -> Field:
    """A Number; the API returns it as a double."""
    return Field(name=name, type=FieldType.DOUBLE, createable=writable, updateable=writable)


def money(name: str) -> Field:
    """A Currency, returned as a plain number; the scale of most currencies."""
    return Field(name=name, type=FieldType.CURRENCY, scale=2)


def percentage(name: str) -> Field:
    """A Percent: 12.5 is 12.5 %."""
    return Field(name=name, type=FieldType.PERCENT, scale=2)


def clock(name: str) -> Field:
    """A Time of day, returned as ``13:14:15.000Z``."""
    return Field(name=name, type=FieldType.TIME)


def moment(name: str) -> Field:
    """A DateTime."""
    return Field(name=name, type=FieldType.DATETIME)


def day(name: str) -> Field:
    """A Date."""
    return Field(name=name, type=FieldType.DATE)


def picklist(
    name: str, *values: str, restricted: bool = False, multiple: bool = False, default: Value = None
) -> Field:
    """A picklist; an unrestricted one accepts any text up to 255 characters."""
    kind = FieldType.MULTIPICKLIST if multiple else FieldType.PICKLIST
    return Field(
        name=name, type=kind, length=255, picklist=values, restricted=restricted, default=default
    )


def lookup(name: str, *targets: str, children: str = "") -> Field:
    """A nullable lookup; the relationship is ``X__r`` for ``X__c`` and ``X`` for ``XId``."""
    return Field(
        name=name,
        type=FieldType.REFERENCE,
        length=18,
        reference_to=targets,
        relationship=relationship_of(name),
        children=children,
    )


def master(name: str, target: str, *, children: str) -> Field:
    """A master-detail field: required, not reparentable, and the row is deleted with its parent."""
    return Field(
        name=name,
        type=FieldType.REFERENCE,
        length=18,
        required=True,
        updateable=False,
        reference_to=(target,),
        relationship=relationship_of(name),
        children=children,
        cascade=True,
    )


def external_key(name: str, length: int = 255, *, unique: bool = True) -> Field:
    """A text External Id, upsertable by REST."""
    return Field(name=name, type=FieldType.STRING, length=length, external_id=True, unique=unique)


def auto_number(name: str) -> Field:
    """An AutoNumber name, written by the platform alone."""
    return Field(
        name=name,
        type=FieldType.STRING,
        length=80,
        createable=False,
        updateable=False,
        auto_number=True,
    )


def formula(name: str, compute: Formula, kind: FieldType = FieldType.STRING) -> Field:
    """A formula field: read-only and computed at read time."""
    return Field(
        name=name,
        type=kind,
        length=1300 if kind is FieldType.STRING else 0,
        createable=False,
        updateable=False,
        formula=compute,
    )


def copy_of(name: str, path: str) -> Field:
    """A formula that shows another field, often a parent's name."""
    return formula(name, lambda value_at: value_at(path))


def relationship_of(name: str) -> str:
    """The parent path's step for a lookup field's name."""
    return name[:-1] + "r" if name.endswith("__c") else name.removesuffix("Id")
