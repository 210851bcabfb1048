"""What PagerDuty's errors mean. Facts: docs/vendors/pagerduty.md#errors.

Codes are reused, so a refusal is recognised by the texts in ``errors`` as well. The body of an
error may have any form: ``errors`` may be absent, one text or an object by field, ``error`` may be
a text, and a 5xx or 429 may have no JSON at all.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import islice

from msgspec import Struct

from pagerforce.errors import BudgetError, CredentialsError, RefusedError, RemoteError
from pagerforce.model.durations import LONGEST_WAIT
from pagerforce.model.value import Json
from pagerforce.wire.answer import Answer, parse_json, tellable
from pagerforce.wire.classify import classify_answer, failed_remotely

ALREADY_RESOLVED = "1001"
ALREADY_ACKNOWLEDGED = "1002"
_INVALID_ID = "1004"
_ACCESS_LOST = "2018"

_DUPLICATE_KEY_TEXT = "matching dedup key already exists"
_TOO_DEEP_TEXTS = ("offset+limit exceeds", "offset must be less than")
_MAX_MESSAGE = 500
_MAX_CODE = 20
_MAX_DETAILS = 20


class DuplicateKeyError(RefusedError):
    """An open incident on this service has the same incident key already."""


class PageTooDeepError(RefusedError):
    """``offset + limit`` exceeds the maximum of the API."""


class ErrorBody(Struct, frozen=True):
    """The vendor's own code (``""`` for none) and text, as one line."""

    code: str
    text: str


def parse_error_body(body: bytes) -> ErrorBody:
    """Reads the body of an error answer, whatever its form."""
    try:
        decoded = parse_json(body)
    except ValueError:
        return ErrorBody("", "")
    error = decoded.get("error") if isinstance(decoded, Mapping) else None
    if isinstance(error, str):
        return ErrorBody("", tellable(error, _MAX_MESSAGE))
    if not isinstance(error, Mapping):
        return ErrorBody("", "")
    code, message, details = error.get("code"), error.get("message"), error.get("errors")
    parts = [message] if isinstance(message, str) else []
    parts += islice(_said_in(details), _MAX_DETAILS)
    is_code = isinstance(code, int | str) and not isinstance(code, bool)
    text = tellable("; ".join(parts), _MAX_MESSAGE)
    return ErrorBody(tellable(str(code), _MAX_CODE) if is_code else "", text)


def _said_in(details: Json, name: str = "") -> Iterator[str]:
    """The texts of ``errors``: one text, a list of texts or of objects, or an object by field."""
    if isinstance(details, str):
        yield f"{name}: {details}" if name else details
    elif isinstance(details, list):
        for item in details:
            yield from _said_in(item, name)
    elif isinstance(details, Mapping):
        for key, item in details.items():
            yield from _said_in(item, f"{name}.{key}" if name else key)


def judge(answer: Answer) -> RemoteError | None:
    """The error that an answer means; None for a success."""
    return classify_answer(answer, _by_vendor)


def is_not_found(error: RefusedError) -> bool:
    """Whether the requested object does not exist, or cannot exist (an impossible id)."""
    return error.status == 404 or (error.status == 400 and error.code == _INVALID_ID)


def is_out_of_sight(error: RefusedError) -> bool:
    """Whether this one object is gone or no longer visible; not a general lack of rights."""
    return error.status == 404 or (error.status == 403 and error.code == _ACCESS_LOST)


def _by_vendor(answer: Answer) -> RemoteError | None:
    said = parse_error_body(answer.body)
    status = answer.status
    what = f"{answer.operation}: HTTP {status}"
    if said.code:
        what += f" code {said.code}"
    if said.text:
        what += f" ({said.text})"
    if status >= 500 or status == 408:
        return failed_remotely(what, is_write=answer.is_write, status=status, code=said.code)
    match status:
        case 401:
            what += "; check the API key, and that pagerduty.api_url is the account's region"
            return CredentialsError(what, status=status, code=said.code)
        case 429:
            wait = parse_wait_seconds(answer.headers.get("ratelimit-reset"))
            return BudgetError(what, status=status, code=said.code, retry_after_seconds=wait)
        case 402:
            what += "; the account's plan lacks this feature"
        case _ if status < 400:
            return None
    return _refused(what, status, said)


def _refused(what: str, status: int, said: ErrorBody) -> RefusedError:
    text = said.text.lower()
    if status == 400 and _DUPLICATE_KEY_TEXT in text:
        return DuplicateKeyError(what, status=status, code=said.code)
    if status == 400 and any(known in text for known in _TOO_DEEP_TEXTS):
        return PageTooDeepError(what, status=status, code=said.code)
    return RefusedError(what, status=status, code=said.code)


def parse_wait_seconds(text: str | None) -> float | None:
    """``ratelimit-reset``: seconds until the limit is lifted, bounded; None if missing."""
    number = parse_number(text)
    return None if number is None else min(max(number, 0.0), LONGEST_WAIT.total_seconds())


def parse_number(text: str | None) -> float | None:
    """The number in a header; None if it has none."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
