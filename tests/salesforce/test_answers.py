import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from pagerforce.salesforce.answers import (
    Fault,
    VendorRefusedError,
    faults_of,
    judge,
    parse_faults,
    to_error,
)
from pagerforce.salesforce.meaning import Meaning

TABLE = [
    # status, code, message, reading, writing
    (401, "INVALID_SESSION_ID", "Session expired or invalid", CredentialsError, CredentialsError),
    (400, "UNABLE_TO_LOCK_ROW", "unable to obtain", TransientError, TransientError),
    (503, "SERVER_UNAVAILABLE", "down", TransientError, UnknownOutcomeError),
    (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", BudgetError, BudgetError),
    (
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        TransientError,
        TransientError,
    ),
    (
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentPerOrgLongTxn Limit exceeded.",
        TransientError,
        TransientError,
    ),
    (400, "QUERY_TIMEOUT", "too long", TransientError, TransientError),
    (500, "UNKNOWN_EXCEPTION", "oops", TransientError, UnknownOutcomeError),
    (400, "UNKNOWN_EXCEPTION", "oops", TransientError, UnknownOutcomeError),
    (400, "INVALID_QUERY_LOCATOR", "gone", TransientError, TransientError),
    (400, "EXCEEDED_ID_LIMIT", "many", RefusedError, RefusedError),
    (400, "INVALID_FIELD", "no such column", RefusedError, RefusedError),
    (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "closed", RefusedError, RefusedError),
    (404, "NOT_FOUND", "gone", RefusedError, RefusedError),
    (403, "INSUFFICIENT_ACCESS_OR_READONLY", "no", RefusedError, RefusedError),
    (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger: no", RefusedError, RefusedError),
    (
        400,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "trigger: UNABLE_TO_LOCK_ROW, unable to obtain",
        TransientError,
        TransientError,
    ),
    (403, "API_DISABLED_FOR_ORG", "no API", CredentialsError, CredentialsError),
]


@pytest.mark.parametrize("is_write", [False, True])
@pytest.mark.parametrize(("status", "code", "message", "reading", "writing"), TABLE)
def test_error_codes_mean_what_the_table_says(status, code, message, reading, writing, is_write):
    error = to_error(status, (Fault(code, message),), what="update", is_write=is_write)
    assert isinstance(error, writing if is_write else reading)
    assert error.code == code
    assert error.status == status
    assert code in str(error)
    assert message in f"{error} {getattr(error, 'detail', '')}"


@pytest.mark.parametrize("status", [403, 404, 420, 429, 500, 502, 503, 504])
def test_a_status_without_a_readable_body_leaves_a_write_unknown(status):
    faults = parse_faults(b"<html><body>Down for Maintenance</body></html>")
    assert faults == ()
    assert isinstance(to_error(status, faults, what="x", is_write=True), UnknownOutcomeError)
    assert isinstance(to_error(status, faults, what="x", is_write=False), TransientError)


def test_a_proxy_that_refuses_without_a_reason_is_not_the_end_of_an_action():
    assert isinstance(to_error(403, (), what="create", is_write=True), UnknownOutcomeError)
    assert isinstance(to_error(302, (), what="create", is_write=True), TransientError)
    assert isinstance(to_error(414, (), what="query", is_write=False), RefusedError)


def test_every_shape_of_error_body_is_read():
    assert parse_faults(
        b'[{"message":"m","errorCode":"A","fields":["F__c"]},{"errorCode":"B"}]'
    ) == (
        Fault("A", "m", ("F__c",)),
        Fault("B", ""),
    )
    assert parse_faults(b'{"message":"m","errorCode":"A"}') == (Fault("A", "m"),)
    assert parse_faults(b'{"success":false,"errors":[{"statusCode":"A","message":"m"}]}') == (
        Fault("A", "m"),
    )
    assert parse_faults(
        b"<Errors><Error><errorCode>A_B</errorCode><message>m</message></Error>"
    ) == (Fault("A_B", "m"),)
    assert parse_faults(b'{"error":"invalid_grant"}') == (Fault("invalid_grant", ""),)


def test_a_refusal_names_the_offending_fields():
    faults = (Fault("STRING_TOO_LONG", "too long", ("A__c",)), Fault("X", "y", ("B__c",)))
    error = to_error(400, faults, what="update", is_write=True)
    assert isinstance(error, VendorRefusedError)
    assert error.fields == {"A__c", "B__c"}


@pytest.mark.parametrize(
    "message",
    [
        "Connected app is not attached to Agent",
        "This session is not valid for use with the REST API",
    ],
)
def test_two_refusals_are_not_cured_by_a_login(message):
    assert judge(401, (Fault("INVALID_SESSION_ID", message),)).meaning is not Meaning.SESSION
    ended = (Fault("INVALID_SESSION_ID", "Session expired or invalid"),)
    assert judge(401, ended).meaning is Meaning.SESSION
    assert judge(401, ()).meaning is Meaning.SESSION


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_no_error_body_is_too_odd_to_be_classified(body):
    error = to_error(400, faults_of(body), what="query", is_write=False)
    assert str(error)


@given(st.binary() | st.text().map(str.encode))
def test_no_body_is_too_odd_to_be_read(body):
    assert isinstance(parse_faults(body), tuple)
