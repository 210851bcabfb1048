"""Reports an unexpected error: in the log by its place, in the metrics by the part that met it.

Code that contains an unexpected error reports it here; the error then costs one thing a retry: an action, a
poll, a gauge, a request (docs/guarantees.md, "a defect stays small"). An error's own text may quote
customers' text, so only its kind and place are shown.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

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
    """Which part of the daemon met the error; the values of the metric's label."""

    ACTION = "action"
    POLL = "poll"
    GAUGE = "gauge"
    RETENTION = "retention"
    RELOAD = "reload"
    REQUEST = "request"
    STORE = "store"
    LOOP = "loop"


class InternalErrorCounter(Protocol):
    """Who counts internal errors; the metrics."""

    def count_internal_error(self, part: str) -> None:
        """One more, met by this part."""
        ...


def report_internal_error(
    counter: InternalErrorCounter, part: Part, error: BaseException, *, about: str = ""
) -> str:
    """Logs and counts an unexpected error.

    Args:
        counter: the metrics.
        part: which part of the daemon met it.
        error: what was raised.
        about: what it was met with: an action's id, a source, a command word, a loop's name.

    Returns:
        The words of ``internal_error_text``, for the reason of a retry. Never raises.
    """
    # A report that fails must not stop what contained the error: the other one still says so.
    with suppress(Exception):
        counter.count_internal_error(part.value)
    with suppress(Exception):
        _LOG.error("internal_error", where=part.value, about=about, place=place_of(error))
    return internal_error_text(error)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Reports errors of what is tried over and over: counts each, logs one only when it is new."""

    _known: dict[str, str] = field(default_factory=dict)

    def failed(
        self, counter: InternalErrorCounter, part: Part, error: BaseException, about: str
    ) -> str:
        """As ``report_internal_error``, without a line for what was said about this before."""
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
