"""The standard objects that pagerforce needs, and one plain custom object of a customer.

Facts: docs/vendors/salesforce.md#case, ``salesforce.owner-shows-few-fields``,
``salesforce.remedyforce-is-private``, ``salesforce.remedyforce-queues``. Permission objects: the vendor's
Object Reference, ObjectPermissions and PermissionSetAssignment.
"""

from collections.abc import Callable

from pagerforce.sandbox.salesforce import field_kinds as kind
from pagerforce.sandbox.salesforce.schema import Field, FieldType, SObject, Value, define_object

CUSTOM_OBJECT = "Change_Window__c"
SAMPLER = "Field_Sampler__c"
CASE_STATUSES = ("New", "Working", "Escalated", "Closed")


def _person(name: str, label: str, prefix: str) -> SObject:
    fields = (
        _full_name(),
        kind.text("FirstName", 40),
        kind.text("LastName", 80, required=True),
        Field(name="Email", type=FieldType.EMAIL, length=80),
        kind.lookup("OwnerId", "User"),
        _platform(kind.lookup("MasterRecordId", name)),
        *((kind.lookup("AccountId", "Account"),) if name == "Contact" else ()),
        *((kind.text("Company", 255),) if name == "Lead" else ()),
    )
    return define_object(name, label, prefix, fields)


def _full_name() -> Field:
    def join(value_at: Callable[[str], Value]) -> Value:
        parts = (value_at("FirstName"), value_at("LastName"))
        return " ".join(str(part) for part in parts if part) or None

    return kind.formula("Name", join)


def _user() -> SObject:
    return define_object(
        "User",
        "User",
        "005",
        (
            _full_name(),
            kind.text("FirstName", 40),
            kind.text("LastName", 80, required=True),
            kind.text("Username", 80, required=True),
            Field(name="Email", type=FieldType.EMAIL, length=128, required=True),
            kind.text("Alias", 8),
            kind.text("Title", 80),
            kind.text("Department", 80),
            kind.text("Phone", 40),
            kind.picklist("UserType", "Standard", "AutomatedProcess", default="Standard"),
            kind.checkbox("IsActive", default=True),
        ),
        setup=True,
    )


def _group() -> SObject:
    return define_object(
        "Group",
        "Group",
        "00G",
        (
            kind.text("Name", 40, required=True),
            kind.text("DeveloperName", 80),
            kind.picklist("Type", "Regular", "Queue", default="Queue"),
            Field(name="Email", type=FieldType.EMAIL, length=255),
        ),
        setup=True,
    )


def _queue() -> SObject:
    return define_object(
        "QueueSobject",
        "Queue Sobject",
        "03g",
        (kind.lookup("QueueId", "Group"), kind.text("SobjectType", 40)),
        setup=True,
    )


def _organization() -> SObject:
    return define_object(
        "Organization",
        "Organization",
        "00D",
        (
            kind.text("Name", 80),
            kind.text("InstanceName", 5),
            kind.text("OrganizationType", 40),
            kind.text("NamespacePrefix", 15),
            kind.text("TimeZoneSidKey", 40),
            kind.checkbox("IsSandbox"),
        ),
        setup=True,
    )


def _read_only_setup() -> tuple[SObject, ...]:
    return _user(), _group(), _queue(), _organization(), *_permissions()


def _permissions() -> tuple[SObject, ...]:
    """Permissions of users. The profile is a separate permission set among the assigned ones."""
    return (
        define_object(
            "PermissionSet",
            "Permission Set",
            "0PS",
            (
                kind.text("Name", 80, required=True),
                kind.text("Label", 80),
                kind.checkbox("IsOwnedByProfile"),
                kind.checkbox("PermissionsViewAllData"),
                kind.checkbox("PermissionsModifyAllData"),
            ),
            setup=True,
        ),
        define_object(
            "PermissionSetAssignment",
            "Permission Set Assignment",
            "0Pa",
            (kind.lookup("AssigneeId", "User"), kind.lookup("PermissionSetId", "PermissionSet")),
            setup=True,
        ),
        define_object(
            "ObjectPermissions",
            "Object Permissions",
            "110",
            (
                kind.lookup("ParentId", "PermissionSet"),
                kind.text("SobjectType", 80),
                *(
                    kind.checkbox(f"Permissions{right}")
                    for right in ("Create", "Read", "Edit", "Delete")
                ),
                kind.checkbox("PermissionsViewAllRecords"),
                kind.checkbox("PermissionsModifyAllRecords"),
            ),
            setup=True,
        ),
    )


def _push_topic() -> SObject:
    operations = ("Create", "Update", "Delete", "Undelete")
    return define_object(
        "PushTopic",
        "Push Topic",
        "0IF",
        (
            kind.text("Name", 25, required=True),
            kind.text("Query", 1300, required=True),
            kind.number("ApiVersion"),
            kind.checkbox("IsActive", default=True),
            kind.picklist("NotifyForFields", "Referenced", "All", "Where", "Select"),
            *(kind.checkbox(f"NotifyForOperation{word}", default=True) for word in operations),
        ),
    )


