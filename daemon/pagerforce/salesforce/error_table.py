"""The one table of the meanings of Salesforce's API errors. Pure data.

A row maps codes to a meaning. If one code has several meanings, the row also has texts to find in
the message. The first matching row counts. Temporary errors and errors of the account are here,
codes that wrap another error in ``wrapped_codes.py``, refusals in ``refused_codes.py``.

Sources: *recorded* and *believed* as in docs/reference/beliefs.md. ``WSDL`` is the list of codes in
the vendor's Partner WSDL, version 47; only their names and the descriptions in the SOAP API guide
are known. ``answers.py`` judges a code that is in no table; the errors of the token endpoint are in
``login_table.py``.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pagerforce.salesforce.advice import (
    API,
    APPROVAL,
    HOURS,
    IP,
    LIMIT,
    ORG_GONE,
    PASSWORD,
    POLICY,
    READ_ONLY,
    STORAGE,
    USER_GONE,
)
from pagerforce.salesforce.meaning import Meaning, Row, row
from pagerforce.salesforce.refused_codes import OTHER, REFUSED
from pagerforce.salesforce.wrapped_codes import WITHIN, WRAPPER_CODES

_M = Meaning

_PASSING = (
    row(
        _M.FAST,
        "recorded: jsforce/jsforce#1018, salto-io/salto#4424; believed for the locator",
        "UNABLE_TO_LOCK_ROW QUERY_TIMEOUT INVALID_QUERY_LOCATOR",
    ),
    row(
        _M.FAST,
        "believed: the part itself was not run because another failed; WSDL",
        "PROCESSING_HALTED ALL_OR_NONE_OPERATION_ROLLED_BACK BATCH_PROCESSING_HALTED",
    ),
    row(_M.FAST, "WSDL: somebody else was writing the same row", "COLLISION_DETECTED"),
    row(
        _M.FAST,
        "recorded: salto-io/salto#3056, salesforcecli/cli#2180: not the daily limit",
        "REQUEST_LIMIT_EXCEEDED",
        "Concurrent",
    ),
    row(
        _M.QUOTA,
        "recorded: answers that other clients print",
        "REQUEST_LIMIT_EXCEEDED",
        advice="see what else calls this org, lower daily_call_budget, or buy more calls",
    ),
    row(
        _M.SLOW,
        "recorded: other clients name it; WSDL",
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        advice=READ_ONLY,
    ),
    row(
        _M.SLOW,
        "WSDL",
        "ORG_IN_MAINTENANCE",
        advice="the org is in maintenance: nothing to do, it returns automatically",
    ),
    row(
        _M.SLOW,
        "WSDL: the org, or a service of the vendor, is temporarily unavailable",
        "ORG_IS_SIGNING_UP FUNCTIONALITY_TEMPORARILY_UNAVAILABLE SSO_SERVICE_DOWN"
        " TERRITORY_REALIGN_IN_PROGRESS RECORD_IN_USE_BY_WORKFLOW OPERATION_ENQUEUED"
        " PLATFORM_EVENT_PUBLISHING_UNAVAILABLE PLATFORM_EVENT_PUBLISH_FAILED"
        " EXTERNAL_OBJECT_CONNECTION_EXCEPTION EXTERNAL_OBJECT_EXCEPTION CLEAN_SERVICE_ERROR"
        " LICENSING_DATA_ERROR LICENSING_UNKNOWN_ERROR"
        " DATAASSESSMENT_CONFIG_ASSESSMENT_IN_PROGRESS_ERROR DATAASSESSMENT_CONFIG_SERVICE_ERROR"
        " DATACLOUDADDRESS_SERVER_ERROR DATACLOUD_API_SERVER_BUSY_EXCEPTION"
        " DATACLOUD_API_SERVER_EXCEPTION DATACLOUD_API_TIMEOUT_EXCEPTION DATACLOUD_API_UNAVAILABLE"
        " DATA_INTEGRATION_SERVER_ERROR SOCIALCRM_FEEDSERVICE_API_SERVER_EXCEPTION"
        " SOCIALCRM_FEEDSERVICE_API_UNAVAILABLE XCLEAN_DJ_MATCH_RETRIABLE_ERROR"
        " CONTENT_HUB_TIMEOUT_EXCEPTION CONTENT_IMAGE_SCALING_TIMEOUT_EXCEPTION MATCH_OPERATION_ERROR"
        " INTERNAL_CANVAS_ERROR CONTENT_HUB_UNEXPECTED_EXCEPTION UNKNOWN_TOKEN_ERROR"
        " XCLEAN_UNEXPECTED_ERROR XCLEAN_DJ_MATCH_UNKNOWN_ERROR XCLEAN_DJ_MATCH_INTERNAL_DJ_ERROR"
        " FEDERATED_SEARCH_ERROR",
    ),
    row(
        _M.SLOW,
        "WSDL: the duplicate rules could not be asked",
        "MATCH_SERVICE_TIMED_OUT MATCH_SERVICE_UNAVAILABLE_ERROR MATCH_SERVICE_ERROR"
        " MATCH_RUNTIME_ERROR FIND_DUPLICATES_ERROR",
    ),
    row(
        _M.SLOW,
        "WSDL: a limit of the org that renews itself",
        "TOO_MANY_APEX_REQUESTS TOO_MANY_JOBS REALTIME_PROCESSING_TIME_EXCEEDED_LIMIT LIMIT_EXCEEDED"
        " MAX_LIMIT_EXCEEDED EXCEEDED_QUOTA INSUFFICIENT_CREDITS APEX_TRIGGER_COUPLING_LIMIT"
        " REPORT_EXPORT_LIMIT_EXCEEDED",
        advice=LIMIT,
    ),
    row(
        _M.SLOW,
        "WSDL: automation of the org could not send its mail, which has a daily limit",
        "ERROR_IN_MAILER SINGLE_EMAIL_LIMIT_EXCEEDED MASS_MAIL_LIMIT_EXCEEDED"
        " EMAIL_TO_CASE_LIMIT_EXCEEDED EMAIL_BATCH_SIZE_LIMIT_EXCEEDED"
        " MASSMAIL_RETRY_LIMIT_EXCEEDED EMAIL_EXTERNAL_TRANSPORT_CONNECTION_ERROR"
        " EMAIL_EXTERNAL_TRANSPORT_TOO_MANY_REQUESTS_ERROR EMAIL_EXTERNAL_TRANSPORT_UNKNOWN_ERROR"
        " EMAIL_NOT_PROCESSED_DUE_TO_PRIOR_ERROR SALESFORCE_INBOX_TRANSPORT_CONNECTION_ERROR"
        " SALESFORCE_INBOX_TRANSPORT_UNKNOWN_ERROR",
        advice="the org can't send the mail of its own automation: ask its administrator",
    ),
    row(
        _M.SLOW,
        "WSDL: the code of a security policy failed",
        "TXN_SECURITY_APEX_ERROR TXN_SECURITY_FAIL_CLOSE TXN_SECURITY_METERING_ERROR"
        " TXN_SECURITY_RUNTIME_ERROR",
        advice=POLICY,
    ),
    row(
        _M.BROKEN,
        "recorded: restforce/restforce#570, salto-io/salto#3240; WSDL",
        "SERVER_UNAVAILABLE UNKNOWN_EXCEPTION INTERNAL_ERROR REQUEST_RUNNING_TOO_LONG",
    ),
    row(
        _M.LOCKED,
        "believed; WSDL for the second",
        "ENTITY_IS_LOCKED ALREADY_IN_PROCESS",
        advice=APPROVAL,
    ),
)

_ACCOUNT = (
    row(
        _M.ACCOUNT,
        "recorded: jsforce skips them, because a new login does not help",
        "INVALID_SESSION_ID",
        "Connected app is not attached to Agent",
        "This session is not valid for use with the REST API",
        advice=(
            "give the app the scope 'api', and the integration user a licence that may use the API"
        ),
    ),
    row(
        _M.SESSION,
        "documented: REST API guide, status codes; WSDL",
        "INVALID_SESSION_ID INVALID_AUTH_HEADER",
    ),
    row(
        _M.MOVED,
        "recorded: amazon-connect/amazon-connect-salesforce-lambda#12; WSDL",
        "URL_NOT_RESET ORG_NOT_OWNED_BY_INSTANCE",
    ),
    row(
        _M.ACCOUNT,
        "WSDL",
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD PASSWORD_EXPIRED",
        advice=PASSWORD,
    ),
    row(
        _M.ACCOUNT,
        "WSDL; recorded: another integration's table of errors",
        "ORG_LOCKED TRIAL_EXPIRED INACTIVE_ORGANIZATION",
        advice=ORG_GONE,
    ),
    row(
        _M.ACCOUNT,
        "recorded: another integration's table of errors; WSDL",
        "INACTIVE_USER PASSWORD_LOCKOUT",
        advice=USER_GONE,
    ),
    row(_M.ACCOUNT, "WSDL", "LOGIN_DURING_RESTRICTED_DOMAIN IP_RESTRICTED", advice=IP),
    row(_M.ACCOUNT, "WSDL", "LOGIN_DURING_RESTRICTED_TIME", advice=HOURS),
    row(
        _M.ACCOUNT,
        "believed; WSDL",
        "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED CLIENT_NOT_ACCESSIBLE_FOR_USER",
        advice=API,
    ),
    row(
        _M.ACCOUNT,
        "WSDL: a login was refused",
        "INVALID_LOGIN LOGIN_MUST_USE_SECURITY_TOKEN LOGIN_CHALLENGE_ISSUED"
        " LOGIN_CHALLENGE_PENDING MUTUAL_AUTHENTICATION_FAILED INVALID_SSO_GATEWAY_URL",
        advice="check salesforce.username and login_url, and the org's login history",
    ),
    row(
        _M.ACCOUNT,
        "WSDL",
        "TXN_SECURITY_END_A_SESSION TXN_SECURITY_TWO_FA_REQUIRED",
        advice=POLICY,
    ),
    row(
        _M.ACCOUNT,
        "believed: the app itself is stopped",
        "OAUTH_APP_BLOCKED OAUTH_EC_APP_NOT_FOUND",
        advice="unblock the app in the org (Setup, Connected Apps OAuth Usage), or install it",
    ),
    row(
        _M.ACCOUNT,
        "WSDL",
        "UNSUPPORTED_API_VERSION UNSUPPORTED_CLIENT CLIENT_REQUIRE_UPDATE_FOR_USER",
        advice="raise salesforce.api_version to one that the org supports",
    ),
    row(
        _M.FULL,
        "WSDL; recorded: another integration's table of errors",
        "STORAGE_LIMIT_EXCEEDED",
        advice=STORAGE,
    ),
)

TABLE = (*WITHIN, *_PASSING, *_ACCOUNT, *REFUSED, *OTHER)
"""All rows, in the order of the search."""

WRAPPERS = frozenset(WRAPPER_CODES.split())
"""Codes that wrap another error; their message may contain customers' text."""

PHRASES = tuple(item for item in WITHIN if item.texts)
"""The rows that match by a text of the message, whatever the code."""


def _index() -> Mapping[str, tuple[Row, ...]]:
    found: dict[str, tuple[Row, ...]] = {}
    for item in TABLE:
        for code in item.codes:
            found[code] = (*found.get(code, ()), item)
    return MappingProxyType(found)


BY_CODE = _index()
"""Code -> its rows, in their order."""
