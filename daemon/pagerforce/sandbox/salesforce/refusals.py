"""The wording of orgs' refusals: one table, name -> status and body.

Facts: docs/vendors/salesforce.md#login and #errors. An undocumented status is a guess. The names
are values for ``Fault.answer`` and :class:`.troubles.Trouble`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pagerforce.sandbox.faults import ErrorAnswer
from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.render import Json

_TRIGGER = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
_FLOW = "CANNOT_EXECUTE_FLOW_TRIGGER"
_BUSY = (
    "Record Currently Unavailable: The record you are attempting to edit, or one of its related"
    " records, is currently being modified by another user. Please try again."
)
_LOCK = "unable to obtain exclusive access to this record or 4 records: a2E000000000001AAA"
_NESTED = (
    "BMCServiceDesk.IncidentHistoryTrigger: execution of AfterInsert\n\ncaused by:"
    " System.DmlException: Update failed. First exception on row 0 with id a0N000000000001AAA;"
    " first error: CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY, BMCServiceDesk.IncidentTrigger: execution"
    " of AfterUpdate\n\ncaused by: System.DmlException: Update failed. First exception on row 0"
    " with id 001000000000001AAA; first error: CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY,"
    " acme.AccountTrigger: execution of AfterUpdate\n\ncaused by: System.DmlException: Upsert"
    " failed. First exception on row 2; first error: UNABLE_TO_LOCK_ROW, " + _LOCK + ": []"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal in the form of an answer.

    Attributes:
        body: the API's array, the token endpoint's object, or the text of an HTML page.
    """

    status: int
    body: list[Json] | Json | str

    def as_error(self) -> ApiError | None:
        """As a refusal of one row; None if it is no answer of the API."""
        if not isinstance(self.body, list):
            return None
        first = self.body[0]
        fields = first.get("fields")
        return ApiError(
            str(first["errorCode"]),
            str(first["message"]),
            status=self.status,
            fields=fields if isinstance(fields, list) else None,
        )

    def as_answer(self) -> ErrorAnswer:
        """As an HTTP answer."""
        if isinstance(self.body, str):
            return ErrorAnswer(
                self.status, self.body.encode(), {"content-type": "text/html;charset=UTF-8"}
            )
        headers = {"content-type": "application/json;charset=UTF-8"}
        return ErrorAnswer(self.status, json.dumps(self.body).encode(), headers)


def _api(status: int, code: str, message: str, *, has_fields: bool = True) -> Refusal:
    body: Json = {"message": message, "errorCode": code}
    return Refusal(status, [body | {"fields": []} if has_fields else body])


def _login(error: str, description: str) -> Refusal:
    return Refusal(400, {"error": error, "error_description": description})


def _page(status: int, title: str, text: str) -> Refusal:
    head = f"<html><head><title>{title}</title></head>"
    return Refusal(status, f"{head}<body><h1>{title}</h1><p>{text}</p></body></html>")


