"""The OAuth 2.0 JWT bearer endpoint: from assertions to access tokens.

Facts: docs/vendors/salesforce.md#login. Signatures are really verified, with the certificates from
:meth:`TokenDesk.trust`.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from pagerforce.errors import PagerforceError

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CONSUMER_KEY = "sandbox-consumer-key"
DEFAULT_AUDIENCE = "https://login.salesforce.com"
LEGACY_SANDBOX_AUDIENCE = "https://test.salesforce.com"
LONGEST_SECONDS = 180
SKEW_SECONDS = 180
"""Assertions live three minutes at most; the documentation also allows three minutes of skew."""

DEFAULT_SESSION_SECONDS = 7200.0
_MAX_TOKENS = 1000


class TokenError(PagerforceError):
    """The token endpoint's refusal: an ``error`` word and its description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


@dataclass(slots=True)
class TokenDesk:
    """Checks assertions, issues access tokens, and knows the valid ones.

    Attributes:
        consumer_key: the connected app's ``client_id``, the assertion's ``iss``.
        audiences: accepted in addition to the instance's URL and ``https://login.salesforce.com``.
        unapproved: user Ids that have not been authorised for the app.
        refusal: if set, every request for a token gets this error.
        session_seconds: lifetime of an idle token.
    """

    org_id: str
    consumer_key: str = CONSUMER_KEY
    audiences: set[str] = field(default_factory=set)
    unapproved: set[str] = field(default_factory=set)
    refusal: TokenError | None = None
    session_seconds: float = DEFAULT_SESSION_SECONDS
    _keys: list[RSAPublicKey] = field(default_factory=list)
    _sessions: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def trust(self, pem: str | bytes) -> None:
        """Accepts assertions signed with the key of this certificate or public key.

        Raises:
            ValueError: it is neither, or not an RSA key.
        """
        data = pem.encode() if isinstance(pem, str) else pem
        is_certificate = b"CERTIFICATE" in data
        key: object = (
            load_pem_x509_certificate(data).public_key()
            if is_certificate
            else load_pem_public_key(data)
        )
        if not isinstance(key, RSAPublicKey):
            raise ValueError("Salesforce takes RSA certificates only")  # noqa: TRY004 - bad input
        self._keys.append(key)

    def check_assertion(self, form: Mapping[str, str], hosts: set[str], now: datetime) -> str:
        """The username in an assertion.

        Args:
            form: the posted fields.
            hosts: the URLs of this org.
            now: the current instant.

        Raises:
            TokenError: the assertion is not accepted.
        """
        if self.refusal is not None:
            raise self.refusal
        if form.get("grant_type") != GRANT_TYPE:
            raise TokenError("unsupported_grant_type", "grant type not supported")
        claims = self._verified_claims(form.get("assertion", ""))
        self._check_audience(claims.get("aud"), hosts)
        _check_expiry(claims.get("exp"), now)
        subject = claims.get("prn") or claims.get("sub")
        if not isinstance(subject, str):
            raise TokenError("invalid_grant", "invalid assertion")
        return subject

    def issue(self, user_id: str, now: datetime) -> str:
        """A new access token for a user.

        Raises:
            TokenError: the user has not been authorised for the app.
        """
        if user_id in self.unapproved:
            raise TokenError("invalid_grant", "user hasn't approved this consumer")
        token = f"{self.org_id[:15]}!{secrets.token_urlsafe(48)}"
        while len(self._sessions) >= _MAX_TOKENS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[token] = (user_id, now)
        return token

    def user_of(self, token: str, now: datetime) -> str | None:
        """The owner of a token; None if it is unknown, expired or was idle for too long."""
        session = self._sessions.get(token)
        if session is None or (now - session[1]).total_seconds() > self.session_seconds:
            return None
        self._sessions[token] = (session[0], now)
        return session[0]

    def expire_all(self) -> None:
        """Ends every session."""
        self._sessions.clear()

    def _verified_claims(self, assertion: str) -> Mapping[str, object]:
        try:
            head, body, signature = assertion.split(".")
            header, claims = _decode_json(head), _decode_json(body)
            signed = _decode(signature)
        except (ValueError, RecursionError) as error:
            raise TokenError("invalid_grant", "invalid assertion") from error
        if claims.get("iss") != self.consumer_key:
            raise TokenError("invalid_client_id", "client identifier invalid")
        if header.get("alg") != "RS256" or not self._is_signed(f"{head}.{body}".encode(), signed):
            raise TokenError("invalid_grant", "invalid assertion")
        return claims

    def _is_signed(self, message: bytes, signature: bytes) -> bool:
        for key in self._keys:
            try:
                key.verify(signature, message, PKCS1v15(), SHA256())
            except InvalidSignature:
                continue
            return True
        return False

    def _check_audience(self, audience: object, hosts: set[str]) -> None:
        wanted = audience if isinstance(audience, list) else [audience]
        accepted = {DEFAULT_AUDIENCE, *self.audiences, *hosts}
        named = {item.rstrip("/") for item in wanted if isinstance(item, str)}
        if named & {item.rstrip("/") for item in accepted}:
            return
        if LEGACY_SANDBOX_AUDIENCE in named:
            raise TokenError("app_not_found", "External client app is not installed in this org")
        raise TokenError("invalid_grant", "audience is invalid")


def _decode(part: str) -> bytes:
    """Raises ValueError if the part is not base64url."""
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def _decode_json(part: str) -> Mapping[str, object]:
    """Raises ValueError if the part is not a JSON object."""
    value = json.loads(_decode(part))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - bad input, not bad code
    return value


def _check_expiry(given: object, now: datetime) -> None:
    """``exp`` is seconds, as a number or as numeric text: clients send both."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise TokenError("invalid_grant", "invalid assertion")
    try:
        left = float(given) - now.timestamp()
    except (ValueError, OverflowError) as error:
        raise TokenError("invalid_grant", "invalid assertion") from error
    if left < -SKEW_SECONDS:
        raise TokenError("invalid_grant", "expired assertion")
    if not left <= LONGEST_SECONDS + SKEW_SECONDS:
        raise TokenError("invalid_grant", "invalid assertion")
