"""The Remedyforce objects: the managed package ``BMCServiceDesk__``.

Facts: docs/vendors/salesforce.md#remedyforce. An administrator adds ``PagerDuty_Service_ID__c`` on
Category for the daemon, so it does not have the package's prefix.
"""

from collections.abc import Callable

from pagerforce.sandbox.salesforce import field_kinds as kind
from pagerforce.sandbox.salesforce.schema import Field, FieldType, SObject, Value, define_object

PREFIX = "BMCServiceDesk__"
INCIDENT = f"{PREFIX}Incident__c"
HISTORY = f"{PREFIX}IncidentHistory__c"
STATUS = f"{PREFIX}Status__c"
CATEGORY = f"{PREFIX}Category__c"
IMPACT = f"{PREFIX}Impact__c"
URGENCY = f"{PREFIX}Urgency__c"
PRIORITY = f"{PREFIX}Priority__c"
ACTION = f"{PREFIX}Action__c"
TEMPLATE = f"{PREFIX}SYSTemplate__c"
TASK = f"{PREFIX}Task__c"
REQUEST_DEFINITION = f"{PREFIX}SRM_RequestDefinition__c"
REQUEST_DETAIL = f"{PREFIX}SRM_RequestDetail__c"
BASE_ELEMENT = f"{PREFIX}BMC_BaseElement__c"
BROADCAST = f"{PREFIX}Broadcasts__c"


def api_name(bare: str) -> str:
    """The API name of a package field: ``FKStatus`` is ``BMCServiceDesk__FKStatus__c``."""
    return f"{PREFIX}{bare}__c"


def _parent_name(bare: str, lookup: str, column: str = "Name") -> Field:
    return kind.copy_of(api_name(bare), f"{PREFIX}{lookup}__r.{column}")


def _flag(bare: str, *, default: bool = False) -> Field:
    return kind.checkbox(api_name(bare), default=default)


def _moments(*names: str) -> tuple[Field, ...]:
    return tuple(kind.moment(api_name(bare)) for bare in names)


def _texts(length: int, *names: str) -> tuple[Field, ...]:
    return tuple(kind.text(api_name(bare), length) for bare in names)


def _long(length: int, *names: str) -> tuple[Field, ...]:
    return tuple(kind.long_area(api_name(bare), length) for bare in names)


def _numbers(*names: str) -> tuple[Field, ...]:
    return tuple(kind.number(api_name(bare)) for bare in names)


def _is_service_request(value_at: Callable[[str], Value]) -> bool:
    return value_at(api_name("FKRequestDefinition")) is not None


def _queue(value_at: Callable[[str], Value]) -> Value:
    owner = value_at("OwnerId")
    held_by_queue = isinstance(owner, str) and owner.startswith("00G")
    return value_at(api_name("queueName")) if held_by_queue else None


def _minutes(value_at: Callable[[str], Value]) -> float:
    duration = value_at(api_name("duration"))
    if not isinstance(duration, str):
        return 0.0
    hours, _, minutes = duration.partition(":")
    return float(int(hours) * 60 + int(minutes))


def _incident_lookups() -> tuple[Field, ...]:
    targets = {
        "FKStatus": STATUS,
        "FKCategory": CATEGORY,
        "FKTemplate": TEMPLATE,
        "FKPriority": PRIORITY,
        "FKImpact": IMPACT,
        "FKUrgency": URGENCY,
        "FKClient": "User",
        "FKContact": "Contact",
        "FKLead": "Lead",
        "FKAccount": "Account",
        "FKOpenBy": "User",
        "FKClosedBy": "User",
        "FKIncident": INCIDENT,
        "FKBroadcast": BROADCAST,
        "FKBMC_BaseElement": BASE_ELEMENT,
        "FKBusinessService": BASE_ELEMENT,
        "FKServiceOffering": BASE_ELEMENT,
        "FKRequestDefinition": REQUEST_DEFINITION,
        "FKRequestDetail": REQUEST_DETAIL,
        "Client_Manager": "User",
    }
    children = {"FKIncident": f"{PREFIX}Incidents__r", "FKCategory": f"{PREFIX}Incidents__r"}
    return tuple(
        kind.lookup(api_name(bare), target, children=children.get(bare, ""))
        for bare, target in targets.items()
    )


