"""Reports unexpected errors: in the log with their place, in the metrics by part of the daemon.

Code that contains an unexpected error reports it here. The error then costs one item a retry: an
action, a poll, a gauge, a request (docs/guarantees.md, 8). An error's own text may quote customer
text, so only its kind and place are shown.
"""

from contextlib import suppress
from enum import StrEnum
from typing import Protocol

import msgspec
from msgspec import Struct

from pagerforce.errors import internal_error_text, place_of
from pagerforce.observe.log import get_log

__all__ = [
    "InternalErrorCounter",
    "Part",
    "Repeats",
    "internal_error_text",
    "report_internal_error",
]

_LOG = get_log("internal")
_MOST = 1000


class Part(StrEnum):
    """The part of the daemon that met the error; the values of the metric's label."""

    ACTION = "action"
    POLL = "poll"
    GAUGE = "gauge"
    RETENTION = "retention"
    RELOAD = "reload"
    REQUEST = "request"
    STORE = "store"
    LOOP = "loop"


class InternalErrorCounter(Protocol):
    """Counts internal errors; implemented by the metrics."""

    def count_internal_error(self, part: str) -> None:
        """Counts one more error of this part."""
        ...


def report_internal_error(
    counter: InternalErrorCounter, part: Part, error: BaseException, *, about: str = ""
) -> str:
    """Logs and counts an unexpected error.

    Args:
        counter: the metrics.
        part: the part of the daemon that met it.
        error: what was raised.
        about: the subject: an action's id, a source, a command word, a loop's name.

    Returns:
        The text of ``internal_error_text``, as the reason of a retry. Never raises.
    """
    # A failing report must not stop the caller; the other of the two reports still works.
    with suppress(Exception):
        counter.count_internal_error(part.value)
    with suppress(Exception):
        _LOG.error("internal_error", where=part.value, about=about, place=place_of(error))
    return internal_error_text(error)


class Repeats(Struct, frozen=True):
    """Reports errors of repeated work: counts each, logs one only when it is new."""

    _known: dict[str, str] = msgspec.field(default_factory=dict)

    def failed(
        self, counter: InternalErrorCounter, part: Part, error: BaseException, about: str
    ) -> str:
        """As ``report_internal_error``, but does not log the same error about this again."""
        text = internal_error_text(error)
        if self._known.get(about) == text:
            with suppress(Exception):  # as in report_internal_error
                counter.count_internal_error(part.value)
            return text
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[about] = text
        return report_internal_error(counter, part, error, about=about)

    def worked(self, about: str) -> None:
        """The next error about this is new."""
        self._known.pop(about, None)
