"""The value types of settings, each with its check and its remedy.

Every check raises ``PydanticCustomError`` with a message that names the expected form and never the
value: a value may be a secret that was pasted into the wrong place.
"""

import ipaddress
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from pagerforce.model.value import parse_instant

_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_EMAIL = re.compile(r"[!-;=?A-~]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_API_NAME = re.compile(r"[A-Za-z](?:_{0,2}[A-Za-z0-9])*")
_REMOTE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ORG_ID = re.compile(r"00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")
_API_VERSION = re.compile(r"[1-9]\d{1,2}\.0")
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)",
)
# PagerDuty's keys: 20 characters, or a regional prefix and "+" (`pagerduty.key-form`).
_LOOKS_LIKE_API_KEY = re.compile(r"(?=.*[A-Z])[A-Za-z0-9_+-]{20}|(?:pd[a-z]{2}|u|y)\+[\w+-]{8,}")
_MOST_PARENTS = 5

TomlScalar: TypeAlias = str | int | float | bool


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{message}", {"message": message})


def parse_duration(text: str) -> timedelta:
    """Reads ``"15s"``, ``"5m"``, ``"24h"`` or ``"7d"``; a fraction such as ``"0.5s"`` is allowed.

    Raises:
        ValueError: the text is not a duration.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError('not a duration: write a number and s, m, h or d, such as "15s" or "24h"')
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def duration_between(low: str, high: str) -> PlainValidator:
    """Returns a validator of durations from ``low`` to ``high``, inclusive, in the file's form."""
    lowest, highest = parse_duration(low), parse_duration(high)

    def read(value: object) -> timedelta:
        if isinstance(value, timedelta):  # the default, if a field validates it
            return value
        if not isinstance(value, str):
            raise _wrong('must be a duration in quotes: a number and s, m, h or d, such as "15s"')
        try:
            duration = parse_duration(value)
        except ValueError as error:
            raise _wrong(f"is {error}") from error
        if not lowest <= duration <= highest:
            raise _wrong(f'must be from "{low}" to "{high}"')
        return duration

    return PlainValidator(read)


def check_url(text: str) -> str:
    """Accepts only ``https://``, and ``http://`` to this host itself; no user name, no query."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise _wrong("is not a URL: write https://host or https://host:port") from error
    if parts.scheme not in {"https", "http"} or not host or re.search(r"[\s\x00-\x1f]", text):
        raise _wrong("must be a URL that begins with https:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise _wrong("must not have a user name or password: remove everything up to the @")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise _wrong("must not have a query or fragment: remove everything from the ? or # on")
    if parts.scheme == "http" and not is_loopback(host):
        raise _wrong("must use https://: plain http:// is accepted for loopback hosts only")
    return text


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine by definition, without a DNS lookup."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_optional_url(text: str) -> str:
    return check_url(text) if text else ""


def _check_email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise _wrong('must be an e-mail address only, such as "integration@example.com"')
    return text


def _check_org_id(text: str) -> str:
    if text and not _ORG_ID.fullmatch(text):
        raise _wrong(
            'must be the organisation Id (15 or 18 characters, begins with "00D"), or "" for any;'
            " Salesforce shows it under Setup, Company Information"
        )
    return text


def _check_api_version(text: str) -> str:
    if not _API_VERSION.fullmatch(text):
        raise _wrong('must be a REST API version such as "62.0", without a "v"')
    return text


def _check_remote_id(text: str) -> str:
    if not _REMOTE_ID.fullmatch(text):
        raise _wrong('must be a PagerDuty id such as "PNET001" (the end of its web address)')
    return text


def _check_state_url(text: str) -> str:
    """Checks a URL of PostgreSQL; only its form: libpq reads it."""
    if not text:
        return text
    if not re.match(r"postgres(ql)?://", text):
        raise _wrong(
            'must be "" for SQLite in daemon.state_dir, or a URL such as '
            '"postgresql://pagerforce@db1,db2:5432/pagerforce"'
        )
    if re.match(r"postgres(ql)?://[^/?#]*:[^/?#]*@", text) or re.search(r"[?&]password=", text):
        raise _wrong("must not contain a password: put it into state.password_file")
    if not text.isprintable() or " " in text:
        raise _wrong("must not contain blanks or control characters")
    return text


def _check_connection_name(text: str) -> str:
    if text and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", text):
        raise _wrong(
            "must be up to 40 small letters, digits, hyphens and underscores, such as production"
        )
    return text


def _check_plain_word(text: str) -> str:
    if not text or re.search(r"\s", text):
        raise _wrong("must not be empty or contain blanks or line breaks")
    return text


def _check_name(text: str) -> str:
    if not text.strip() or re.search(r"[\x00-\x1f\x7f]", text):
        raise _wrong("must be a name: not empty, on one line")
    return text


def _check_start(text: str) -> str:
    if text == "now":
        return text
    message = 'must be "now" or a time with its zone, such as "2026-01-31T00:00:00Z"'
    if not _RFC3339.fullmatch(text):
        raise _wrong(message)
    try:
        parse_instant(text.upper())
    except ValueError as error:  # the 31st of June, 25 o'clock
        raise _wrong(message) from error
    return text


def split_address(text: str) -> tuple[str, int]:
    """Splits ``host:port`` or ``[v6]:port``; port 0 means any free one.

    Raises:
        ValueError: it has another form.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        raise ValueError("an IPv6 address needs brackets")
    if (
        not colon
        or not re.fullmatch(r"[0-9A-Za-z._:-]+", host)
        or not re.fullmatch(r"\d{1,5}", port, re.ASCII)
    ):
        raise ValueError("not host:port")
    if int(port) > 65535:
        raise ValueError("port out of range")
    return host, int(port)


