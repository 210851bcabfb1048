"""The JWT bearer login in pure functions: the assertion, the answer, the meaning of a refusal.

Facts: docs/vendors/salesforce.md#login. The assertion is a secret while it is valid: no message
contains it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pagerforce.errors import CredentialsError, MalformedError, RemoteError, TransientError
from pagerforce.model.ids import RecordId, parse_record_id
from pagerforce.salesforce.answers import SLOW_SECONDS
from pagerforce.salesforce.login_table import DEFAULT_REMEDY, LOGIN_TABLE
from pagerforce.salesforce.meaning import Meaning
from pagerforce.wire.answer import tellable

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path, not a secret

# Salesforce accepts up to three minutes, plus some skew; 30 seconds are spare.
_ASSERTION_LIFETIME = timedelta(seconds=150)
# A host of plain letters, or the loopback address in brackets. Only a slash may follow.
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_INSTANCE = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*|\[::1\])(?::(?P<port>[0-9]{{1,5}}))?/?"
)
_LONGEST_HOST = 253
_CODE_CHARS = 100
_DESCRIPTION_CHARS = 200
_LONGEST_TOKEN = 4096
_SALESFORCE_DOMAINS = (".salesforce.com", ".force.com")
_TOKEN = re.compile(r"[!-~]+")  # the characters allowed in a header
_IDENTITY = re.compile(r"/id/(00D[A-Za-z0-9]{12,15})/(005[A-Za-z0-9]{12,15})/?$")


@dataclass(frozen=True, slots=True)
class Access:
    """One session: the token and the instance.

    Attributes:
        token: the bearer token; not shown in ``repr``.
        instance_url: base of every API request, without a slash at its end.
        org_id / user_id: 18 characters; the user is the integration user.
    """

    token: str = field(repr=False)
    instance_url: str
    org_id: RecordId
    user_id: RecordId


def make_assertion(
    *, consumer_key: str, username: str, audience: str, private_key: str, now: datetime
) -> str:
    """A signed assertion, valid for two and a half minutes from ``now``, the server's time.

    ``private_key`` was checked when it was read (``config/secret.py``). The numbers in it are not
    checked again: that takes 30 ms of the event loop at each login.

    Raises:
        CredentialsError: the key is no RSA private key in PEM form.
    """
    claims = {
        "iss": consumer_key,
        "sub": username,
        "aud": audience,
        "exp": int((now + _ASSERTION_LIFETIME).timestamp()),
    }
    try:
        key = load_pem_private_key(private_key.encode(), None, unsafe_skip_rsa_key_validation=True)
        # A key of another kind is a TypeError here.
        return jwt.encode(claims, key, algorithm="RS256")  # type: ignore[arg-type]
    except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
        # The cause may quote the key, so it is dropped.
        raise CredentialsError(
            "salesforce.private_key_file does not hold an RSA private key in PEM form"
        ) from None


def read_access(body: Mapping[str, object], *, login_url: str) -> Access:
    """The session in a successful login answer.

    Raises:
        MalformedError: a required part is missing.
        CredentialsError: the instance is not a trusted address.
    """
    token, instance, identity = (body.get(key) for key in ("access_token", "instance_url", "id"))
    is_token = isinstance(token, str) and len(token) <= _LONGEST_TOKEN and _TOKEN.fullmatch(token)
    if not (isinstance(token, str) and is_token and isinstance(instance, str)):
        raise MalformedError("login: the answer lacks access_token or instance_url")
    found = _IDENTITY.search(identity) if isinstance(identity, str) else None
    if found is None:
        raise MalformedError("login: the answer does not name the org and the user in its id")
    return Access(
        token=token,
        instance_url=check_instance(instance, login_url=login_url),
        org_id=parse_record_id(found.group(1)),
        user_id=parse_record_id(found.group(2)),
    )


def check_instance(instance_url: str, *, login_url: str) -> str:
    """The instance URL without a trailing slash, after a check that it belongs to Salesforce.

    It must be https (http on loopback only) and only a host name in plain letters. The host must be
    the login host, a host below salesforce.com or force.com, or loopback if the login host is
    loopback.

    Raises:
        CredentialsError: it is anything else; the token is then never sent.
    """
    found = _INSTANCE.fullmatch(instance_url.lower()) if instance_url.isascii() else None
    if found is None or len(found["host"].strip("[]")) > _LONGEST_HOST:
        raise CredentialsError(
            "login: the instance_url in the answer is not the address of a Salesforce instance;"
            " check salesforce.login_url"
        )
    scheme, host, port = found["scheme"], found["host"], found["port"]
    login = urlsplit(login_url)
    name, login_name = host.strip("[]"), (login.hostname or "").lower()
    is_local = is_loopback(name) and is_loopback(login_name)
    is_trusted = name == login_name or name.endswith(_SALESFORCE_DOMAINS) or is_local
    is_private = scheme == "https" or is_loopback(name)
    # Salesforce names no port; a proxy in front of the login host, or the sandbox, may have one.
    is_placed = port is None or is_local or (name == login_name and int(port) == login.port)
    if not (is_trusted and is_private and is_placed and int(port or 1) in range(1, 1 << 16)):
        raise CredentialsError(
            f"login: the instance_url in the answer is {scheme}://{host}, neither the login host"
            " nor below salesforce.com or force.com over https; check salesforce.login_url"
        )
    return f"{scheme}://{host}" if port is None else f"{scheme}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address always means this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def to_login_error(status: int, body: object) -> RemoteError:
    """The error of a refused login, with advice.

    ``error_description`` may be missing, and a proxy in between may answer without JSON.
    """
    fields = body if isinstance(body, Mapping) else {}
    code = fields.get("error")
    code = tellable(code, _CODE_CHARS) if isinstance(code, str) else ""
    description = fields.get("error_description")
    description = tellable(description, _DESCRIPTION_CHARS) if isinstance(description, str) else ""
    words = f"{code} {description}"
    row = next((item for item in LOGIN_TABLE if item.find(words) is not None), None)
    said = ": ".join(part for part in (code or f"HTTP {status}", description) if part)
    if row is not None and row.meaning is Meaning.SLOW:
        return TransientError(
            f"login: {said}", status=status, code=code, retry_after_seconds=SLOW_SECONDS
        )
    if status >= 500 or status in (408, 420, 429) or (row and row.meaning is Meaning.FAST):
        return TransientError(f"login: HTTP {status} {code}".rstrip(), status=status, code=code)
    if 300 <= status < 400 or status == 404:
        return CredentialsError(
            f"login: HTTP {status}: there is no token endpoint at salesforce.login_url;"
            " use the My Domain URL of the org",
            status=status,
        )
    remedy = row.advice if row is not None else DEFAULT_REMEDY
    return CredentialsError(f"login refused: {said}; {remedy}", status=status, code=code)