def _incident_formulas() -> tuple[Field, ...]:
    yes_no = {True: "Yes", False: "No"}
    types = {True: "Service Request", False: "Incident"}
    return (
        _parent_name("Status_ID", "FKStatus"),
        _parent_name("Category_ID", "FKCategory"),
        _parent_name("Priority_ID", "FKPriority"),
        _parent_name("Urgency_ID", "FKUrgency"),
        _parent_name("Impact_Id", "FKImpact"),
        _parent_name("Client_Account", "FKAccount"),
        _parent_name("Closed_By", "FKClosedBy"),
        _parent_name("clientId", "FKClient", "Username"),
        _parent_name("clientEmail", "FKClient", "Email"),
        _parent_name("clientFirstName", "FKClient", "FirstName"),
        _parent_name("clientLastName", "FKClient", "LastName"),
        kind.formula(api_name("Queue"), _queue),
        kind.formula(api_name("isServiceRequest"), _is_service_request, FieldType.BOOLEAN),
        kind.formula(api_name("Type"), lambda at: types[_is_service_request(at)]),
        kind.formula(api_name("ServiceRequest"), lambda at: yes_no[_is_service_request(at)]),
        kind.formula(api_name("Launch_console"), lambda at: f"IN{at('Name')}"),
    )


def _incident_flags_and_texts() -> tuple[Field, ...]:
    return (
        _flag("state", default=True),
        *(
            _flag(bare)
            for bare in (
                "inactive",
                "Is_New_Record",
                "followUp",
                "closeTasks",
                "Approved",
                "firstCallResolution",
                "RF_SkipTriggerExecution",
            )
        ),
        *_long(32000, "incidentDescription", "incidentResolution", "note"),
        *_long(32768, "RF_IntegrationData", "EmailServiceAddress"),
        kind.short_area(api_name("shortDescription")),
        *_texts(255, "Service_Request_Title", "Client_Name", "Feedback"),
        *_texts(80, "TemplateName"),
        *_texts(40, "queueName"),
    )


def _incident_values() -> tuple[Field, ...]:
    return (
        *_moments(
            "openDateTime",
            "closeDateTime",
            "dueDateTime",
            "respondedDateTime",
            "responseDateTime",
            "completedDate",
            "followUpDateTime",
            "outageFrom",
            "outageTo",
            "StatusChangeDate",
            "recommendedFixDateTime",
        ),
        kind.picklist(
            api_name("contactType"),
            *("Event", "Chat", "Email message", "Mail Listen", "Own observation", "Phone"),
        ),
        kind.picklist(api_name("IncidentType"), "Incident", "Self Service"),
        kind.picklist(api_name("ClosureCategory"), "Successful", "Unsuccessful"),
        kind.picklist(api_name("Client_Type"), "User", "Contact", "Lead", restricted=True),
        kind.picklist(api_name("PreferredContactMethod"), "Email", "Phone"),
        kind.external_key(api_name("Event_ID")),
        kind.number(api_name("Total_Duration"), writable=False),
        *_numbers(
            "UpdateCount",
            "Reassigned_Count",
            "TotalWorkTime",
            "RF_TimeToClose",
            "RF_HasAttachments",
        ),
    )


def _incident() -> SObject:
    return define_object(
        INCIDENT,
        "Incident",
        "a0R",
        (
            kind.auto_number("Name"),
            kind.lookup("OwnerId", "User", "Group"),
            *_incident_lookups(),
            *_incident_formulas(),
            *_incident_flags_and_texts(),
            *_incident_values(),
        ),
    )


def _history() -> SObject:
    return define_object(
        HISTORY,
        "Incident History",
        "a0Q",
        (
            kind.text("Name", 80),
            kind.master(
                api_name("FKIncident"), INCIDENT, children=f"{PREFIX}Incident_Histories__r"
            ),
            kind.lookup(api_name("FKAction"), ACTION),
            *(kind.lookup(api_name(bare), "User") for bare in ("FKUser", "FKStaff", "Client_User")),
            kind.lookup(api_name("Client_Contact"), "Contact"),
            *_long(131072, "note"),
            kind.long_area(api_name("RichTextNote"), 131072, html=True),
            *_long(32000, "description", "EmailConversationData"),
            *_moments("date"),
            *_texts(10, "duration"),
            *_texts(255, "Attachments"),
            _flag("inactive"),
            _flag("system"),
            _parent_name("actionId", "FKAction"),
            _parent_name("userId", "FKUser", "Username"),
            _parent_name("incidentId", "FKIncident"),
            kind.formula(api_name("Action_Duration"), _minutes, FieldType.DOUBLE),
        ),
    )


