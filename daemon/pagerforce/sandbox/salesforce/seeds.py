"""The org's initial content: people, reference data, a queue. No incidents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pagerforce.sandbox.salesforce.ids import make_id
from pagerforce.sandbox.salesforce.remedyforce import (
    ACTION,
    CATEGORY,
    IMPACT,
    INCIDENT,
    PRIORITY,
    REQUEST_DEFINITION,
    STATUS,
    TEMPLATE,
    URGENCY,
    api_name,
)

ORG_ID = "00D000000000001EAA"
INTEGRATION_USER = "integration@example.com"
QUEUE_NAME = "Service Desk"
PERMISSION_SET = "Pagerforce"

USERS = (
    ("", "Integration", INTEGRATION_USER),
    ("Jane", "Doe", "jane.doe@example.com"),
    ("Sam", "Lee", "sam.lee@example.com"),
    ("Raj", "Patel", "raj.patel@example.com"),
)
STATUSES = (
    "NEW",
    "UNASSIGNED",
    "ASSIGNED",
    "ACKNOWLEDGED",
    "IN PROGRESS",
    "RESOLVED",
    "CLOSED",
)
CATEGORIES = (("Network", "PNET001"), ("Database", "PDBA001"), ("Printing", None))
LEVELS = ("HIGH", "MEDIUM", "LOW")
PRIORITY_MATRIX = {
    "1": ("HIGH", "HIGH"),
    "2": ("HIGH", "MEDIUM"),
    "3": ("MEDIUM", "MEDIUM"),
    "4": ("MEDIUM", "LOW"),
    "5": ("LOW", "LOW"),
}
"""Priority name to impact and urgency; each priority row has one cell of the matrix, the other
cells follow by rank."""

ACTIONS = (("Notes", "NOTES"), ("Email Sent", "EMAILOUT"), ("Email Received", "EMAILIN"))

Insert = Callable[[str, Mapping[str, object], str], str]
"""Object, values, Id to use or ``""``; returns the Id."""


@dataclass(frozen=True, slots=True)
class Seeder:
    """Fills an empty org."""

    insert: Insert

    def fill(self) -> None:
        """Creates everything, people first, as they own the rest."""
        self._people()
        self._permissions()
        self._statuses()
        self._matrix()
        self._lists()

    def _people(self) -> None:
        for serial, (first, last, username) in enumerate(USERS, 1):
            values = {
                "FirstName": first,
                "LastName": last,
                "Username": username,
                "Email": username,
                "Alias": username[:8].partition(".")[0],
            }
            self.insert("User", values, make_id("005", serial))
        values = {"Name": "Example Corp", "InstanceName": "SBX1", "OrganizationType": "Developer"}
        self.insert("Organization", values, ORG_ID)
        queue = self.insert("Group", {"Name": QUEUE_NAME, "DeveloperName": "Service_Desk"}, "")
        for object_name in (INCIDENT, "Case"):
            self.insert("QueueSobject", {"QueueId": queue, "SobjectType": object_name}, "")

    def _permissions(self) -> None:
        """The integration user has View All on what is synced, as its administrator should grant."""
        profile = {"Name": "X00eIntegration", "IsOwnedByProfile": True}
        sets = [
            self.insert("PermissionSet", profile, ""),
            self.insert("PermissionSet", {"Name": PERMISSION_SET, "Label": "Pagerforce"}, ""),
        ]
        for item in sets:
            values = {"AssigneeId": make_id("005", 1), "PermissionSetId": item}
            self.insert("PermissionSetAssignment", values, "")
        rights = ("Create", "Read", "Edit", "ViewAllRecords")
        for object_name in (INCIDENT, "Case"):
            granted: Mapping[str, object] = {f"Permissions{right}": True for right in rights}
            values = {"ParentId": sets[1], "SobjectType": object_name}
            self.insert("ObjectPermissions", {**values, **granted}, "")

    def _statuses(self) -> None:
        for sequence, name in enumerate(STATUSES, 1):
            values = {
                "Name": name,
                api_name("state"): name != "CLOSED",
                api_name("appliesToIncident"): True,
                api_name("appliesToTask"): True,
                api_name("defaultStatus"): name == "NEW",
                api_name("Sequence"): str(sequence),
            }
            self.insert(STATUS, values, "")
        self.insert(STATUS, {"Name": "CHANGE REVIEW", api_name("appliesToProblem"): True}, "")
        retired = {api_name("appliesToIncident"): True, api_name("inactive"): True}
        self.insert(STATUS, {"Name": "PENDING (OLD)", **retired}, "")

    def _matrix(self) -> None:
        impacts = self._levels(IMPACT)
        urgencies = self._levels(URGENCY)
        for name, (impact, urgency) in PRIORITY_MATRIX.items():
            values = {
                "Name": name,
                api_name("FKImpact"): impacts[impact],
                api_name("FKUrgency"): urgencies[urgency],
            }
            self.insert(PRIORITY, values, "")

    def _levels(self, object_name: str) -> dict[str, str]:
        sequence = api_name("Sequence")
        return {
            name: self.insert(object_name, {"Name": name, sequence: str(rank)}, "")
            for rank, name in enumerate(LEVELS, 1)
        }

    def _lists(self) -> None:
        for serial, (name, service) in enumerate(CATEGORIES, 1):
            values = {"Name": name, "PagerDuty_Service_ID__c": service}
            self.insert(CATEGORY, values, make_id("a0C", serial))
        for name, abbreviation in ACTIONS:
            self.insert(ACTION, {"Name": name, api_name("Abbreviation"): abbreviation}, "")
        template = {"Name": "Network outage", api_name("templateFor"): "Incident"}
        self.insert(TEMPLATE, template, "")
        self.insert(REQUEST_DEFINITION, {"Name": "New laptop"}, "")
        self.insert("Account", {"Name": "Example Corp"}, "")
