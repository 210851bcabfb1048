"""The Remedyforce package's and the platform's derived values and refusals on writes.

Facts: docs/vendors/salesforce.md#remedyforce and #case.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from pagerforce.sandbox.salesforce.dml import Draft, Hooks
from pagerforce.sandbox.salesforce.errors import ApiError, validation_failed
from pagerforce.sandbox.salesforce.remedyforce import (
    HISTORY,
    INCIDENT,
    PRIORITY,
    STATUS,
    TASK,
    api_name,
)
from pagerforce.sandbox.salesforce.schema import Value
from pagerforce.sandbox.salesforce.store import Row
from pagerforce.sandbox.salesforce.transaction import Transaction

CLOSED_MESSAGE = "This incident is closed. Reopen the incident to modify it."
STATUS_MESSAGE = "Select an active status that applies to incidents."

_STATE = api_name("state")
_STATUS = api_name("FKStatus")
_CLOSED_AT = api_name("closeDateTime")
_MAY_CHANGE_WHEN_CLOSED = frozenset(
    {
        *(api_name(bare) for bare in ("Feedback", "FKBroadcast", "RF_HasAttachments")),
        *(api_name(bare) for bare in ("Total_Duration", "RF_TimeToClose")),
    }
)
_STAMPS = frozenset({"LastModifiedDate", "LastModifiedById", "SystemModstamp"})
_DURATION = re.compile(r"\d{2,}:[0-5]\d", re.ASCII)
_SHORT_DESCRIPTION_LENGTH = 255
_MATRIX_SIDES = ("FKImpact", "FKUrgency")


def package_hooks(rollup_is_edit: Callable[[], bool]) -> Mapping[str, Hooks]:
    """The behaviour by object name.

    Args:
        rollup_is_edit: whether the roll-up on an incident also moves its LastModifiedDate; the
            known documentation does not say what the platform does, so both are possible.
    """

    def roll_up(row: Row, tx: Transaction) -> None:
        _roll_up_history(row, tx, as_edit=rollup_is_edit())

    return {
        INCIDENT: Hooks(before=_derive_incident, validate=_validate_incident),
        HISTORY: Hooks(before=_derive_history, validate=_validate_history, after=roll_up),
        TASK: Hooks(before=_derive_task),
        "Case": Hooks(before=_derive_case),
    }


def _parent_value(draft: Draft, tx: Transaction, lookup: str, column: str) -> Value:
    row_id = draft.values.get(lookup)
    row = tx.find(row_id) if isinstance(row_id, str) else None
    return None if row is None else row.values.get(column)


def _derive_incident(draft: Draft, tx: Transaction) -> None:
    values = draft.values
    if draft.before is None:
        _fill_new_incident(draft, tx)
    _derive_state(draft, tx)
    _derive_priority(draft, tx)
    owner = values.get("OwnerId")
    if isinstance(owner, str) and owner.startswith("00G"):
        queue = tx.find(owner)
        values[api_name("queueName")] = None if queue is None else queue.values["Name"]


def _fill_new_incident(draft: Draft, tx: Transaction) -> None:
    values = draft.values
    if values[api_name("openDateTime")] is None:
        values[api_name("openDateTime")] = tx.now
    if values[api_name("FKOpenBy")] is None:
        values[api_name("FKOpenBy")] = tx.user_id
    description = values[api_name("incidentDescription")]
    if values[api_name("shortDescription")] is None and isinstance(description, str):
        values[api_name("shortDescription")] = description[:_SHORT_DESCRIPTION_LENGTH]
    if values[_STATUS] is None:
        values[_STATUS] = _default_status(tx)


def _default_status(tx: Transaction) -> str | None:
    statuses = (row for row in tx.scan(STATUS) if not row.is_deleted)
    return next((row.id for row in statuses if row.values[api_name("defaultStatus")]), None)


def _derive_state(draft: Draft, tx: Transaction) -> None:
    values = draft.values
    if draft.is_changed(_STATUS) and values[_STATUS] is not None:
        values[api_name("StatusChangeDate")] = tx.now
        values[_STATE] = _parent_value(draft, tx, _STATUS, _STATE)
    was_open = draft.before is None or draft.old(_STATE) is True
    if was_open and values[_STATE] is False:
        values[api_name("FKClosedBy")] = tx.user_id
        if not draft.is_changed(_CLOSED_AT):
            values[_CLOSED_AT] = tx.now
    elif not was_open and values[_STATE] is True:
        values |= {api_name("FKClosedBy"): None, _CLOSED_AT: None}


def _derive_priority(draft: Draft, tx: Transaction) -> None:
    """The matrix: impact and urgency give the priority, unless the same call writes it."""
    impact, urgency = api_name("FKImpact"), api_name("FKUrgency")
    priority = api_name("FKPriority")
    if priority in draft.written or not (draft.is_changed(impact) or draft.is_changed(urgency)):
        return
    wanted = (draft.values[impact], draft.values[urgency])
    if None in wanted:
        return
    rows = [row for row in tx.scan(PRIORITY) if not row.is_deleted]
    cell = next((r for r in rows if (r.values[impact], r.values[urgency]) == wanted), None)
    if cell is None:
        name = _name_by_rank(draft, tx)
        cell = next((row for row in rows if row.values["Name"] == name), None)
    draft.values[priority] = None if cell is None else cell.id


def _name_by_rank(draft: Draft, tx: Transaction) -> str | None:
    """Cells without a priority row: the two ranks together give the number."""
    ranks = [_parent_value(draft, tx, api_name(n), api_name("Sequence")) for n in _MATRIX_SIDES]
    numbers = [int(rank) for rank in ranks if isinstance(rank, str) and rank.isdigit()]
    return str(sum(numbers) - 1) if len(numbers) == len(ranks) else None


def _validate_incident(draft: Draft, tx: Transaction) -> None:
    _check_status_filter(draft, tx)
    values = draft.values
    if draft.old(_STATE) is False and values[_STATE] is False:
        changed = draft.changed() - _STAMPS
        if not changed or changed - _MAY_CHANGE_WHEN_CLOSED:
            raise validation_failed(CLOSED_MESSAGE)
    classified = ("FKCategory", "FKTemplate", "FKRequestDefinition", "contactType")
    if all(values[api_name(bare)] is None for bare in classified):
        raise validation_failed("Please enter a category, template or request definition.")
    request = api_name("FKRequestDefinition")
    if draft.before is not None and draft.old(request) is not None and draft.is_changed(request):
        raise validation_failed("The request definition cannot be changed.", request)
    _check_incident_times(values)


def _check_status_filter(draft: Draft, tx: Transaction) -> None:
    if draft.values[_STATUS] is None or not draft.is_changed(_STATUS):
        return
    applies = _parent_value(draft, tx, _STATUS, api_name("appliesToIncident"))
    inactive = _parent_value(draft, tx, _STATUS, api_name("inactive"))
    if applies is not True or inactive is not False:
        raise ApiError("FIELD_FILTER_VALIDATION_EXCEPTION", STATUS_MESSAGE, fields=[_STATUS])


def _check_incident_times(values: Mapping[str, Value]) -> None:
    def moment(bare: str) -> datetime | None:
        value = values[api_name(bare)]
        return value if isinstance(value, datetime) else None

    opened, due = moment("openDateTime"), moment("dueDateTime")
    if opened is not None and due is not None and due < opened:
        raise validation_failed("The due date must not be before the opened date.")
    start, end = moment("outageFrom"), moment("outageTo")
    if end is not None and (start is None or end <= start):
        raise validation_failed("The outage end needs an outage start, and must be later.")
    follow_up, closed = moment("followUpDateTime"), moment("closeDateTime")
    if values[api_name("followUp")] is True:
        if follow_up is None:
            raise validation_failed("Please enter the follow-up date.")
        if closed is not None and follow_up < closed:
            raise validation_failed("The follow-up date must not be before the closed date.")


def _derive_history(draft: Draft, tx: Transaction) -> None:
    if draft.before is None and draft.values[api_name("date")] is None:
        draft.values[api_name("date")] = tx.now
    if draft.before is None and draft.values[api_name("FKUser")] is None:
        draft.values[api_name("FKUser")] = tx.user_id


def _validate_history(draft: Draft, tx: Transaction) -> None:
    if draft.values[api_name("FKAction")] is None:
        raise validation_failed("Please enter Action.", api_name("FKAction"))
    duration = draft.values[api_name("duration")]
    if isinstance(duration, str) and _DURATION.fullmatch(duration) is None:
        raise validation_failed("Please enter the duration as hh:mm.", api_name("duration"))
    if _parent_value(draft, tx, api_name("FKIncident"), _STATE) is False:
        raise validation_failed(CLOSED_MESSAGE)


def _roll_up_history(row: Row, tx: Transaction, *, as_edit: bool) -> None:
    """Sums durations on the incident, moves its stamp (``salesforce.roll-up-moves-the-parent``)."""
    parent_field = api_name("FKIncident")
    parent_id = row.values[parent_field]
    parent = tx.find(parent_id) if isinstance(parent_id, str) else None
    if parent is None or parent.is_deleted:
        return
    column = tx.schema.get(HISTORY).fields[api_name("Action_Duration").lower()]
    total = 0.0
    for detail in tx.holders(HISTORY, parent_field, parent.id):
        minutes = tx.lens.value(detail, column)
        total += minutes if isinstance(minutes, float) else 0.0
    tx.touch(parent.id, {api_name("Total_Duration"): total}, as_edit=as_edit)


def _derive_task(draft: Draft, tx: Transaction) -> None:
    if draft.is_changed(_STATUS) and draft.values[_STATUS] is not None:
        is_open = _parent_value(draft, tx, _STATUS, _STATE)
        draft.values[_STATE] = is_open
        draft.values[_CLOSED_AT] = None if is_open else tx.now


def _derive_case(draft: Draft, tx: Transaction) -> None:
    is_closed = draft.values["Status"] == "Closed"
    if is_closed and not draft.values["IsClosed"]:
        draft.values["ClosedDate"] = tx.now
    elif not is_closed:
        draft.values["ClosedDate"] = None
    draft.values["IsClosed"] = is_closed
