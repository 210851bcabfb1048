"""``/sobjects`` and ``/sobjects/X/describe``: the org's descriptions of its objects.

Fact: ``salesforce.describe-tells-fields``. It omits what this user's rights hide.
"""

from email.utils import parsedate_to_datetime

from pagerforce.sandbox.salesforce.render import Json
from pagerforce.sandbox.salesforce.rest import Call, Reply, Session
from pagerforce.sandbox.salesforce.schema import NUMBER_TYPES, Field, FieldType, SObject

_SOAP_TYPES = {
    FieldType.ID: "tns:ID",
    FieldType.REFERENCE: "tns:ID",
    FieldType.BOOLEAN: "xsd:boolean",
    FieldType.INTEGER: "xsd:int",
    FieldType.LONG: "xsd:long",
    FieldType.DOUBLE: "xsd:double",
    FieldType.CURRENCY: "xsd:double",
    FieldType.PERCENT: "xsd:double",
    FieldType.DATE: "xsd:date",
    FieldType.DATETIME: "xsd:dateTime",
    FieldType.TIME: "xsd:time",
}


def describe_global(session: Session, call: Call) -> Reply:
    """``GET /sobjects``: every object in brief."""
    del call
    items = session.lens.schema.objects.values()
    sobjects = [_summary(session, item) for item in items]
    return Reply(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": sobjects})


def describe_basic(session: Session, call: Call) -> Reply:
    """``GET /sobjects/X``: one object in brief."""
    item = session.object(call.segments[1])
    return Reply(200, {"objectDescribe": _summary(session, item), "recentItems": []})


def describe(session: Session, call: Call) -> Reply:
    """``GET /sobjects/X/describe``: one object with its fields."""
    item = session.object(call.segments[1])
    session.world.troubles.meet("describe", item.name)
    if _is_unchanged(session, call):
        return Reply(304)
    return Reply(
        200,
        _summary(session, item)
        | {
            "fields": [_field(field) for field in item.fields.values()],
            "childRelationships": _children(session, item),
            "recordTypeInfos": [],
            "supportedScopes": [],
        },
    )


def _is_unchanged(session: Session, call: Call) -> bool:
    """The schema has the age of its last deleted or restored field, or of the org.

    Revoked rights count as new.
    """
    since = call.headers.get("if-modified-since")
    access = session.world.access
    if since is None or access.hidden or access.denied:
        return False
    try:
        asked, changed_at = parsedate_to_datetime(since), session.world.schema_changed_at
        return asked >= session.world.started_at and (changed_at is None or asked > changed_at)
    except (TypeError, ValueError):
        return False  # an unreadable date, or one without a zone, is ignored


def _summary(session: Session, item: SObject) -> Json:
    access, base = session.world.access, f"{session.base}/sobjects/{item.name}"
    return {
        "name": item.name,
        "label": item.label,
        "labelPlural": f"{item.label}s",
        "keyPrefix": item.prefix,
        "custom": item.custom,
        "customSetting": False,
        "queryable": True,
        "retrieveable": True,
        "searchable": True,
        "replicateable": not item.setup,
        "createable": not item.setup and access.allows(item.name, "create"),
        "updateable": not item.setup and access.allows(item.name, "edit"),
        "deletable": not item.setup and access.allows(item.name, "delete"),
        "undeletable": not item.setup and access.allows(item.name, "delete"),
        "mergeable": item.find("MasterRecordId") is not None,
        "triggerable": True,
        "layoutable": True,
        "deprecatedAndHidden": False,
        "urls": {
            "sobject": base,
            "describe": f"{base}/describe",
            "rowTemplate": f"{base}/{{ID}}",
        },
    }


def _field(field: Field) -> Json:
    is_id = field.type is FieldType.ID
    is_required = field.required or field.type is FieldType.BOOLEAN or is_id
    return {
        "name": field.name,
        "label": field.label,
        "type": field.type.value,
        "soapType": _SOAP_TYPES.get(field.type, "xsd:string"),
        "length": field.length,
        "byteLength": field.length * 3,
        "precision": 18 if field.type in NUMBER_TYPES else 0,
        "scale": field.scale or 0,
        "digits": 0,
        "createable": field.createable,
        "updateable": field.updateable,
        "nillable": not is_required,
        "defaultedOnCreate": field.default is not None or not field.createable,
        "defaultValue": field.default,
        "filterable": field.filterable,
        "sortable": field.filterable and field.type is not FieldType.MULTIPICKLIST,
        "groupable": field.filterable and field.type is not FieldType.DATETIME,
        "calculated": field.formula is not None,
        "autoNumber": field.auto_number,
        "custom": field.custom,
        "nameField": field.name in {"Name", "CaseNumber"},
        "externalId": field.external_id,
        "idLookup": field.external_id or is_id,
        "unique": field.unique,
        "caseSensitive": is_id,
        "htmlFormatted": field.html,
        "extraTypeInfo": _extra_type(field),
        "cascadeDelete": field.cascade,
        "restrictedDelete": False,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship or None,
        "polymorphicForeignKey": len(field.reference_to) > 1,
        "picklistValues": [_picklist_value(field, value) for value in field.picklist],
        "restrictedPicklist": field.restricted,
        "dependentPicklist": False,
        "encrypted": field.type is FieldType.ENCRYPTED,
        "deprecatedAndHidden": False,
        "permissionable": field.createable and not field.required,
    }


def _extra_type(field: Field) -> str | None:
    if field.type is not FieldType.TEXTAREA:
        return None
    return "richtextarea" if field.html else "plaintextarea"


def _picklist_value(field: Field, value: str) -> Json:
    return {
        "value": value,
        "label": value,
        "active": True,
        "defaultValue": value == field.default,
        "validFor": None,
    }


def _children(session: Session, item: SObject) -> list[Json]:
    return [
        {
            "childSObject": child.object.name,
            "field": child.field.name,
            "relationshipName": child.field.children or None,
            "cascadeDelete": child.field.cascade,
            "restrictedDelete": False,
            "deprecatedAndHidden": False,
        }
        for child in session.lens.schema.children_of(item)
    ]
