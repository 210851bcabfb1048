"""What Salesforce says when it says no: error bodies of every shape, and what each one means.

Pure. Facts: salesforce.md section 3. The body is usually a JSON array, sometimes an object, XML
or an HTML page of the edge in front; only codes, field names and the API's own message are kept.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    RefusedError,
    RemoteError,
    TransientError,
    UnknownOutcomeError,
)
from pagerforce.wire.answer import parse_json, tellable

QUERY_TIMEOUT = "QUERY_TIMEOUT"
SESSION_EXPIRED = "INVALID_SESSION_ID"

_MESSAGE_CHARS = 500
_CODE_CHARS = 100
_MOST_FAULTS = 20
_TRANSIENT_CODES = frozenset(
    {"UNABLE_TO_LOCK_ROW", "INVALID_QUERY_LOCATOR", "PROCESSING_HALTED", QUERY_TIMEOUT}
)
_OVERLOAD_CODES = frozenset({"SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION"})
_ACCESS_CODES = frozenset({SESSION_EXPIRED, "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"})
# 401s that a new login does not cure: trying again would only fill the login history.
_INCURABLE = (
    "Connected app is not attached to Agent",
    "This session is not valid for use with the REST API",
)
_OVERLOAD_STATUSES = frozenset({408, 420, 429})
# Without a code these come from a proxy or a moment's trouble, not from the request itself.
_PASSING_STATUSES = frozenset({403, 407, 409, 425})
_XML_CODE = re.compile(r"<errorCode>([A-Z0-9_]+)</errorCode>")
_XML_MESSAGE = re.compile(r"<message>([^<]*)</message>")


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of an error body."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


class VendorRefusedError(RefusedError):
    """Salesforce refused a request with reasons, which may name fields.

    Attributes:
        faults: every entry of the error body; they may name the offending fields.
    """

    def __init__(self, message: str, *, status: int, code: str, faults: Sequence[Fault]) -> None:
        super().__init__(message, status=status, code=code)
        self.faults = tuple(faults)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that Salesforce named as the reason."""
        return frozenset(name for fault in self.faults for name in fault.fields)


def parse_faults(body: bytes) -> tuple[Fault, ...]:
    """The entries of an error body; none where the body says nothing we understand."""
    try:
        return faults_of(parse_json(body))
    except ValueError:
        text = body.decode(errors="replace")
        code = _XML_CODE.search(text)
        message = _XML_MESSAGE.search(text)
        if code is None:
            return ()
        return (Fault(code.group(1), _shorten(message.group(1) if message else "")),)


def faults_of(body: object) -> tuple[Fault, ...]:
    """The entries of an error body that is already JSON, e.g. inside a composite answer."""
    if isinstance(body, Mapping):
        nested = body.get("errors")
        return faults_of(nested) if isinstance(nested, list) and nested else _fault(body)
    if isinstance(body, list):
        items = (item for item in body[:_MOST_FAULTS] if isinstance(item, Mapping))
        return tuple(fault for item in items for fault in _fault(item))
    return ()


def _fault(item: Mapping[str, object]) -> tuple[Fault, ...]:
    # Collections say statusCode, everything else errorCode; the token endpoint says error.
    code = next(
        (
            value
            for key in ("errorCode", "statusCode", "error")
            if isinstance(value := item.get(key), str)
        ),
        "",
    )
    message = item.get("message") or item.get("error_description")
    if not code and not isinstance(message, str):
        return ()
    names = item.get("fields")
    names = names[:_MOST_FAULTS] if isinstance(names, list) else []
    fields = tuple(tellable(name, _CODE_CHARS) for name in names if isinstance(name, str))
    return (
        Fault(
            tellable(code, _CODE_CHARS),
            _shorten(message if isinstance(message, str) else ""),
            fields,
        ),
    )


def _shorten(text: str) -> str:
    return tellable(text, _MESSAGE_CHARS)


def is_curable_by_login(status: int, faults: Sequence[Fault]) -> bool:
    """Whether a new login may help: an expired session, and not one of the two that never heal."""
    if any(phrase in fault.message for fault in faults for phrase in _INCURABLE):
        return False
    return status == 401 or any(fault.code == SESSION_EXPIRED for fault in faults)


def to_error(status: int, faults: Sequence[Fault], *, what: str, is_write: bool) -> RemoteError:
    """The member of the ``RemoteError`` family that an answer stands for.

    Args:
        status: HTTP status of the answer or of its part inside a composite answer.
        faults: the entries of its body.
        what: what was asked, for the message, e.g. ``query of Case``.
        is_write: whether the request may have changed something.
    """
    code = faults[0].code if faults else ""
    message = f"{what}: {_describe(status, faults)}"
    kind = _kind_of(status, faults, is_write=is_write)
    if kind is VendorRefusedError:
        return VendorRefusedError(message, status=status, code=code, faults=faults)
    return kind(message, status=status, code=code)


def _kind_of(status: int, faults: Sequence[Fault], *, is_write: bool) -> type[RemoteError]:
    codes = {fault.code for fault in faults}
    if status == 401 or codes & _ACCESS_CODES:
        return CredentialsError
    if "REQUEST_LIMIT_EXCEEDED" in codes:
        is_passing = any("Concurrent" in fault.message for fault in faults)
        return TransientError if is_passing else BudgetError
    if codes & _TRANSIENT_CODES or _is_wrapped_lock(faults):
        return TransientError
    if status >= 500 or status in _OVERLOAD_STATUSES or codes & _OVERLOAD_CODES:
        # Even an honest 503 may come from something in front, after the write took effect.
        return UnknownOutcomeError if is_write else TransientError
    is_passing = status in _PASSING_STATUSES or 300 <= status < 400
    return TransientError if not faults and is_passing else VendorRefusedError


def _is_wrapped_lock(faults: Sequence[Fault]) -> bool:
    """An Apex trigger that ran into a lock: the code is the trigger's, the message names the lock."""
    return any(
        fault.code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
        and "UNABLE_TO_LOCK_ROW" in fault.message
        for fault in faults
    )


def _describe(status: int, faults: Sequence[Fault]) -> str:
    if not faults:
        return f"HTTP {status} without a readable reason"
    texts = [
        f"{fault.code or f'HTTP {status}'}: {fault.message}".rstrip(": ")
        + (f" [{', '.join(fault.fields)}]" if fault.fields else "")
        for fault in faults
    ]
    return "; ".join(texts)