def _check_listen(text: str) -> str:
    if text:
        try:
            split_address(text)
        except ValueError as error:
            raise _wrong(
                'must be host:port such as "127.0.0.1:9479" or "[::1]:9479", or "" to disable'
            ) from error
    return text


def _read_path(value: object, info: ValidationInfo) -> Path | None:
    if not isinstance(value, str):
        raise _wrong("must be a path in quotes")
    if not value:
        return None
    if re.search(r"[\x00-\x1f]", value) or value.startswith("~"):
        raise _wrong("must be a plain path: line breaks and ~ are not allowed, write it in full")
    folder = (info.context or {}).get("folder", Path())
    return Path(folder) / value


def _read_needed_path(value: object, info: ValidationInfo) -> Path:
    path = _read_path(value, info)
    if path is None:
        raise _wrong("must be a path; it can not be empty")
    return path


def _read_secret_path(value: object, info: ValidationInfo) -> Path | None:
    if isinstance(value, str) and _LOOKS_LIKE_API_KEY.fullmatch(value):
        raise _wrong(
            "looks like the key itself: put the key into a file of mode 0600 and write its path"
        )
    return _read_path(value, info)


def check_api_name(text: str) -> str:
    """Refuses texts that can't be the API name of a Salesforce object or field."""
    if len(text) > 128 or not _API_NAME.fullmatch(text):
        raise _wrong('must be an API name such as "Case" or "BMCServiceDesk__Incident__c"')
    return text


def check_field_path(text: str) -> str:
    """Refuses texts that can't be a field or a parent path such as ``Owner.Name``."""
    *parents, field = text.split(".")
    for part in (*parents, field):
        if len(part) > 128 or not _API_NAME.fullmatch(part):
            raise _wrong('must be a field such as "Subject", or a path such as "Owner.Name"')
    if any(part.lower().endswith("__c") for part in parents):
        raise _wrong("must write the relationship in a path with __r, not __c, before the dot")
    if len(parents) > _MOST_PARENTS:
        raise _wrong(f"must not have more than {_MOST_PARENTS} parents; SOQL allows no more")
    return text


