"""Refusals of the Remedyforce package by its own rules, which no describe shows. Pure.

Facts: docs/vendors/salesforce.md#remedyforce.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from pagerforce.config.checkline import CheckLine, remark, todo
from pagerforce.model.ids import RecordId
from pagerforce.salesforce.soql import Select, equals
from pagerforce.service.writes import NewRow, Write

_P = "BMCServiceDesk__"
_INCIDENT, _HISTORY, _STATUS_OBJECT = (
    f"{_P}Incident__c",
    f"{_P}IncidentHistory__c",
    f"{_P}Status__c",
)
_STATUS, _PRIORITY, _ACTION = f"{_P}FKStatus__c", f"{_P}FKPriority__c", f"{_P}FKAction__c"
_APPLIES, _INACTIVE = f"{_P}appliesToIncident__c", f"{_P}inactive__c"
_BYPASS = f"{_P}RF_SkipTriggerExecution__c"
_ONE_OF = frozenset(
    f"{_P}{name}__c" for name in ("FKCategory", "FKTemplate", "FKRequestDefinition", "contactType")
)

STATUS_UNFIT = todo(
    "remedyforce.status",
    "{where}",
    "this status is inactive or not for incidents, and Remedyforce refuses it: use an active one"
    " that applies to incidents",
)
NO_CATEGORY = todo(
    "remedyforce.category",
    "{where}",
    "Remedyforce requires a category, a template, a request definition or an incident source"
    " (contactType) on a new incident: set one",
)
CATEGORY_BY_SERVICE = remark(
    "remedyforce.category_by_service",
    "{where}",
    "only incidents of mapped services give the new record the category that Remedyforce requires:"
    " set an incident source (contactType) for all others",
)
NO_ACTION = todo(
    "remedyforce.action",
    "{where}",
    "Remedyforce refuses a history row without FKAction: set it in [objects.comments.fields]",
)
PRIORITY = remark(
    "remedyforce.priority",
    "{where}",
    "Remedyforce computes the priority from impact and urgency and may undo this: set those"
    " instead",
)
BYPASS = todo(
    "remedyforce.bypass",
    "{where}",
    "RF_SkipTriggerExecution switches the package's own triggers off: never set it",
)

ADVICE = (STATUS_UNFIT, NO_CATEGORY, CATEGORY_BY_SERVICE, NO_ACTION, PRIORITY, BYPASS)


def judge_write(write: Write) -> Iterator[CheckLine]:
    """Reports known problems with writing this field."""
    if write.object == _INCIDENT and write.field == _BYPASS:
        yield BYPASS.line(where=write.where)
    if write.object == _INCIDENT and write.field == _PRIORITY:
        yield PRIORITY.line(where=write.where)


def judge_row(
    row: NewRow, always: AbstractSet[str], perhaps: AbstractSet[str]
) -> Iterator[CheckLine]:
    """Reports missing fields of a new row.

    Args:
        row: the new row, with its place in the configuration.
        always: the fields that it always gets.
        perhaps: the fields that it gets for some services.
    """
    if row.object == _HISTORY and _ACTION not in always:
        yield NO_ACTION.line(where=row.where)
    if row.object == _INCIDENT and not _ONE_OF & always:
        advice = CATEGORY_BY_SERVICE if _ONE_OF & perhaps else NO_CATEGORY
        yield advice.line(where=row.where)


def status_query(write: Write, found: RecordId) -> str | None:
    """Returns the query whether an incident may have a status; None for other writes."""
    if write.object != _INCIDENT or write.field != _STATUS:
        return None
    return Select(_STATUS_OBJECT, (_APPLIES, _INACTIVE), (equals("Id", found),), limit=1).text()


def judge_status(write: Write, rows: Sequence[Mapping[str, object]]) -> Iterator[CheckLine]:
    """Applies the lookup filter of FKStatus: active, and applies to incidents."""
    for row in rows:
        if row.get(_APPLIES) is False or row.get(_INACTIVE) is True:
            yield STATUS_UNFIT.line(where=write.where)
