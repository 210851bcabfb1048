"""The form of a log line: one line, whatever its values, after the journal's priority."""

import logging
import traceback
from collections.abc import Iterator
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor

from pagerforce.model.display import shown
from pagerforce.observe import limits

ErrorInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


class _Printed:
    """A value that the console's renderer prints unchanged."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def show_values(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Makes every value printable; the console's renderer escapes only those with blanks."""
    return {key: _printable(value) for key, value in event.items()}


def _printable(value: object) -> object:
    is_plain = value is None or isinstance(value, bool | int | float)
    if is_plain or (isinstance(value, str) and value.isprintable()):
        return value
    return _Printed(shown(repr(value)))


class PlainFormatter(logging.Formatter):
    """Lines that libraries log through the standard library: one line each, then tracebacks."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """The line itself."""
        return shown(super().formatMessage(record))

    def formatException(self, ei: ErrorInfo) -> str:  # noqa: N802 (logging's name)
        """A traceback, one line per line."""
        return "\n".join(traceback_lines(ei[1])) if ei[1] is not None else ""


class JournalRenderer:
    """Puts the priority before the line of another renderer."""

    def __init__(self, renderer: Processor) -> None:
        self._renderer = renderer

    def __call__(
        self, logger: object, method: str, event: structlog.typing.EventDict
    ) -> str | bytes:
        """Renders the line."""
        line = str(self._renderer(logger, method, event))
        # The journal creates an entry for each line, and reads the priority of each.
        mark = f"<{_PRIORITIES.get(method, 6)}>"
        return "\n".join(mark + part for part in line.split("\n"))


class LibraryFormatter(PlainFormatter):
    """Lines of libraries, cut to their limit."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole text, cut."""
        return limits.cut_text(super().format(record), limits.LONGEST_TEXT)


class JournalFormatter(LibraryFormatter):
    """The same with the journal's priority before each line."""

    def format(self, record: logging.LogRecord) -> str:
        """Each line with its priority."""
        mark = f"<{_PRIORITIES.get(record.levelname.lower(), 6)}>"
        return "\n".join(mark + part for part in super().format(record).split("\n"))


def traceback_lines(error: BaseException) -> list[str]:
    """A traceback line by line, for error reports; line breaks in the errors' texts are escaped."""
    found = traceback.TracebackException.from_exception(error)
    text = "".join(found.format())
    for said in _texts(found):
        text = text.replace(said, shown(said))
    return [shown(line) for line in text.rstrip("\n").split("\n")]


def _texts(found: traceback.TracebackException) -> Iterator[str]:
    """The texts of this error and its causes that are not plain text."""
    text = str(found)
    if shown(text) != text:
        yield text
    inner = getattr(found, "exceptions", None) or ()
    for one in (found.__cause__, found.__context__, *inner):
        if one is not None:
            yield from _texts(one)
