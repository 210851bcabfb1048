"""``[[objects]]`` and ``[[service_mappings]]``: the Salesforce side of the configuration."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from pagerforce.config.settings import Section
from pagerforce.config.values import (
    FROM_LIST,
    ApiName,
    FieldPath,
    Name,
    OptionalApiName,
    OptionalFieldPath,
    RemoteId,
    TomlScalar,
    Where,
    read_lookup_table,
    read_scalar,
)

Winner: TypeAlias = Literal["newest", "pagerduty", "salesforce"]


class Lookup(Section):
    """``{ lookup = { Name = "Notes" } }``: the Id of the only row with these field values.

    Attributes:
        fields: field of the looked-up object -> its value, a scalar or template text.
    """

    fields: Annotated[Mapping[str, TomlScalar], PlainValidator(read_lookup_table)]


def _read_value(value: object) -> TomlScalar | Lookup:
    if not isinstance(value, Mapping):
        return read_scalar(value)
    if set(value) != {"lookup"}:
        raise PydanticCustomError(
            "setting", 'must be a plain value or { lookup = { Name = "..." } }, nothing else'
        )
    return Lookup(fields=read_lookup_table(value["lookup"]))


def _read_mapping_value(value: object) -> TomlScalar | Lookup:
    if isinstance(value, str) and not value.strip():
        raise PydanticCustomError("setting", "must not be empty: an empty field maps to no service")
    return _read_value(value)


FieldValue: TypeAlias = Annotated[TomlScalar | Lookup, PlainValidator(_read_value)]
MappingValue: TypeAlias = Annotated[TomlScalar | Lookup, PlainValidator(_read_mapping_value)]


class CommentSettings(Section):
    """``[objects.comments]``: the child rows with people's texts.

    Attributes:
        where: SOQL condition on the rows that count as comments, ``""`` for all.
        to_pagerduty: comments become notes; from_pagerduty: notes become comments.
        fields: set on every comment that pagerforce creates.
    """

    object: ApiName
    parent_field: ApiName
    body_field: ApiName
    where: Where = ""
    to_pagerduty: bool = True
    from_pagerduty: bool = True
    note_template: str = "[{{ comment.author }}] {{ comment.body }}"
    comment_template: str = "[PagerDuty - {{ comment.author }}] {{ comment.body }}"
    fields: Mapping[ApiName, FieldValue] = Field(default_factory=dict)


class ObjectSettings(Section):
    """``[[objects]]``: one Salesforce object type.

    Attributes:
        preset: the applied preset, ``""`` for none.
        fields: read in addition to those that rules and mappings use.
        where: SOQL condition added to the poll, ``""`` for none.
        external_id_field: makes creation idempotent by upsert, ``""`` for none.
        service_id_path: path to the PagerDuty service id on the record's category, or ``""``.
        comments: None if the object has no comments.
    """

    preset: str = ""
    name: ApiName
    fields: Annotated[tuple[FieldPath, ...], FROM_LIST] = ()
    where: Where = ""
    external_id_field: OptionalApiName = ""
    service_id_path: OptionalFieldPath = ""
    conflict: Winner = "newest"
    conflict_fields: Mapping[ApiName, Winner] = Field(default_factory=dict)
    on_delete: Literal["unlink", "resolve"] = "unlink"
    comments: CommentSettings | None = None


class ServiceMapping(Section):
    """``[[service_mappings]]``: ``object.field = value`` and a PagerDuty service belong together.

    Attributes:
        inbound: records created from incidents on this service get the value.
        outbound: incidents created from records with the value go to this service.
    """

    name: Name
    object: ApiName
    field: ApiName
    value: MappingValue
    service: RemoteId
    inbound: bool = True
    outbound: bool = True
