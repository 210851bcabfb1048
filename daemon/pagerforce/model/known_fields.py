"""Fields of known objects (Remedyforce's incident, the standard Case) that change by themselves.

They are known by name, with or without the object's preset: describe does not show what changes them.

Facts: ``salesforce.remedyforce-closing-by-status``.
"""

from collections.abc import Mapping


def _fields(*names: str) -> frozenset[str]:
    return frozenset(f"BMCServiceDesk__{name}__c" for name in names)


CHANGED_WITH: Mapping[str, frozenset[str]] = {
    "bmcservicedesk__fkstatus__c": _fields(
        "state", "closeDateTime", "FKClosedBy", "Closed_By", "StatusChangeDate"
    ),
    "status": frozenset({"IsClosed", "ClosedDate"}),  # of Case
}
"""By field, in lower case: the fields that change together with it."""

CHANGED_BY_TIME: Mapping[str, frozenset[str]] = {
    "BMCServiceDesk__Incident__c": _fields(
        "TimeSpentInCurrentStatus",
        "Due_Date_Progress",
        "Compliant",
        "Time_Remaining_Percentage",
        "VIP_Client",
        "New_Incident",
        "Deep_View",
        "Launch_console",
        "inc_console_detail_link",
    )
}
"""By object: formulas that change with the time, or differ by user."""
