"""The table of error meanings: a body for every row, and every code of the vendor's list."""

import json
from pathlib import Path

import pytest

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    HaltedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from pagerforce.model.verdict import HaltSide, Rejected, RetryLater, Unknown
from pagerforce.salesforce.actions.verdicts import to_verdict
from pagerforce.salesforce.answers import faults_of, judge, parse_faults, to_error
from pagerforce.salesforce.error_table import BY_CODE, TABLE
from pagerforce.salesforce.login import to_login_error
from pagerforce.salesforce.login_table import LOGIN_TABLE
from pagerforce.salesforce.meaning import Meaning

M = Meaning
DATA = Path(__file__).parent / "data"
CASES = Path(__file__).parents[1] / "recorded" / "salesforce"
TRIGGER = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
FLOW = "CANNOT_EXECUTE_FLOW_TRIGGER"
VALIDATION = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
DML = (
    "acme.T: execution of AfterUpdate caused by: System.DmlException: Update failed. First exception \
on row 0 with id a0N000000000001AAA; first error: "
)

# status, code, message, meaning
MET = [
    (400, TRIGGER, f"{DML}UNABLE_TO_LOCK_ROW, unable to obtain exclusive access: []", M.FAST),
    (400, FLOW, "Wir können diesen Datensatz nicht speichern: UNABLE_TO_LOCK_ROW", M.FAST),
    (400, FLOW, "unable to obtain exclusive access to this record or 1 records", M.FAST),
    (400, VALIDATION, f"{DML}UNABLE_TO_LOCK_ROW, unable to obtain: []", M.FAST),
    (400, TRIGGER, f"{DML}INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE, no: []", M.SLOW),
    (400, TRIGGER, f"{DML}STORAGE_LIMIT_EXCEEDED, storage limit exceeded: []", M.FULL),
    (400, TRIGGER, f"{DML}ENTITY_IS_LOCKED, This record is locked: []", M.LOCKED),
    (400, TRIGGER, "System.AsyncException: AsyncApexExecutions Limit exceeded.", M.SLOW),
    (400, TRIGGER, "System.LimitException: Apex CPU time limit exceeded", M.SLOW),
    (400, TRIGGER, "System.LimitException: BMCServiceDesk:Too many SOQL queries: 101", M.SLOW),
    (400, FLOW, "An Apex error occurred: Apex CPU time limit exceeded", M.SLOW),
    (400, TRIGGER, "System.QueryException: Your query request was running for too long", M.SLOW),
    (400, TRIGGER, "System.CalloutException: Read timed out", M.SLOW),
    (400, TRIGGER, f"{DML}FIELD_FILTER_VALIDATION_EXCEPTION, no: [F__c]", M.REFUSED),
    (400, TRIGGER, f"{DML}INACTIVE_OWNER_OR_USER, inactive: []", M.REFUSED),
    (400, TRIGGER, f"{DML}{VALIDATION}, Close notes are needed: []", M.REFUSED),
    (400, VALIDATION, "Close notes are needed", M.REFUSED),
    (400, TRIGGER, "System.NullPointerException: Attempt to de-reference a null object", M.REFUSED),
    (400, FLOW, "The flow failed to access the value", M.REFUSED),
    (400, "ENTITY_SAVE_ERROR", "not saved", M.REFUSED),
    (400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", M.FAST),
    (400, "QUERY_TIMEOUT", "Your query request was running for too long.", M.FAST),
    (400, "PROCESSING_HALTED", "The transaction was rolled back", M.FAST),
    (400, "COLLISION_DETECTED", "", M.FAST),
    (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API) Limit exceeded.", M.FAST),
    (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", M.QUOTA),
    (400, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "Updates can't be made", M.SLOW),
    (403, "ORG_IN_MAINTENANCE", "The org is in maintenance", M.SLOW),
    (400, "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE", "", M.SLOW),
    (400, "MATCH_SERVICE_TIMED_OUT", "", M.SLOW),
    (400, "TOO_MANY_APEX_REQUESTS", "", M.SLOW),
    (400, "SINGLE_EMAIL_LIMIT_EXCEEDED", "", M.SLOW),
    (400, "TXN_SECURITY_RUNTIME_ERROR", "", M.SLOW),
    (503, "SERVER_UNAVAILABLE", "down", M.BROKEN),
    (400, "UNKNOWN_EXCEPTION", "An unexpected error occurred. ErrorId: 1-2 (3)", M.BROKEN),
    (400, "ENTITY_IS_LOCKED", "the entity is locked for editing", M.LOCKED),
    (401, "INVALID_SESSION_ID", "Connected app is not attached to Agent", M.ACCOUNT),
    (401, "INVALID_SESSION_ID", "Session expired or invalid", M.SESSION),
    (400, "INVALID_SESSION_ID", "Session expired or invalid", M.SESSION),
    (400, "URL_NOT_RESET", "Destination URL not reset", M.MOVED),
    (403, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The users password has expired", M.ACCOUNT),
    (403, "ORG_LOCKED", "", M.ACCOUNT),
    (403, "TRIAL_EXPIRED", "", M.ACCOUNT),
    (403, "INACTIVE_USER", "", M.ACCOUNT),
    (403, "LOGIN_DURING_RESTRICTED_DOMAIN", "", M.ACCOUNT),
    (403, "LOGIN_DURING_RESTRICTED_TIME", "", M.ACCOUNT),
    (403, "API_DISABLED_FOR_ORG", "", M.ACCOUNT),
    (403, "INVALID_LOGIN", "", M.ACCOUNT),
    (403, "TXN_SECURITY_TWO_FA_REQUIRED", "", M.ACCOUNT),
    (403, "OAUTH_APP_BLOCKED", "", M.ACCOUNT),
    (404, "UNSUPPORTED_API_VERSION", "", M.ACCOUNT),
    (400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", M.FULL),
    (400, "FIELD_FILTER_VALIDATION_EXCEPTION", "", M.REFUSED),
    (400, "RELATED_ENTITY_FILTER_VALIDATION_EXCEPTION", "", M.REFUSED),
    (400, "REQUIRED_FIELD_MISSING", "", M.REFUSED),
    (400, "STRING_TOO_LONG", "Note: data value too large: UNABLE_TO_LOCK_ROW", M.REFUSED),
    (400, "MALFORMED_ID", "", M.REFUSED),
    (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "", M.REFUSED),
    (400, "INVALID_FIELD_FOR_INSERT_UPDATE", "", M.REFUSED),
    (400, "INVALID_FIELD", "", M.REFUSED),
    (400, "JSON_PARSER_ERROR", "", M.REFUSED),
    (400, "DUPLICATE_VALUE", "", M.REFUSED),
    (400, "DUPLICATES_DETECTED", "Use one of these records?", M.REFUSED),
    (404, "ENTITY_IS_DELETED", "entity is deleted", M.REFUSED),
    (404, "NOT_FOUND", "Provided external ID field does not exist", M.REFUSED),
    (403, "INSUFFICIENT_ACCESS_OR_READONLY", "", M.REFUSED),
    (400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", M.REFUSED),
    (400, "INACTIVE_OWNER_OR_USER", "", M.REFUSED),
    (400, "PACKAGE_LICENSE_REQUIRED", "", M.REFUSED),
    (403, "TXN_SECURITY_NO_ACCESS", "", M.REFUSED),
    (400, "UNAVAILABLE_RECORDTYPE_EXCEPTION", "", M.REFUSED),
    (400, "SELF_REFERENCE_FROM_TRIGGER", "", M.REFUSED),
    (400, "MALFORMED_QUERY", "", M.REFUSED),
    (400, "EMAIL_OPTED_OUT", "", M.REFUSED),
]
UNKNOWN = [
    (400, "ORG_MIGRATION_IN_PROGRESS", "", M.SLOW),
    (403, "SOMETHING_NEW", "", M.SLOW),
    (400, "NEW_LIMIT_EXCEEDED", "", M.SLOW),
    (400, "INVALID_NEW_THING", "", M.REFUSED),
    (400, "NEW_THING_NOT_ALLOWED", "", M.REFUSED),
    (400, "NEW_WRAPPER", "caused by UNABLE_TO_LOCK_ROW", M.FAST),
    (500, "INVALID_NEW_THING", "", M.BROKEN),
    (503, "SOMETHING_NEW", "", M.BROKEN),
    (401, "SOMETHING_NEW", "", M.SESSION),
    (412, "SOMETHING_NEW", "", M.REFUSED),
]


def faults(code, message):
    return faults_of([{"errorCode": code, "message": message, "fields": []}])


@pytest.mark.parametrize(("status", "code", "message", "meaning"), [*MET, *UNKNOWN])
def test_each_error_means_what_it_is(status, code, message, meaning):
    assert judge(status, faults(code, message)).meaning is meaning


def test_every_row_is_met_and_has_a_source():
    met = set()
    for _, code, message, _ in MET:
        row = next(row for row in BY_CODE[code] if row.find(message) is not None)
        met.add(TABLE.index(row))
    assert [row for place, row in enumerate(TABLE) if place not in met] == []
    assert all(row.source for row in (*TABLE, *LOGIN_TABLE))


def test_no_code_of_the_vendors_list_is_missing():
    lines = (DATA / "wsdl_codes.txt").read_text().splitlines()
    codes = {line for line in lines if not line.startswith("#")}
    assert len(codes) == 540
    assert codes - set(BY_CODE) == set()


@pytest.mark.parametrize(
    ("name", "reading", "writing"),
    [
        ("sf-01-record-currently-unavailable", TransientError, TransientError),
        ("sf-03-lock-beyond-500-characters", TransientError, TransientError),
        ("sf-04-read-only-maintenance", TransientError, TransientError),
        ("sf-06-url-not-reset", TransientError, UnknownOutcomeError),
        ("sf-07-404-html", TransientError, UnknownOutcomeError),
    ],
)
@pytest.mark.parametrize("is_write", [False, True])
def test_bodies_that_were_misread_once(name, reading, writing, is_write):
    case = json.loads((CASES / f"{name}.json").read_text())
    body = case["body"]
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = to_error(case["status"], parse_faults(raw), what="x", is_write=is_write)
    assert isinstance(error, writing if is_write else reading)
    assert isinstance(to_verdict(error), RetryLater | Unknown)


def test_a_login_that_was_misread_once():
    case = json.loads((CASES / "sf-10-login-rate-exceeded.json").read_text())
    error = to_login_error(case["status"], case["body"])
    assert isinstance(error, TransientError)
    assert error.retry_after_seconds == 60


@pytest.mark.parametrize(
    ("code", "description", "kind", "advice"),
    [
        ("invalid_grant", "login rate exceeded", TransientError, ""),
        ("invalid_grant", "token request is already being processed", TransientError, ""),
        ("unknown_error", "retry your request", TransientError, ""),
        ("server_error", None, TransientError, ""),
        ("temporarily_unavailable", None, TransientError, ""),
        ("invalid_grant", "inactive user", CredentialsError, "activate"),
        ("invalid_grant", "inactive organization", CredentialsError, "owner"),
        ("invalid_grant", "ip restricted", CredentialsError, "IP ranges"),
        ("invalid_grant", "expired password", CredentialsError, "new password"),
        ("invalid_grant", "expired access/refresh token", CredentialsError, "clock"),
        ("invalid_grant", "authentication failure - Invalid Password", CredentialsError, "key"),
        ("invalid_grant", "activation secret invalid", CredentialsError, "key"),
        ("invalid_client", "invalid client credentials", CredentialsError, "consumer_key"),
        ("OAUTH_APP_BLOCKED", "this app is blocked by admin", CredentialsError, "unblock"),
        ("OAUTH_EC_APP_NOT_FOUND", None, CredentialsError, "My Domain"),
    ],
)
def test_each_error_of_the_token_endpoint_means_what_it_is(code, description, kind, advice):
    body = {"error": code} | ({"error_description": description} if description else {})
    error = to_login_error(400, body)
    assert isinstance(error, kind)
    assert advice in str(error)


@pytest.mark.parametrize(
    ("code", "is_write", "kind", "verdict"),
    [
        ("STORAGE_LIMIT_EXCEEDED", True, HaltedError, HaltSide),
        ("STORAGE_LIMIT_EXCEEDED", False, TransientError, RetryLater),
        ("ORG_LOCKED", True, CredentialsError, HaltSide),
        ("REQUEST_LIMIT_EXCEEDED", True, BudgetError, HaltSide),
        ("UNKNOWN_EXCEPTION", True, UnknownOutcomeError, Unknown),
        ("UNKNOWN_EXCEPTION", False, TransientError, RetryLater),
        ("ENTITY_IS_LOCKED", True, TransientError, RetryLater),
        ("SOMETHING_NEW", True, TransientError, RetryLater),
        ("STRING_TOO_LONG", True, RefusedError, Rejected),
    ],
)
def test_a_meaning_becomes_an_error_and_a_verdict(code, is_write, kind, verdict):
    error = to_error(400, faults(code, "m"), what="create", is_write=is_write)
    assert isinstance(error, kind)
    assert isinstance(to_verdict(error), verdict)


def test_a_slow_temporary_refusal_is_not_tried_at_once():
    maintenance = "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"
    for code, seconds in [(maintenance, 60), ("ENTITY_IS_LOCKED", 300), ("SOMETHING_NEW", 60)]:
        verdict = to_verdict(to_error(400, faults(code, "m"), what="x", is_write=True))
        assert verdict.after_seconds == seconds


def test_a_triggers_message_about_a_retried_write_stays_out_of_the_log():
    message = "T: Mr Jones' PIN is 4711: UNABLE_TO_LOCK_ROW"
    verdict = to_verdict(to_error(400, faults(TRIGGER, message), what="x", is_write=True))
    assert "4711" not in verdict.reason
    assert "4711" in verdict.detail
    assert "UNABLE_TO_LOCK_ROW" in verdict.reason


def test_a_body_that_was_cut_short_still_shows_its_code():
    body = b'[{"message":"' + b"x" * 100 + b'","errorCode":"DUPLICATES_DETECTED","duplicateRes'
    assert judge(400, parse_faults(body)).meaning is Meaning.REFUSED
    value = b'[{"message":"Note: data value too large: ' + b"x" * 100
    assert judge(400, parse_faults(value)).meaning is Meaning.REFUSED
    soap = b"<soapenv:Fault><sf:exceptionCode>INVALID_SESSION_ID</sf:exceptionCode></soapenv:Fault>"
    assert judge(500, parse_faults(soap)).meaning is Meaning.SESSION


@pytest.mark.parametrize("status", [301, 302, 307, 400, 403, 404, 405, 407, 409, 410])
def test_a_page_is_no_refusal(status):
    error = to_error(status, (), what="create", is_write=True)
    assert isinstance(to_verdict(error), RetryLater | Unknown)