def _task() -> SObject:
    return define_object(
        TASK,
        "Task",
        "a0T",
        (
            kind.auto_number("Name"),
            kind.lookup("OwnerId", "User", "Group"),
            kind.lookup(api_name("FKIncident"), INCIDENT, children=f"{PREFIX}Tasks__r"),
            *(
                kind.lookup(api_name(bare), target)
                for bare, target in (
                    ("FKStatus", STATUS),
                    ("FKCategory", CATEGORY),
                    ("FKTemplate", TEMPLATE),
                    ("FKPriority", PRIORITY),
                    ("FKImpact", IMPACT),
                    ("FKUrgency", URGENCY),
                    ("FKClient", "User"),
                )
            ),
            _parent_name("Status_ID", "FKStatus"),
            _flag("state", default=True),
            *_long(32000, "taskDescription", "taskResolution"),
            kind.short_area(api_name("shortDescription")),
            *_moments("openDateTime", "closeDateTime", "dueDateTime"),
        ),
    )


def _status() -> SObject:
    applies = ("appliesToIncident", "appliesToTask", "appliesToProblem")
    return define_object(
        STATUS,
        "Status",
        "a0S",
        (
            kind.text("Name", 80, required=True),
            _flag("state", default=True),
            *(_flag(bare) for bare in ("workStatus", *applies, "defaultStatus")),
            *(_flag(bare) for bare in ("inactive", "system")),
            kind.external_key(api_name("Sequence"), 10, unique=False),
        ),
    )


def _category() -> SObject:
    return define_object(
        CATEGORY,
        "Category",
        "a0C",
        (
            kind.text("Name", 80, required=True),
            kind.text(api_name("Abbreviation"), 20),
            kind.lookup(api_name("FKParentCategory"), CATEGORY),
            kind.lookup(api_name("FKUrgency"), URGENCY),
            *_texts(255, "parentTree"),
            _flag("AvailableForIncidents", default=True),
            _flag("AvailableForServiceCatalog"),
            _flag("inactive"),
            *_numbers("children"),
            kind.text("PagerDuty_Service_ID__c", 20),
        ),
    )


def _priority() -> SObject:
    return define_object(
        PRIORITY,
        "Priority",
        "a0P",
        (
            kind.text("Name", 80, required=True),
            kind.lookup(api_name("FKImpact"), IMPACT),
            kind.lookup(api_name("FKUrgency"), URGENCY),
            *_texts(255, "description"),
            _flag("inactive"),
        ),
    )


def _action() -> SObject:
    return define_object(
        ACTION,
        "Action",
        "a0A",
        (
            kind.text("Name", 80, required=True),
            kind.text(api_name("Abbreviation"), 20),
            _flag("appliesToIncident", default=True),
            _flag("Display_In_SelfService"),
            _flag("inactive"),
            _flag("system"),
        ),
    )


def _template() -> SObject:
    return define_object(
        TEMPLATE,
        "Template",
        "a0L",
        (
            kind.text("Name", 80, required=True),
            kind.picklist(
                api_name("templateFor"),
                *("Incident", "Task", "Change Request", "Release", "Request Detail"),
            ),
            *(_flag(bare) for bare in ("systemTemplate", "inactive", "HasRecurrence")),
            *_texts(255, "description"),
        ),
    )


def _scale(name: str, label: str, prefix: str) -> SObject:
    columns = (kind.text("Name", 80, required=True), _flag("inactive"), *_texts(10, "Sequence"))
    return define_object(name, label, prefix, columns)


def _named(name: str, label: str, prefix: str) -> SObject:
    return define_object(name, label, prefix, (kind.text("Name", 80, required=True),))


def remedyforce_objects() -> tuple[SObject, ...]:
    """The package's objects that concern incidents."""
    return (
        _incident(),
        _history(),
        _task(),
        _status(),
        _category(),
        _priority(),
        _action(),
        _template(),
        _scale(IMPACT, "Impact", "a0I"),
        _scale(URGENCY, "Urgency", "a0U"),
        _named(REQUEST_DEFINITION, "Request Definition", "a0D"),
        _named(REQUEST_DETAIL, "Request Detail", "a0E"),
        _named(BASE_ELEMENT, "CMDB Instance", "a0M"),
        _named(BROADCAST, "Broadcast", "a0B"),
    )
