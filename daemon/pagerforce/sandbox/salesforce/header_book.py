"""Request headers that change the API's behaviour: read, validated, and stored.

Facts: docs/vendors/salesforce.md#rest. The platform's answer to an unreadable header is not in the
known documentation; here it is 400 INVALID_HEADER, so that tests find a client that sends one.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pagerforce.sandbox.salesforce.errors import ApiError

MOST_REMEMBERED = 1000

_FLAG = r"(?:true|false)"
_FORMS: Mapping[str, re.Pattern[str]] = {
    "sforce-call-options": re.compile(
        r"(?:client|defaultNamespace)=[^,=\s]+(?:\s*,\s*(?:client|defaultNamespace)=[^,=\s]+)?"
    ),
    "sforce-duplicate-rule-header": re.compile(
        rf"(?:(?:allowSave|includeRecordDetails|runAsCurrentUser)\s*=\s*{_FLAG}(?:\s*;\s*|$)){{1,3}}",
        re.IGNORECASE,
    ),
    "sforce-auto-assign": re.compile(
        rf"{_FLAG}|01Q[0-9A-Za-z]{{12}}(?:[0-9A-Za-z]{{3}})?", re.IGNORECASE
    ),
    "sforce-mru": re.compile(rf"updateMru\s*=\s*{_FLAG}", re.IGNORECASE),
    "sforce-query-options": re.compile(r"batchSize\s*=\s*[0-9]{1,9}", re.IGNORECASE),
}
_ALLOW_SAVE = re.compile(r"allowSave\s*=\s*true", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SentHeaders:
    """The headers of one call, or of one part of a composite call.

    Attributes:
        path: below ``/services/data/vXX.X/``.
        headers: by lower-case name; only those that are validated here.
    """

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(slots=True)
class HeaderBook:
    """The recent calls, oldest first."""

    calls: deque[SentHeaders] = field(default_factory=lambda: deque(maxlen=MOST_REMEMBERED))

    def note(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Stores a call.

        Raises:
            ApiError: a header is malformed.
        """
        kept = {name: headers[name] for name in _FORMS if name in headers}
        self.calls.append(SentHeaders(method, path, kept))
        for name, value in kept.items():
            if _FORMS[name].fullmatch(value.strip()) is None:
                raise ApiError("INVALID_HEADER", f"Invalid value for header {name}")

    def sent(self, name: str, *, method: str = "", path: str = "") -> list[str | None]:
        """The values of a header in calls, oldest first; None if a call omitted it."""
        return [
            call.headers.get(name.lower())
            for call in self.calls
            if method in ("", call.method) and path in call.path
        ]


def allows_save(headers: Mapping[str, str]) -> bool:
    """Whether a caller allows saving rows that a duplicate rule alerts to."""
    return _ALLOW_SAVE.search(headers.get("sforce-duplicate-rule-header", "")) is not None