def _check_optional_api_name(text: str) -> str:
    return check_api_name(text) if text else ""


def _check_optional_field_path(text: str) -> str:
    return check_field_path(text) if text else ""


def _check_where(text: str) -> str:
    """Checks a SOQL condition: pagerforce adds it in parentheses, so it must be complete."""
    if re.match(r"\s*where\b", text, re.IGNORECASE):
        raise _wrong('must be the condition alone, without the word "WHERE"')
    bare = re.sub(r"'(?:[^'\\]|\\.)*'", "", text, flags=re.DOTALL)
    depth = 0
    for letter in bare:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            break
    if depth != 0 or "'" in bare:
        raise _wrong("must have as many closing as opening parentheses and quotes")
    if re.search(r"\b(order\s+by|group\s+by|limit|offset)\b", bare, re.IGNORECASE):
        raise _wrong("must be a condition only, without ORDER BY, GROUP BY, LIMIT or OFFSET")
    return text.strip()


def read_scalar(value: object) -> TomlScalar:
    """Reads a text, boolean or number from TOML; dates must be in quotes."""
    if isinstance(value, datetime | date | time):
        raise _wrong("must be in quotes: dates and times are given as text")
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong("must be a finite number")
    if not isinstance(value, str | bool | int | float):
        raise _wrong("must be a text, a number, true or false")
    return value


def read_lookup_table(value: object) -> Mapping[str, TomlScalar]:
    """Reads the inside of ``{ lookup = { ... } }``: at least one field with the value to find."""
    if not isinstance(value, Mapping) or not value:
        raise _wrong('must be written { lookup = { Name = "..." } } with at least one field')
    for key in value:
        if not _API_NAME.fullmatch(key):
            raise _wrong("must look up by fields: the keys of lookup are API names of fields")
    return {key: read_scalar(item) for key, item in value.items()}


Url: TypeAlias = Annotated[str, AfterValidator(check_url), AfterValidator(lambda u: u.rstrip("/"))]
OptionalUrl: TypeAlias = Annotated[str, AfterValidator(_check_optional_url)]
Email: TypeAlias = Annotated[str, AfterValidator(_check_email)]
OrgId: TypeAlias = Annotated[str, AfterValidator(_check_org_id)]
ApiVersion: TypeAlias = Annotated[str, AfterValidator(_check_api_version)]
RemoteId: TypeAlias = Annotated[str, AfterValidator(_check_remote_id)]
StateUrl: TypeAlias = Annotated[str, AfterValidator(_check_state_url)]
ConnectionName: TypeAlias = Annotated[
    str, Field(validate_default=True), AfterValidator(_check_connection_name)
]
PlainWord: TypeAlias = Annotated[str, AfterValidator(_check_plain_word)]
Name: TypeAlias = Annotated[str, AfterValidator(_check_name)]
StartFrom: TypeAlias = Annotated[str, AfterValidator(_check_start)]
Listen: TypeAlias = Annotated[str, AfterValidator(_check_listen)]
OptionalPath: TypeAlias = Annotated[Path | None, PlainValidator(_read_path)]
NeededPath: TypeAlias = Annotated[Path, PlainValidator(_read_needed_path)]
SecretPath: TypeAlias = Annotated[Path | None, PlainValidator(_read_secret_path)]
ApiName: TypeAlias = Annotated[str, AfterValidator(check_api_name)]
OptionalApiName: TypeAlias = Annotated[str, AfterValidator(_check_optional_api_name)]
FieldPath: TypeAlias = Annotated[str, AfterValidator(check_field_path)]
OptionalFieldPath: TypeAlias = Annotated[str, AfterValidator(_check_optional_field_path)]
Where: TypeAlias = Annotated[str, AfterValidator(_check_where)]
PlainScalar: TypeAlias = Annotated[TomlScalar, PlainValidator(read_scalar)]

# TOML arrays are lists; strict models would refuse them for a tuple.
FROM_LIST = Field(strict=False)
