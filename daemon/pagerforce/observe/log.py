"""The log: one structured line per fact that an operator may need, on standard error.

``json`` for collectors, ``console`` for people, ``auto``: console on a terminal, else json. In
systemd's journal each line starts with its priority, ``<4>`` for a warning (sd-daemon(3)), which
the journal removes. Lines contain ids, counts, durations and reasons, never secrets or customer
text. Whatever its values are, a line stays one line and contains no terminal control characters
(``model/display.py``).
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from pagerforce.model.display import json_text
from pagerforce.observe import limits
from pagerforce.observe.limits import Limits
from pagerforce.observe.rendering import (
    JournalFormatter,
    JournalRenderer,
    LibraryFormatter,
    show_values,
)

EVENTS: Mapping[str, frozenset[str]] = {
    name: frozenset(keys.split())
    for name, keys in {
        "action": "action_id attempt do incident outcome reason record state",
        "baseline": "incidents object records source start_at",
        "contradiction": "incident what",
        "control_socket_open": "path",
        "control_socket_unavailable": "reason",
        "event": "actions echo_of incident record source type",
        "field_left_out": "field object reason rules",
        "field_read_again": "field object",
        "incident_out_of_sight": "incident",
        "instance_moved": "after before",
        "instance_unknown": "reason",
        "internal_error": "about place where",
        "descriptors_short": "error where",
        "link_paused": "lane reason rules until",
        "log_limited": "left_out seconds what",
        "low_water_unknown": "reason",
        "malformed": "source what where",
        "no_heartbeat": "loops",
        "object_halted": "object reason",
        "object_read_again": "object",
        "poll_failed": "error failures reason source",
        "polling_at_pace": "calls_left seconds source",
        "polling_stretched": "calls_left seconds source",
        "pruned": "comments events incidents operators records",
        "org_changed": "what where",
        "reading_new_fields": "fields object",
        "ready": "",
        "records_out_of_sight": "count object",
        "refused": "command folded uid user",
        "reload_refused": "what where",
        "reloaded": "rules",
        "requester_refused": "user",
        "restart_needed": "what",
        "restored": "what",
        "service_mapping_left_out": "mapping reason",
        "side_halted": "reason side",
        "source_up": "source",
        "setting_limited": "setting used",
        "stalled": "loop place seconds what",
        "starting": "config version",
        "stopped": "",
        "stopping": "signal",
        "stream_down": "reason",
        "stream_up": "covered",
        "stored_row_unreadable": "row table",
        "storage_unavailable": "error failures reason source",
        "textfile_not_written": "path reason",
        "unfinished_actions_found": "count",
    }.items()
}
"""Every event that is logged, and the keys it may have besides the common ones.

The list is closed: any other line fails the tests. docs/reference/log-events.md describes each
event.
"""

COMMON_KEYS = frozenset({"event", "level", "part", "timestamp"})
"""The keys of every line."""

_LEVELS: dict[str, int] = {
    name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error")
}
_NUMBERS = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}
_level = logging.INFO
_limits = Limits()


def _drop_below_level(
    _logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Drops lines below the current level, which ``log-level`` changes while pagerforce runs."""
    if _NUMBERS[method] < _level:
        raise structlog.DropEvent
    return event


def is_shown(level: str) -> bool:
    """Whether this level is logged now: worth checking before a thousand lines."""
    return _LEVELS[level] >= _level


def set_level(level: str) -> None:
    """Changes the level of all further lines.

    Raises:
        KeyError: not one of debug, info, warning, error.
    """
    global _level  # noqa: PLW0603 (one process has one log level)
    _level = _LEVELS[level]


def current_level() -> str:
    """The current level."""
    return next(name for name, number in _LEVELS.items() if number == _level)


def _limit(
    _logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Cuts values to their limit, and drops a line beyond the limit of its kind."""
    shown = {key: limits.cut(value) for key, value in event.items()}
    if "exception" in event:
        shown["exception"] = limits.cut_text(str(event["exception"]), limits.LONGEST_TEXT)
    name = str(shown["event"])
    if name == "log_limited":
        return event
    say_what_was_left_out()
    size = 100 + sum(len(str(value)) for value in shown.values())
    about = limits.about_of(shown)
    if not _limits.admits(name, about, limits.most_of(name), level=_NUMBERS[method], size=size):
        raise structlog.DropEvent
    event.update(shown)
    return event


def say_what_was_left_out(*, at_end: bool = False) -> None:
    """Logs how many lines were left out, when the minute is over; ``at_end``: now."""
    if not at_end and not _limits.is_over():
        return
    for item in _limits.begin_again():
        _LOG.warning(
            "log_limited", what=item.what, left_out=item.lines, seconds=round(item.seconds, 1)
        )


class _LibraryFilter(logging.Filter):
    """Applies the same limits to lines that libraries log through the standard library."""

    def filter(self, record: logging.LogRecord) -> bool:
        say_what_was_left_out()
        text = str(record.msg)[: limits.LONGEST_VALUE]
        about = (record.levelno, hash(text))
        size = limits.LONGEST_TEXT if record.exc_info else len(text)
        name = f"library {record.name}"
        return _limits.admits(name, about, limits.LIBRARY_LINES, level=record.levelno, size=size)


class _SafeStream:
    """A stream whose errors stop no page, e.g. a full disk under the log, or a reader that ended.

    Lines that could not be written are counted; the log reports them once it can be written again.

    What could not be written is counted, and said once the log can be written again.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._has_failed = False

    def write(self, text: str) -> int:
        """Writes, or remembers that it failed."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Ends a line."""
        self._try(self._stream.flush)
        if self._has_failed:
            self._has_failed = False
            _limits.lose()

    def _try(self, step: Callable[[], object]) -> None:
        try:
            step()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._has_failed = True


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether systemd connected this stream to its journal (``$JOURNAL_STREAM``, systemd.exec(5)).

    The variable is inherited, so it counts only if it names this very stream.
    """
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def setup_log(
    level: str,
    form: str,
    stream: TextIO | None = None,
    *,
    environ: Mapping[str, str],
) -> None:
    """Sets the log up, once per process; ``environ`` may name the journal."""
    global _limits  # noqa: PLW0603 (one process has one log)
    _limits = Limits()
    # Without a standard error, Python's sys.stderr is None.
    stream = stream or sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115 (to the end)
    set_level(level)
    is_for_journal = is_journal(stream, environ)
    is_console = form == "console" or (form == "auto" and stream.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if is_console
        else structlog.processors.JSONRenderer(serializer=json_text)
    )
    if is_for_journal:
        renderer = JournalRenderer(renderer)
    safe = _SafeStream(stream)
    structlog.configure(
        processors=[
            _drop_below_level,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _limit,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([show_values] if is_console else []),
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=safe),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(safe)
    handler.addFilter(_LibraryFilter())
    formatter = JournalFormatter if is_for_journal else LibraryFormatter
    handler.setFormatter(formatter("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    # httpx logs every URL at INFO, and those hold ids and queries.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # asyncio warns of a child process that has ended already, in a line that is not JSON. The caller
    # still gets the exit code 255. Errors of asyncio are logged.
    logging.getLogger("asyncio").setLevel(logging.ERROR)


def get_log(part: str) -> FilteringBoundLogger:
    """A logger for one part of the daemon."""
    log: FilteringBoundLogger = structlog.get_logger(part=part)
    return log


_LOG = get_log("log")
