"""Checks the certificate beside the Salesforce key: whether it belongs to the key, and its expiry.

``init`` writes ``salesforce.crt`` for upload to the app. pagerforce itself never sends it, but once
it expires Salesforce refuses every login, so ``check`` warns in time.
"""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from pagerforce.config.checkline import CheckLine, ok, remark, todo
from pagerforce.host.files import read_plain

CERTIFICATE_NAME = "salesforce.crt"
_WHAT = "Salesforce certificate {path}"
_WARN_FOR = timedelta(days=30)
_LARGEST_BYTES = 64 * 1024

EXPIRED = todo(
    "certificate.expired",
    _WHAT,
    "expired on {date}: create a new key and certificate (`pagerforce init` in another folder),"
    " upload the certificate to the app, then replace the old files with both",
)
EXPIRES = todo(
    "certificate.expires_soon",
    _WHAT,
    "expires on {date}, in {days} days: create a new key and certificate (`pagerforce init` in"
    " another folder), upload the certificate to the app, then replace the old files with both",
)
NOT_YET = todo(
    "certificate.not_yet_valid",
    _WHAT,
    "is valid only from {date} on: correct this host's clock, or create a new certificate",
)
OTHER_KEY = todo(
    "certificate.other_key",
    _WHAT,
    "does not belong to the private key beside it: upload the certificate that belongs to the key",
)
UNREADABLE = remark(
    "certificate.unreadable", _WHAT, "can not be read as a PEM certificate ({reason}): not verified"
)
KEY_UNSEEN = remark(
    "certificate.key_unseen",
    _WHAT,
    "the private key can not be read by this user: whether they belong together was not verified",
)
ABSENT = remark(
    "certificate.absent",
    "Salesforce certificate",
    "{path} does not exist, so its expiry is unknown. Keep the app's certificate beside the key"
    " under this name",
)

ADVICE = (EXPIRED, EXPIRES, NOT_YET, OTHER_KEY, UNREADABLE, KEY_UNSEEN, ABSENT)


def certificate_line(key_file: Path, now: datetime) -> CheckLine:
    """Returns the line about the certificate of a key file.

    Args:
        key_file: the private key; the certificate is searched for beside it.
        now: the present, aware.
    """
    path = key_file.with_name(CERTIFICATE_NAME)
    try:
        certificate = x509.load_pem_x509_certificate(read_plain(path, _LARGEST_BYTES))
    except FileNotFoundError:
        return ABSENT.line(path=path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a certificate"
        return UNREADABLE.line(path=path, reason=reason)
    return _validity(path, certificate, now) or _belonging(path, key_file, certificate)


def _validity(path: Path, certificate: x509.Certificate, now: datetime) -> CheckLine | None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return NOT_YET.line(path=path, date=begin.date())
    if now >= end:
        return EXPIRED.line(path=path, date=end.date())
    if end - now < _WARN_FOR:
        return EXPIRES.line(path=path, date=end.date(), days=(end - now).days)
    return None


def _belonging(path: Path, key_file: Path, certificate: x509.Certificate) -> CheckLine:
    try:
        key = load_pem_private_key(read_plain(key_file, _LARGEST_BYTES), password=None)
    except OSError:
        return KEY_UNSEEN.line(path=path)
    except (ValueError, TypeError):  # a wrong key is reported when it is loaded
        return OTHER_KEY.line(path=path)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        return OTHER_KEY.line(path=path)
    return ok(
        f"Salesforce certificate {path}: valid until {certificate.not_valid_after_utc:%Y-%m-%d}"
    )
