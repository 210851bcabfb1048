"""What every error of Salesforce means: the one table, of the API. Pure data.

A row says what a code means, with a text to be found in the message where one code has several
meanings. The first row that fits counts. Codes that stand for somebody else's error (a trigger, a
flow) are read by their message, whole: it names the real cause at any depth, in English whatever the
language of the org, because it is a code or a text of Apex.

Sources: *recorded* and *believed* as in docs/reference/beliefs.md; ``WSDL`` is the list of codes in
the vendor's Partner WSDL, version 47, whose names and descriptions in the SOAP API guide are all that
is known of them. A code that stands nowhere here is judged by ``answers.py``; the
token endpoint's errors stand in ``login_table.py``.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pagerforce.salesforce.meaning import Meaning, Row, row
from pagerforce.salesforce.other_codes import OTHER_CODES

_M = Meaning
RETRY = "then retry it with `pagerforce failed retry`"
DEFAULT_ADVICE = f"correct what the message names; {RETRY}"
_VALIDATION = (
    "a validation rule of the org says no: bring the record into a state that it allows"
    f" (reopen it where it is closed), or change the rule; {RETRY}"
)
_FILTER = (
    "the lookup filter of the field says no: choose a row that it allows (active, and meant for"
    f" this object); {RETRY}"
)
_ACCESS = f"give our user edit access to the record; {RETRY}"
_ACCESS_THERE = f"give our user access to the records that the values point to; {RETRY}"
_REQUIRED = f"give the missing field a value in the rule; {RETRY}"
_TOO_LONG = (
    "the text is longer than the field takes: shorten what a rule writes in the rule, and for copied"
    f" text let the administrator make the field longer; {RETRY}"
)
_INACTIVE = f"the user who is to own or get it is inactive: name another, or activate it; {RETRY}"
_FIELD = f"check the field's name and our user's access to it; {RETRY}"
_STORAGE = "the org's storage is full: delete what is not needed in the org, or buy more"
_APPROVAL = "an approval holds the record: approve, reject or recall it, or unlock the record"
_PACKAGE = f"give our user a licence of the managed package, or have the package's renewed; {RETRY}"
_READ_ONLY = "the org is read-only for maintenance: nothing to do, writes wait until it is over"
_LIMIT = "the org's own code ran into a limit: its administrator can see which in its debug log"
_ASYNC = "the org has used up its asynchronous calls of 24 hours: its administrator can see by what"
_PASSWORD = "set a new password for our user, or give it a profile whose passwords do not expire"  # noqa: S105
_ORG_GONE = "the org is locked or its trial has ended: its owner has to settle that with Salesforce"
_USER_GONE = "activate (unlock, unfreeze) our user in the org"
_IP = (
    "allow this host's address in the login IP ranges of the user's profile, or relax the IP"
    " restriction in the app's policies"
)
_HOURS = "allow our user to log in at any hour: its profile restricts the hours"
_API = "give our user a profile or permission set with 'API Enabled'; the org's edition must have the API"
_POLICY = "a security policy of the org stops our user: have our user excepted from it"

# What stands for somebody else's error: an Apex trigger, a flow, code that passes on what it caught.
_WRAPPERS = (
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CANNOT_EXECUTE_FLOW_TRIGGER FLOW_EXCEPTION"
    " CUSTOM_APEX_ERROR APEX_ERROR FIELD_CUSTOM_VALIDATION_EXCEPTION ENTITY_SAVE_ERROR"
    " ENTITY_SAVE_VALIDATION_ERROR DELETE_FAILED UNDELETE_FAILED MERGE_FAILED"
)
_WITHIN = (
    row(
        _M.FAST,
        "recorded: DLRS#847, DLRS#1241, restforce/restforce#624, and the lock met by a SELECT FOR UPDATE",
        _WRAPPERS,
        "UNABLE_TO_LOCK_ROW",
        "Record Currently Unavailable",
        "unable to obtain exclusive access to this record",
    ),
    row(
        _M.SLOW,
        "recorded: the code of read-only maintenance, passed on",
        _WRAPPERS,
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        advice=_READ_ONLY,
    ),
    row(_M.FULL, "WSDL, passed on", _WRAPPERS, "STORAGE_LIMIT_EXCEEDED", advice=_STORAGE),
    row(_M.LOCKED, "believed, passed on", _WRAPPERS, "ENTITY_IS_LOCKED", advice=_APPROVAL),
    row(_M.SLOW, "believed", _WRAPPERS, "AsyncApexExecutions Limit exceeded", advice=_ASYNC),
    row(
        _M.SLOW,
        "the texts of System.LimitException and of QueryException in the Apex guide: they depend on"
        " what else runs in the same transaction",
        _WRAPPERS,
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
        advice=_LIMIT,
    ),
    row(
        _M.SLOW,
        "the codes below, passed on; System.CalloutException: Read timed out in the Apex guide",
        _WRAPPERS,
        "SERVER_UNAVAILABLE",
        "REQUEST_LIMIT_EXCEEDED",
        "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE",
        "ORG_IN_MAINTENANCE",
        "System.CalloutException: Read timed out",
    ),
    row(_M.REFUSED, "below", _WRAPPERS, "FIELD_FILTER_VALIDATION_EXCEPTION", advice=_FILTER),
    row(_M.REFUSED, "below", _WRAPPERS, "INACTIVE_OWNER_OR_USER", advice=_INACTIVE),
    row(
        _M.REFUSED,
        "believed",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        advice=_VALIDATION,
    ),
    row(
        _M.REFUSED,
        "believed",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        advice=_VALIDATION,
    ),
    row(
        _M.REFUSED,
        "recorded",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CUSTOM_APEX_ERROR APEX_ERROR",
        advice=f"a trigger of the org says no: see its message, correct what it names; {RETRY}",
    ),
    row(
        _M.REFUSED,
        "recorded",
        "CANNOT_EXECUTE_FLOW_TRIGGER FLOW_EXCEPTION",
        advice=f"a flow of the org failed: its administrator finds why in the flow's error e-mail; {RETRY}",
    ),
    row(
        _M.REFUSED,
        "WSDL",
        "ENTITY_SAVE_ERROR ENTITY_SAVE_VALIDATION_ERROR DELETE_FAILED UNDELETE_FAILED MERGE_FAILED",
    ),
)

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
    row(_M.FAST, "WSDL: somebody else was writing the same", "COLLISION_DETECTED"),
    row(
        _M.FAST,
        "recorded: salto-io/salto#3056, salesforcecli/cli#2180: not the limit of the day",
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
        advice=_READ_ONLY,
    ),
    row(
        _M.SLOW,
        "WSDL",
        "ORG_IN_MAINTENANCE",
        advice="the org is in maintenance: nothing to do, it comes back by itself",
    ),
    row(
        _M.SLOW,
        "WSDL: the org, or a service of the vendor, is not there for the moment",
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
        advice=_LIMIT,
    ),
    row(
        _M.SLOW,
        "WSDL: automation of the org could not send its mail, of which a day has so many",
        "ERROR_IN_MAILER SINGLE_EMAIL_LIMIT_EXCEEDED MASS_MAIL_LIMIT_EXCEEDED"
        " EMAIL_TO_CASE_LIMIT_EXCEEDED EMAIL_BATCH_SIZE_LIMIT_EXCEEDED"
        " MASSMAIL_RETRY_LIMIT_EXCEEDED EMAIL_EXTERNAL_TRANSPORT_CONNECTION_ERROR"
        " EMAIL_EXTERNAL_TRANSPORT_TOO_MANY_REQUESTS_ERROR EMAIL_EXTERNAL_TRANSPORT_UNKNOWN_ERROR"
        " EMAIL_NOT_PROCESSED_DUE_TO_PRIOR_ERROR SALESFORCE_INBOX_TRANSPORT_CONNECTION_ERROR"
        " SALESFORCE_INBOX_TRANSPORT_UNKNOWN_ERROR",
        advice="the org can't send the mail of its own automation: its administrator finds why",
    ),
    row(
        _M.SLOW,
        "WSDL: the code of a security policy failed",
        "TXN_SECURITY_APEX_ERROR TXN_SECURITY_FAIL_CLOSE TXN_SECURITY_METERING_ERROR"
        " TXN_SECURITY_RUNTIME_ERROR",
        advice=_POLICY,
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
        advice=_APPROVAL,
    ),
)

_ACCOUNT = (
    row(
        _M.ACCOUNT,
        "recorded: jsforce skips them, as a new login does not cure them",
        "INVALID_SESSION_ID",
        "Connected app is not attached to Agent",
        "This session is not valid for use with the REST API",
        advice="give the app the scope 'api', and our user a licence that may use the API",
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
        advice=_PASSWORD,
    ),
    row(
        _M.ACCOUNT,
        "WSDL; recorded: another integration's table of errors",
        "ORG_LOCKED TRIAL_EXPIRED INACTIVE_ORGANIZATION",
        advice=_ORG_GONE,
    ),
    row(
        _M.ACCOUNT,
        "recorded: another integration's table of errors; WSDL",
        "INACTIVE_USER PASSWORD_LOCKOUT",
        advice=_USER_GONE,
    ),
    row(_M.ACCOUNT, "WSDL", "LOGIN_DURING_RESTRICTED_DOMAIN IP_RESTRICTED", advice=_IP),
    row(_M.ACCOUNT, "WSDL", "LOGIN_DURING_RESTRICTED_TIME", advice=_HOURS),
    row(
        _M.ACCOUNT,
        "believed; WSDL",
        "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED CLIENT_NOT_ACCESSIBLE_FOR_USER",
        advice=_API,
    ),
    row(
        _M.ACCOUNT,
        "WSDL: a login was refused",
        "INVALID_LOGIN LOGIN_MUST_USE_SECURITY_TOKEN LOGIN_CHALLENGE_ISSUED"
        " LOGIN_CHALLENGE_PENDING MUTUAL_AUTHENTICATION_FAILED INVALID_SSO_GATEWAY_URL",
        advice="check salesforce.username and login_url, and what the org's login history says",
    ),
    row(
        _M.ACCOUNT,
        "WSDL",
        "TXN_SECURITY_END_A_SESSION TXN_SECURITY_TWO_FA_REQUIRED",
        advice=_POLICY,
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
        advice="raise salesforce.api_version to one that the org serves",
    ),
    row(
        _M.FULL,
        "WSDL; recorded: another integration's table of errors",
        "STORAGE_LIMIT_EXCEEDED",
        advice=_STORAGE,
    ),
)

_REFUSED = (
    row(_M.REFUSED, "believed", "FIELD_FILTER_VALIDATION_EXCEPTION", advice=_FILTER),
    row(_M.REFUSED, "WSDL", "RELATED_ENTITY_FILTER_VALIDATION_EXCEPTION", advice=_FILTER),
    row(_M.REFUSED, "believed; WSDL", "REQUIRED_FIELD_MISSING MISSING_ARGUMENT", advice=_REQUIRED),
    row(_M.REFUSED, "recorded: a test of apache/camel", "STRING_TOO_LONG", advice=_TOO_LONG),
    row(
        _M.REFUSED,
        "believed; WSDL",
        "INVALID_CROSS_REFERENCE_KEY INVALID_CROSS_REFERENCE_TYPE_FOR_FIELD MALFORMED_ID"
        " INVALID_ID_FIELD",
        advice=f"the Id points to nothing that fits: correct it; {RETRY}",
    ),
    row(
        _M.REFUSED,
        "believed; WSDL",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST INVALID_STATUS",
        advice=f"use a value of the picklist, e.g. through a map and translate; {RETRY}",
    ),
    row(
        _M.REFUSED,
        "believed; WSDL",
        "INVALID_FIELD_FOR_INSERT_UPDATE FIELD_NOT_UPDATABLE CANNOT_REPARENT_RECORD",
        advice=(
            "the field can't be written (a formula, or read-only for our user): use another;"
            f" {RETRY}"
        ),
    ),
    row(_M.REFUSED, "recorded: also what our user may not read", "INVALID_FIELD", advice=_FIELD),
    row(
        _M.REFUSED,
        "recorded: answers that other clients print; WSDL",
        "JSON_PARSER_ERROR NUMBER_OUTSIDE_VALID_RANGE INVALID_TYPE_ON_FIELD_IN_RECORD"
        " INVALID_DATE_FORMAT INVALID_EMAIL_ADDRESS TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET"
        " FIELD_INTEGRITY_EXCEPTION CLONE_FIELD_INTEGRITY_EXCEPTION",
        advice=f"the value does not fit the field: correct it in the rule; {RETRY}",
    ),
    row(
        _M.REFUSED,
        "recorded: DLRS#788",
        "DUPLICATE_VALUE DUPLICATE_EXTERNAL_ID",
        advice=f"another record holds this unique value: change one of them; {RETRY}",
    ),
    row(
        _M.REFUSED,
        "documented: REST API guide, duplicate rule header",
        "DUPLICATES_DETECTED",
        advice=(
            "a duplicate rule of the org blocks this record: in Setup, Duplicate Rules, set the rule's"
            " action to Allow, or except our user by a condition of the rule. With Allow and Alert,"
            f" salesforce.allow_duplicates = true saves it; {RETRY}"
        ),
    ),
    row(
        _M.REFUSED,
        "believed; WSDL",
        "ENTITY_IS_DELETED",
        advice="the record is deleted: undelete it or remove the link",
    ),
    row(
        _M.REFUSED,
        "believed; WSDL",
        "NOT_FOUND ITEM_NOT_FOUND RECORD_NOT_FOUND MISSING_RECORD ENTITY_IS_ARCHIVED",
        advice="the record is gone or hidden from our user: remove the link or share the record",
    ),
    row(
        _M.REFUSED,
        "believed; WSDL",
        "INSUFFICIENT_ACCESS_OR_READONLY INSUFFICIENT_ACCESS APEX_DATA_ACCESS_RESTRICTION"
        " INVALID_READ_ONLY_USER_DML TRANSFER_REQUIRES_READ INVALID_ACCESS_LEVEL",
        advice=_ACCESS,
    ),
    row(
        _M.REFUSED,
        "believed",
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        advice=_ACCESS_THERE,
    ),
    row(
        _M.REFUSED,
        "WSDL; https://developer.salesforce.com, SOAP API, StatusCode",
        "INACTIVE_OWNER_OR_USER INVALID_OWNER OP_WITH_INVALID_USER_TYPE_EXCEPTION INVALID_USERID"
        " NO_SUCH_USER_EXISTS",
        advice=_INACTIVE,
    ),
    row(
        _M.REFUSED,
        "WSDL",
        "PACKAGE_DISABLED PACKAGE_LICENSE_REQUIRED INVALID_PACKAGE_LICENSE LICENSE_LIMIT_EXCEEDED"
        " INVALID_PACKAGE_VERSION",
        advice=_PACKAGE,
    ),
    row(_M.REFUSED, "WSDL", "TXN_SECURITY_NO_ACCESS", advice=f"{_POLICY}; {RETRY}"),
    row(
        _M.REFUSED,
        "WSDL",
        "UNAVAILABLE_RECORDTYPE_EXCEPTION",
        advice=f"give our user's profile the record type, or set RecordTypeId in the rule; {RETRY}",
    ),
    row(
        _M.REFUSED,
        "WSDL",
        "SELF_REFERENCE_FROM_TRIGGER SELF_REFERENCE_FROM_FLOW MAX_DEPTH_IN_FLOW_EXECUTION"
        " MIXED_DML_OPERATION FAILED_ACTIVATION",
        advice=f"the org's own triggers and flows get in each other's way: mend them; {RETRY}",
    ),
    row(
        _M.REFUSED,
        "believed, WSDL: what we asked can't be asked; our own queries and paths never are so",
        "MALFORMED_QUERY QUERY_TOO_COMPLICATED EXCEEDED_ID_LIMIT INVALID_REPLICATION_DATE INVALID_TYPE"
        " INVALID_TYPE_FOR_OPERATION INVALID_QUERY_FILTER_OPERATOR INVALID_QUERY_SCOPE"
        " ENTITY_NOT_QUERYABLE METHOD_NOT_ALLOWED NOT_ACCEPTABLE UNSUPPORTED_MEDIA_TYPE"
        " EXCEEDED_MAX_SIZE_REQUEST PAYLOAD_SIZE_EXCEEDED OPERATION_TOO_LARGE POST_BODY_PARSE_ERROR"
        " XML_PARSER_ERROR INVALID_OPERATION INVALID_ARGUMENT_TYPE INVALID_INPUT INVALID_API_INPUT"
        " PRECONDITION_FAILED MODIFIED NOT_MODIFIED ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE",
        advice=f"check the names, filters and values of the configuration that it speaks of; {RETRY}",
    ),
)

_OTHER = (row(_M.REFUSED, "WSDL: about what this program never touches", OTHER_CODES),)

TABLE = (*_WITHIN, *_PASSING, *_ACCOUNT, *_REFUSED, *_OTHER)
"""Every row, in the order in which they are tried."""

WRAPPERS = frozenset(_WRAPPERS.split())
"""Codes that stand for somebody else's error, whose message may hold customers' text."""

PHRASES = tuple(item for item in _WITHIN if item.texts)
"""The rows that are found by what a message says, whatever its code."""


def _index() -> Mapping[str, tuple[Row, ...]]:
    found: dict[str, tuple[Row, ...]] = {}
    for item in TABLE:
        for code in item.codes:
            found[code] = (*found.get(code, ()), item)
    return MappingProxyType(found)


BY_CODE = _index()
"""Code -> its rows, in their order."""