REFUSALS: Mapping[str, Refusal] = {
    # Row locks, in every wording.
    "row_lock": _api(
        400,
        "UNABLE_TO_LOCK_ROW",
        "unable to obtain exclusive access to this record or 1 records: 500000000000001AAA",
    ),
    "row_lock_in_trigger": _api(
        400,
        _TRIGGER,
        "acme.CaseTrigger: execution of AfterInsert\n\ncaused by: System.DmlException: Update"
        f" failed. First exception on row 0; first error: UNABLE_TO_LOCK_ROW, {_LOCK}: []",
    ),
    "row_lock_in_nested_triggers": _api(400, _TRIGGER, _NESTED),
    "row_lock_in_flow": _api(
        400,
        _FLOW,
        "We can't save this record because the “Escalate” process failed. Give your Salesforce"
        " admin these details. This error occurred when the flow tried to update records:"
        f" UNABLE_TO_LOCK_ROW: {_LOCK}.",
    ),
    "record_currently_unavailable": _api(
        400,
        _TRIGGER,
        "acme.AccountTrigger: execution of AfterUpdate\n\ncaused by: System.QueryException:"
        f" {_BUSY}\n\n(acme)",
    ),
    "record_currently_unavailable_in_flow": _api(
        400,
        _FLOW,
        "We can't save this record because the “Escalate” process failed. An Apex error occurred:"
        f" System.QueryException: {_BUSY}",
    ),
    # Temporary refusals of the org.
    "read_only_maintenance": _api(
        400,
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        "Inserts, updates and deletes are not allowed while the instance is in maintenance",
    ),
    "org_in_maintenance": _api(
        403, "ORG_IN_MAINTENANCE", "Organization is in maintenance. Please try again later."
    ),
    "server_unavailable": _api(
        503, "SERVER_UNAVAILABLE", "Server is too busy. Please try again.", has_fields=False
    ),
    "query_timeout": _api(
        400, "QUERY_TIMEOUT", "Your query request was running for too long.", has_fields=False
    ),
    "apex_cpu_limit": _api(
        400,
        _TRIGGER,
        "acme.CaseTrigger: System.LimitException: acme:Apex CPU time limit exceeded",
    ),
    "apex_soql_limit": _api(
        400,
        _TRIGGER,
        "acme.CaseTrigger: System.LimitException: acme:Too many SOQL queries: 101",
    ),
    "apex_async_limit": _api(
        400,
        _TRIGGER,
        "acme.CaseTrigger: execution of AfterUpdate\n\ncaused by: System.AsyncException:"
        " AsyncApexExecutions Limit exceeded.\n\n(acme)",
    ),
    "concurrent_requests_limit": _api(
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        has_fields=False,
    ),
    "long_transactions_limit": _api(
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentPerOrgLongTxn Limit exceeded.",
        has_fields=False,
    ),
    "daily_limit": _api(
        403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", has_fields=False
    ),
    # Refusals that need a new login, and answers that are not from the API.
    "session_expired": _api(
        401, "INVALID_SESSION_ID", "Session expired or invalid", has_fields=False
    ),
    "url_not_reset": _api(
        400,
        "URL_NOT_RESET",
        "Destination URL not reset. The URL returned from login must be set",
        has_fields=False,
    ),
    "no_longer_exists": _page(
        404,
        "URL No Longer Exists",
        "You have attempted to reach a URL that no longer exists on salesforce.com.",
    ),
    "page_instead_of_answer": _page(200, "Login", "Please log in."),
    "request_timeout_page": _page(408, "Request Timeout", "The request took too long."),
    "maintenance_page": _page(503, "Down for Maintenance", "Sorry for the inconvenience."),
    # The account.
    "expired_password": _api(
        403, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The users password has expired"
    ),
    "org_locked": _api(403, "ORG_LOCKED", "The organization has been locked"),
    "trial_expired": _api(403, "TRIAL_EXPIRED", "The trial period has expired"),
    "api_disabled": _api(
        403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization."
    ),
    "storage_full": _api(400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"),
    # One record or one value.
    "entity_is_locked": _api(400, "ENTITY_IS_LOCKED", "entity is locked for editing"),
    "inactive_owner": _api(
        400,
        "INACTIVE_OWNER_OR_USER",
        "operation performed with inactive user [005000000000009AAA] as owner of case",
    ),
    "trigger_refuses": _api(
        400, _TRIGGER, "acme.CaseTrigger: execution of BeforeUpdate\n\ncaused by: not today"
    ),
    "flow_refuses": _api(
        400,
        _FLOW,
        "We can't save this record because the “Escalate” process failed. Give your Salesforce"
        " admin these details.",
    ),
    # The token endpoint.
    "login_rate_exceeded": _login("invalid_grant", "login rate exceeded"),
    "token_request_in_process": _login("invalid_grant", "token request is already being processed"),
    "token_retry": _login("unknown_error", "retry your request"),
    "authentication_failure": _login("invalid_grant", "authentication failure"),
    "invalid_password": _login("invalid_grant", "authentication failure - Invalid Password"),
    "inactive_user": _login("invalid_grant", "inactive user"),
    "inactive_organization": _login("invalid_grant", "inactive organization"),
    "ip_restricted": _login("invalid_grant", "ip restricted"),
    "app_not_found": _login("app_not_found", "External client app is not installed in this org"),
}
