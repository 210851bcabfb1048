"""PagerDuty's published schema, prepared for checks: corrected, and converted to JSON Schema."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any


def patched(original: dict[str, Any]) -> dict[str, Any]:
    """The schema without its known errors, each with the reason beside it."""
    spec = deepcopy(original)
    _patch_entries(spec)
    _patch_what_entries_refer_to(spec["components"]["schemas"])
    _patch_values(spec["components"]["schemas"])
    return spec


def _patch_entries(spec: dict[str, Any]) -> None:
    schemas = spec["components"]["schemas"]
    # The acknowledge entry is restricted to a name that its own base does not have: nothing matches.
    schemas["AcknowledgeLogEntry"]["allOf"][1]["properties"]["type"]["enum"] = [
        "acknowledge_log_entry"
    ]
    # Real entry types are absent from the base's list: any *_log_entry is possible.
    base_type = schemas["LogEntry"]["allOf"][1]["properties"]["type"]
    known = base_type.pop("enum")
    base_type["pattern"] = "_log_entry$"
    other = {"not": {"enum": known}}
    schemas["OtherLogEntry"] = {
        "allOf": [
            {"$ref": "#/components/schemas/LogEntry"},
            {"type": "object", "properties": {"type": other}, "required": ["type"]},
        ]
    }
    for path in ("/log_entries", "/incidents/{id}/log_entries"):
        content = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        rows = content["schema"]["allOf"][1]["properties"]["log_entries"]["items"]["oneOf"]
        # The two kinds of field changes are listed for one incident only, though the base has them.
        names = ("FieldValueChangeLogEntry", "CustomFieldValueChangeLogEntry", "OtherLogEntry")
        for name in names:
            reference = {"$ref": f"#/components/schemas/{name}"}
            if reference not in rows:
                rows.append(reference)
    for name, schema in schemas.items():  # the entry's type first: the cheapest way to reject
        if name.endswith("LogEntry") and "allOf" in schema:
            schema["allOf"].reverse()


def _patch_what_entries_refer_to(schemas: dict[str, Any]) -> None:
    # The schema ignores that include[] returns whole objects in place of references.
    related = schemas["LogEntry"]["allOf"][0]["properties"]
    for name, whole in (("service", "Service"), ("incident", "Incident")):
        full = {"$ref": f"#/components/schemas/{whole}"}
        related[name] = {"anyOf": [related[name], full]}
    # The alternatives of a channel overlap, so that ordinary channels match several.
    schemas["Channel"]["anyOf"] = schemas["Channel"].pop("oneOf")


def _patch_values(schemas: dict[str, Any]) -> None:
    # The body requires a type without defining it, and its details are a text
    # (`pagerduty.details-are-text`).
    schemas["IncidentBody"]["properties"] = {
        "type": {"type": "string", "enum": ["incident_body"]},
        "details": {"type": "string"},
    }
    # A property with an empty name.
    del schemas["Notification"]["properties"][""]
    # A custom field's value is described as an object around the value, in overlapping
    # alternatives; every example has the bare value (`pagerduty.custom-values-are-bare`).
    bare = {"type": ["boolean", "number", "string", "array"], "nullable": True}
    schemas["CustomFieldsFieldValue"]["properties"]["value"] = bare
    schemas["IncidentTypeCustomFields"]["properties"]["default_value"] = bare
    schemas["CustomFieldsEditableFieldValue"] = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "id": {"type": "string"}, "value": bare},
        "required": ["value"],
    }
    # The example of triggers fails because of the type of its reference to the workflow.
    trigger = schemas["IncidentWorkflowTrigger"]["allOf"][1]["properties"]["workflow"]
    trigger["properties"]["type"]["enum"] = ["workflow_reference", "incident_workflow"]


def with_nulls(spec: dict[str, Any]) -> dict[str, Any]:
    """Any field that is not required may be null in an answer (`pagerduty.parts-may-be-missing`)."""
    for node in _nodes(spec):
        properties = node.get("properties")
        if isinstance(properties, dict):
            required = node.get("required", ())
            for name, schema in properties.items():
                if name not in required:
                    properties[name] = {"anyOf": [schema, {"type": "null"}]}
    return spec


def strict_bodies(spec: dict[str, Any]) -> dict[str, Any]:
    """PagerDuty ignores an unknown field in a body; here it is an error."""
    for methods in spec["paths"].values():
        for definition in methods.values():
            body = definition.get("requestBody") if isinstance(definition, dict) else None
            for node in _nodes(body) if body else ():
                if isinstance(node.get("properties"), dict):
                    # a type is harmless anywhere: the schema's own example of a workflow start
                    # has an undefined one
                    node["properties"].setdefault("type", {"type": "string"})
                    node["additionalProperties"] = False
    return spec


def as_json_schema(spec: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's ``nullable`` as JSON Schema; examples are removed, as they contain no schemas."""
    for node in _nodes(spec):
        for name in ("example", "examples", "x-examples"):
            if not isinstance(node.get(name), dict) or "type" not in node[name]:
                node.pop(name, None)
        if node.pop("nullable", False) is True:
            inner = dict(node)
            node.clear()
            node["anyOf"] = [inner, {"type": "null"}]
    return spec


def _nodes(value: object) -> Iterator[dict[str, Any]]:
    """Every object in it, the innermost first."""
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in list(children):
            yield from _nodes(child)
    if isinstance(value, dict):
        yield value
