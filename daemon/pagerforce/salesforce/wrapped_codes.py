"""Errors of Salesforce that wrap another error: rows of ``error_table.py``. Pure data.

The whole message is searched: it names the real cause at any depth. The cause is in English in any
org, because it is a code or a text of Apex.
"""

from pagerforce.salesforce.advice import (
    APPROVAL,
    ASYNC,
    FILTER,
    INACTIVE,
    LIMIT,
    READ_ONLY,
    RETRY,
    STORAGE,
    VALIDATION,
)
from pagerforce.salesforce.meaning import Meaning, row

_M = Meaning

# The wrappers: an Apex trigger, a flow, or code that passes on an error that it caught.
WRAPPER_CODES = (
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CANNOT_EXECUTE_FLOW_TRIGGER FLOW_EXCEPTION"
    " CUSTOM_APEX_ERROR APEX_ERROR FIELD_CUSTOM_VALIDATION_EXCEPTION ENTITY_SAVE_ERROR"
    " ENTITY_SAVE_VALIDATION_ERROR DELETE_FAILED UNDELETE_FAILED MERGE_FAILED"
)

WITHIN = (
    row(
        _M.FAST,
        "recorded: DLRS#847, DLRS#1241, restforce/restforce#624, and the lock of a SELECT FOR UPDATE",
        WRAPPER_CODES,
        "UNABLE_TO_LOCK_ROW",
        "Record Currently Unavailable",
        "unable to obtain exclusive access to this record",
    ),
    row(
        _M.SLOW,
        "recorded: the code of read-only maintenance, passed on",
        WRAPPER_CODES,
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        advice=READ_ONLY,
    ),
    row(_M.FULL, "WSDL, passed on", WRAPPER_CODES, "STORAGE_LIMIT_EXCEEDED", advice=STORAGE),
    row(_M.LOCKED, "believed, passed on", WRAPPER_CODES, "ENTITY_IS_LOCKED", advice=APPROVAL),
    row(_M.SLOW, "believed", WRAPPER_CODES, "AsyncApexExecutions Limit exceeded", advice=ASYNC),
    row(
        _M.SLOW,
        "the texts of System.LimitException and of QueryException in the Apex guide: they depend on"
        " other code in the same transaction",
        WRAPPER_CODES,
        "System.LimitException",
        "Apex CPU time limit exceeded",
        "Too many SOQL queries",
        "Too many DML statements",
        "Too many query rows",
        "Too many queueable jobs",
        "Too many future calls",
        "Your query request was running for too long",
        "QUERY_TIMEOUT",
        "TOO_MANY_APEX_REQUESTS",
        "REQUEST_RUNNING_TOO_LONG",
        advice=LIMIT,
    ),
    row(
        _M.SLOW,
        "the codes below, passed on; System.CalloutException: Read timed out in the Apex guide",
        WRAPPER_CODES,
        "SERVER_UNAVAILABLE",
        "REQUEST_LIMIT_EXCEEDED",
        "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE",
        "ORG_IN_MAINTENANCE",
        "System.CalloutException: Read timed out",
    ),
    row(_M.REFUSED, "below", WRAPPER_CODES, "FIELD_FILTER_VALIDATION_EXCEPTION", advice=FILTER),
    row(_M.REFUSED, "below", WRAPPER_CODES, "INACTIVE_OWNER_OR_USER", advice=INACTIVE),
    row(
        _M.REFUSED,
        "believed",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        advice=VALIDATION,
    ),
    row(
        _M.REFUSED,
        "believed",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        advice=VALIDATION,
    ),
    row(
        _M.REFUSED,
        "recorded",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CUSTOM_APEX_ERROR APEX_ERROR",
        advice=f"a trigger of the org refuses this: correct what its message names; {RETRY}",
    ),
    row(
        _M.REFUSED,
        "recorded",
        "CANNOT_EXECUTE_FLOW_TRIGGER FLOW_EXCEPTION",
        advice=(
            "a flow of the org failed: its administrator finds the reason in the flow's error"
            f" e-mail; {RETRY}"
        ),
    ),
    row(
        _M.REFUSED,
        "WSDL",
        "ENTITY_SAVE_ERROR ENTITY_SAVE_VALIDATION_ERROR DELETE_FAILED UNDELETE_FAILED MERGE_FAILED",
    ),
)