def _account() -> SObject:
    return define_object(
        "Account",
        "Account",
        "001",
        (
            kind.text("Name", 255, required=True),
            kind.lookup("ParentId", "Account", children="ChildAccounts"),
            _platform(kind.lookup("MasterRecordId", "Account")),
            kind.lookup("OwnerId", "User"),
            kind.text("Phone", 40),
            Field(name="Website", type=FieldType.URL, length=255),
            kind.text("AccountNumber", 40),
            Field(name="NumberOfEmployees", type=FieldType.INTEGER),
            kind.long_area("Description"),
        ),
    )


def _case() -> SObject:
    return define_object(
        "Case",
        "Case",
        "500",
        (
            kind.auto_number("CaseNumber"),
            kind.text("Subject", 255),
            kind.long_area("Description"),
            kind.picklist("Status", *CASE_STATUSES, default="New"),
            kind.picklist("Priority", "High", "Medium", "Low", default="Medium"),
            kind.picklist("Origin", "Phone", "Email", "Web"),
            kind.picklist("Type", "Problem", "Question", "Feature Request"),
            kind.picklist("Reason", "Installation", "Performance", "Breakdown", "Other"),
            _platform(kind.checkbox("IsClosed")),
            _platform(kind.moment("ClosedDate")),
            kind.checkbox("IsEscalated"),
            kind.lookup("OwnerId", "User", "Group"),
            kind.lookup("AccountId", "Account", children="Cases"),
            kind.lookup("ContactId", "Contact", children="Cases"),
            kind.lookup("ParentId", "Case", children="Cases"),
            _platform(kind.lookup("MasterRecordId", "Case")),
            kind.external_key("PagerDuty_Key__c"),
        ),
    )


def _platform(field: Field) -> Field:
    """The same field, written only by the platform."""
    return Field(
        name=field.name,
        type=field.type,
        length=field.length,
        createable=False,
        updateable=False,
        reference_to=field.reference_to,
        relationship=field.relationship,
        default=field.default,
    )


def _case_comment() -> SObject:
    parent = kind.master("ParentId", "Case", children="CaseComments")
    return define_object(
        "CaseComment",
        "Case Comment",
        "00a",
        (parent, kind.long_area("CommentBody", 4000), kind.checkbox("IsPublished")),
    )


def _change_window() -> SObject:
    return define_object(
        CUSTOM_OBJECT,
        "Change Window",
        "a1W",
        (
            kind.text("Name", 80),
            kind.lookup("OwnerId", "User", "Group"),
            kind.picklist("Severity__c", "Minor", "Major", "Critical", restricted=True),
            kind.picklist("Regions__c", "EMEA", "APAC", "AMER", multiple=True, restricted=True),
            kind.external_key("External_Ref__c", 80, unique=False),
            kind.external_key("Window_Key__c", 80),
            kind.long_area("Notes__c", 4000),
            kind.checkbox("Active__c", default=True),
            kind.number("Amount__c"),
            kind.day("Due__c"),
            kind.moment("Starts__c"),
            kind.lookup("Account__c", "Account", children="Change_Windows__r"),
            kind.copy_of("Account_Name__c", "Account__r.Name"),
        ),
    )


def _sampler() -> SObject:
    """A field of every type with a single value in describe."""
    return define_object(
        SAMPLER,
        "Field Sampler",
        "a1S",
        (
            kind.text("Name", 80),
            kind.text("Text__c"),
            kind.short_area("Area__c"),
            kind.long_area("Long_Area__c"),
            kind.long_area("Rich_Area__c", html=True),
            kind.picklist("Picklist__c", "Minor", "Major", "Critical", restricted=True),
            kind.picklist("Regions__c", "EMEA", "APAC", "AMER", multiple=True, restricted=True),
            Field(name="Combobox__c", type=FieldType.COMBOBOX, length=255),
            Field(name="Email__c", type=FieldType.EMAIL, length=80),
            Field(name="Phone__c", type=FieldType.PHONE, length=40),
            Field(name="Url__c", type=FieldType.URL, length=255),
            Field(name="Encrypted__c", type=FieldType.ENCRYPTED, length=175, filterable=False),
            kind.lookup("User__c", "User"),
            kind.checkbox("Flag__c"),
            Field(name="Int__c", type=FieldType.INTEGER),
            Field(name="Long__c", type=FieldType.LONG),
            kind.number("Number__c"),
            kind.money("Money__c"),
            kind.percentage("Percent__c"),
            kind.day("Day__c"),
            kind.moment("Moment__c"),
            kind.clock("Clock__c"),
        ),
    )


def standard_objects() -> tuple[SObject, ...]:
    """Everything that is not part of the Remedyforce package."""
    return (
        *_read_only_setup(),
        _account(),
        _person("Contact", "Contact", "003"),
        _person("Lead", "Lead", "00Q"),
        _case(),
        _case_comment(),
        _change_window(),
        _sampler(),
        _push_topic(),
    )
