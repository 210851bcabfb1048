"""Reads Salesforce's error bodies, and decides which error each one means.

Pure. Facts: docs/vendors/salesforce.md#errors. The body is usually a JSON array, sometimes an
object, XML or an HTML page of the edge in front. Only codes, field names and the API's own message
are kept. ``error_table.py`` has the meanings of codes. This module judges answers that the table
does not know, by status, family of the code and text. When unsure, it keeps the action for a retry.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    HaltedError,
    RefusedError,
    RemoteError,
    TransientError,
    UnknownOutcomeError,
)
from pagerforce.salesforce.advice import DEFAULT_ADVICE
from pagerforce.salesforce.error_table import BY_CODE, PHRASES, WRAPPERS
from pagerforce.salesforce.meaning import Meaning
from pagerforce.wire.answer import parse_json, tellable

QUERY_TIMEOUT = "QUERY_TIMEOUT"

SLOW_SECONDS = 60.0
"""The shortest wait for errors that end within minutes or hours; the back-off makes it longer."""
_LOCKED_SECONDS = 300.0
_MESSAGE_CHARS = 500
_CODE_CHARS = 100
_MOST_FAULTS = 20
_MODIFIED = 412  # a guarded write came too late, as requested by the caller
_ERRORS_FROM = 400  # below: a redirect; nothing was changed
_OVERLOAD_STATUSES = frozenset({408, 420, 429})
# Without a code these are about the request itself, not about a proxy or a temporary problem.
_REFUSING_STATUSES = frozenset({411, 413, 414, 415, 431})
_XML_CODE = re.compile(r"<(?:\w+:)?(?:errorCode|exceptionCode)>(?:\w+:)?([A-Z0-9_]+)</")
_XML_MESSAGE = re.compile(r"<(?:\w+:)?(?:message|exceptionMessage)>([^<]*)</")
# For a very long body, which was cut.
_CUT_CODE = re.compile(r'"errorCode"\s*:\s*"([A-Z0-9_]{1,100})"')
# This message repeats the whole value; the code comes after it.
_TOO_LARGE = "data value too large: "
_CUT = "(a message that is too long)"

_PASSING_FAMILY = re.compile(
    "LIMIT|QUOTA|EXCEEDED|TOO_MANY|TIME_?OUT|TIMED_OUT|UNAVAILABLE|BUSY|MAINTENANCE|IN_PROGRESS"
    "|LOCK|TEMPORAR|RETRY|INTERNAL|SERVER|UNKNOWN|UNEXPECTED|DOWN|HALTED|CONCURREN"
)
_REFUSING_FAMILY = re.compile(
    "^(INVALID|MALFORMED|MISSING|REQUIRED|DUPLICATE|CANNOT|CANT|NO|NOT|UNSUPPORTED|INSUFFICIENT"
    "|ILLEGAL|FIELD)_|_(NOT_FOUND|NOT_ALLOWED|NOT_SUPPORTED|NOT_ENABLED|INVALID|REQUIRED|TOO_LONG)$"
)
_UNKNOWN_ADVICE = "pagerforce does not know this code and tries again; see the message"


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of an error body. ``text``: the whole message, maybe thousands of characters."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    text: str = field(default="", compare=False, repr=False)

    @property
    def whole(self) -> str:
        """The message before it was cut."""
        return self.text or self.message


class Judgement(Struct, frozen=True):
    """The meaning of an answer, advice, and the text of the message that decided it.

    ``is_guess``: no row of the table matches.
    """

    meaning: Meaning
    advice: str = ""
    said: str = ""
    is_guess: bool = False


class VendorRefusedError(RefusedError):
    """Salesforce refused a request and gave reasons.

    Attributes:
        faults: every entry of the error body; they may name the offending fields.
        advice: the advice for an operator.
    """

    def __init__(
        self, message: str, *, status: int, code: str, faults: Sequence[Fault], advice: str = ""
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.faults = tuple(faults)
        self.advice = advice or DEFAULT_ADVICE

    @property
    def fields(self) -> frozenset[str]:
        """The fields that Salesforce named as the reason."""
        return frozenset(name for fault in self.faults for name in fault.fields)


def parse_faults(body: bytes) -> tuple[Fault, ...]:
    """The entries of an error body; none if it cannot be understood."""
    try:
        return faults_of(parse_json(body))
    except ValueError:
        return _faults_of_text(body.decode(errors="replace"))


def _faults_of_text(text: str) -> tuple[Fault, ...]:
    """The entries of a body that is not JSON or was cut."""
    if (code := _CUT_CODE.search(text)) is not None:
        return (Fault(code.group(1), _CUT, text=text),)
    if text.lstrip().startswith("[") and _TOO_LARGE in text:
        return (Fault("STRING_TOO_LONG", _CUT, text=text),)
    if (code := _XML_CODE.search(text)) is None:
        return ()
    message = _XML_MESSAGE.search(text)
    said = message.group(1) if message else ""
    return (Fault(code.group(1), _shorten(said), text=said),)


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
    # Collections use statusCode, the token endpoint uses error, everything else errorCode.
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
    said = message if isinstance(message, str) else ""
    return (Fault(tellable(code, _CODE_CHARS), _shorten(said), fields, said),)


def _shorten(text: str) -> str:
    return tellable(text, _MESSAGE_CHARS)


def judge(status: int, faults: Sequence[Fault]) -> Judgement:
    """The meaning of an answer with this status and these entries."""
    if status == _MODIFIED:
        return Judgement(Meaning.REFUSED)
    found = [_judge_fault(status, fault) for fault in faults] or [_judge_status(status)]
    # A guess does not count beside a known entry.
    worst = min(found, key=lambda item: (item.is_guess, _ORDER[item.meaning]))
    if status == 401 and worst.meaning not in (Meaning.ACCOUNT, Meaning.MOVED):
        return Judgement(Meaning.SESSION)
    is_overload = status >= 500 or status in _OVERLOAD_STATUSES
    if is_overload and worst.meaning in (Meaning.SLOW, Meaning.REFUSED):
        # Even a real 503 may come from a host in front, after the write took effect.
        return Judgement(Meaning.BROKEN, worst.advice, worst.said)
    return worst


_ORDER = {meaning: place for place, meaning in enumerate(Meaning)}


def _judge_fault(status: int, fault: Fault) -> Judgement:
    for item in BY_CODE.get(fault.code, ()):
        said = item.find(fault.whole)
        if said is not None:
            return Judgement(item.meaning, item.advice, said)
    if not fault.code:
        return _judge_status(status)
    return _judge_unknown(status, fault)


def _judge_unknown(status: int, fault: Fault) -> Judgement:
    """Judges a code without a row: when unsure, it is retried for ``retry_for``."""
    for item in PHRASES:
        said = item.find(fault.whole)
        if said:
            return Judgement(item.meaning, item.advice, said)
    code = fault.code.upper()
    is_refusal = _REFUSING_FAMILY.search(code) and not _PASSING_FAMILY.search(code)
    if is_refusal and 400 <= status < 500:
        return Judgement(Meaning.REFUSED, is_guess=True)
    return Judgement(Meaning.SLOW, _UNKNOWN_ADVICE, is_guess=True)


def _judge_status(status: int) -> Judgement:
    """Judges an answer without a code: from a proxy, the edge or the host of a moved instance.

    Whatever its status, a host in front may have sent it after a write took effect.
    """
    if status in _REFUSING_STATUSES:
        return Judgement(Meaning.REFUSED)
    return Judgement(Meaning.FAST if status < _ERRORS_FROM else Meaning.BROKEN)


def to_error(status: int, faults: Sequence[Fault], *, what: str, is_write: bool) -> RemoteError:
    """The member of the ``RemoteError`` family that an answer means.

    Args:
        status: HTTP status of the answer or of its part inside a composite answer.
        faults: the entries of its body.
        what: the request, for the message, e.g. ``query of Case``.
        is_write: whether the request may have changed something.
    """
    judged = judge(status, faults)
    code = faults[0].code if faults else ""
    if judged.meaning is Meaning.REFUSED:
        message = f"{what}: {_describe(status, faults)}"
        return VendorRefusedError(
            message, status=status, code=code, faults=faults, advice=judged.advice
        )
    message, detail = _tell(status, faults, judged)
    message = f"{what}: {message}" + (f"; {judged.advice}" if judged.advice else "")
    match judged.meaning:
        case Meaning.SESSION | Meaning.ACCOUNT:
            return CredentialsError(message, status=status, code=code)
        case Meaning.QUOTA:
            return BudgetError(message, status=status, code=code, retry_after_seconds=SLOW_SECONDS)
        case Meaning.FULL if is_write:
            return HaltedError(message, status=status, code=code, retry_after_seconds=SLOW_SECONDS)
        case Meaning.BROKEN | Meaning.MOVED if is_write:
            return UnknownOutcomeError(message, status=status, code=code)
        case meaning:
            return TransientError(
                message,
                status=status,
                code=code,
                retry_after_seconds=_WAITS.get(meaning),
                detail=detail,
            )


_WAITS = {
    Meaning.FULL: SLOW_SECONDS,
    Meaning.SLOW: SLOW_SECONDS,
    Meaning.LOCKED: _LOCKED_SECONDS,
}


def _tell(status: int, faults: Sequence[Fault], judged: Judgement) -> tuple[str, str]:
    """The text for the log, and the text for the action's own history only.

    The log shows the reason of each retry. The text of a trigger, a flow or an unknown code may
    contain customers' data, so it goes only into the history.
    """
    codes = [fault.code or "no code" for fault in faults]
    if all(code in BY_CODE and code not in WRAPPERS for code in codes):
        return _describe(status, faults), ""
    said = f" ({judged.said})" if judged.said else ""
    return f"HTTP {status}, {', '.join(codes)}{said}", _describe(status, faults)


def _describe(status: int, faults: Sequence[Fault]) -> str:
    if not faults:
        return f"HTTP {status} without a readable reason"
    texts = [
        f"{fault.code or f'HTTP {status}'}: {fault.message}".rstrip(": ")
        + (f" [{', '.join(fault.fields)}]" if fault.fields else "")
        for fault in faults
    ]
    return "; ".join(texts)
