"""The meanings of the token endpoint's errors, by their text. Pure data, like ``error_table.py``.

An ``invalid_grant`` has many causes. Its description identifies the temporary ones; all others are
a problem of the app, the user or the account. Sources: as in ``error_table.py``.
"""

from pagerforce.salesforce.advice import IP, ORG_GONE, PASSWORD
from pagerforce.salesforce.meaning import Meaning, Row, row

_M = Meaning
_PRE_AUTHORIZE = (
    "set the app to 'Admin approved users are pre-authorized' and give the user a profile or"
    " permission set of the app; a change takes up to 10 minutes"
)
_ASSIGN = (
    "give the user a profile or permission set that the app is assigned to;"
    " a change takes up to 10 minutes"
)
_AUDIENCE = (
    "set salesforce.audience (default: login_url) to the My Domain URL of the org,"
    " or to https://login.salesforce.com or https://test.salesforce.com, as the app requires"
)
_MY_DOMAIN = "an External Client App requires the org's My Domain URL as login_url and audience"
_BLOCKED = "unblock the app in the org: Setup, Connected Apps OAuth Usage"
_CONSUMER_KEY = "check salesforce.consumer_key; a new app is available after up to 10 minutes"
_CLOCK = "check this host's clock (NTP) and that the certificate of the app is still valid"
_CERTIFICATE = (
    "check that the certificate of private_key_file is uploaded to the app, that username"
    " and consumer_key belong to login_url, and this host's clock (NTP)"
)
_USERNAME = "check salesforce.username: it must be an active user of the org at login_url"
_USER_GONE = "activate (unlock, unfreeze) the user of salesforce.username in the org"
_RATE = "only wait; find other programs that log in as this user (3,600 logins an hour are allowed)"
_WAIT = "nothing: only wait"

DEFAULT_REMEDY = "check salesforce.consumer_key, username, private_key_file and login_url"

LOGIN_TABLE: tuple[Row, ...] = (
    row(
        _M.SLOW,
        "recorded: n8n-io/n8n#32325, restforce/restforce#412 and #744, forcedotcom/cli#3297",
        "",
        "login rate exceeded",
        advice=_RATE,
    ),
    row(
        _M.SLOW,
        "recorded: segmentio/action-destinations#2300",
        "",
        "token request is already being processed",
        advice=_WAIT,
    ),
    row(
        _M.SLOW,
        "recorded: amazon-connect/amazon-connect-salesforce-lambda#43",
        "",
        "unknown_error",
        "retry your request",
        advice=_WAIT,
    ),
    row(_M.FAST, "believed; RFC 6749 4.1.2.1", "", "server_error", advice=_WAIT),
    row(_M.FAST, "RFC 6749 4.1.2.1", "", "temporarily_unavailable", advice=_WAIT),
    row(
        _M.ACCOUNT,
        "recorded: answers that other clients print",
        "",
        "approved this consumer",
        advice=_PRE_AUTHORIZE,
    ),
    row(
        _M.ACCOUNT,
        "recorded: answers that other clients print",
        "",
        "admin approved",
        "invalid_app_access",
        advice=_ASSIGN,
    ),
    row(_M.ACCOUNT, "recorded: airbytehq/airbyte#80788", "", "audience", advice=_AUDIENCE),
    row(
        _M.ACCOUNT,
        "recorded: simstudioai/sim#6508",
        "",
        "app_not_found",
        "OAUTH_EC_APP_NOT_FOUND",
        advice=_MY_DOMAIN,
    ),
    row(_M.ACCOUNT, "believed", "", "OAUTH_APP_BLOCKED", advice=_BLOCKED),
    row(
        _M.ACCOUNT,
        "recorded: frankkessler/salesforce-laravel-oauth2-rest#68",
        "",
        "client identifier",
        "invalid_client",
        "client credentials",
        advice=_CONSUMER_KEY,
    ),
    row(
        _M.ACCOUNT,
        "recorded: restforce/restforce#303 and #826",
        "",
        "ip restricted",
        advice=IP,
    ),
    row(
        _M.ACCOUNT,
        "recorded: restforce/restforce#303 and #826",
        "",
        "inactive user",
        "inactive_user",
        advice=_USER_GONE,
    ),
    row(
        _M.ACCOUNT,
        "recorded: restforce/restforce#303 and #826; the API's codes",
        "",
        "inactive organization",
        "inactive_org",
        "org_locked",
        "trial_expired",
        advice=ORG_GONE,
    ),
    row(
        _M.ACCOUNT,
        "WSDL",
        "",
        "expired password",
        "expired_password",
        "password expired",
        advice=PASSWORD,
    ),
    row(_M.ACCOUNT, "believed", "", "expired", advice=_CLOCK),
    row(_M.ACCOUNT, "recorded: airbytehq/airbyte#80788", "", "assertion", advice=_CERTIFICATE),
    row(
        _M.ACCOUNT,
        "recorded: restforce/restforce#303 and #826",
        "",
        "authentication failure",
        "activation secret",
        advice=DEFAULT_REMEDY,
    ),
    row(_M.ACCOUNT, "recorded: airbytehq/airbyte#80788", "", "user", advice=_USERNAME),
)
"""The first matching row counts."""
