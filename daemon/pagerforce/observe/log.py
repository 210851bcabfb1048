"""The log: one structured line per thing an operator would ask about, on standard error.

``json`` for collectors, ``console`` for people, ``auto``: console on a terminal, else json. Lines
carry ids, counts, durations and reasons, never secrets or customers' text.
"""

import logging
import sys
import traceback
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

_LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error")}
_level = logging.INFO


def _drop_below_level(
    _logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Drops what is below the level in force, which ``log-level`` changes while running."""
    if logging.getLevelNamesMapping()[method.upper()] < _level:
        raise structlog.DropEvent
    return event


def set_level(level: str) -> None:
    """Changes the level of everything logged from now on.

    Raises:
        KeyError: not one of debug, info, warning, error.
    """
    global _level  # noqa: PLW0603 (one process has one log level)
    _level = _LEVELS[level]


def setup_log(level: str, form: str, stream: TextIO | None = None) -> None:
    """Sets the log up once, at the start of the process."""
    stream = stream or sys.stderr
    set_level(level)
    is_console = form == "console" or (form == "auto" and stream.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if is_console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            _drop_below_level,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=stream, format="%(levelname)s %(name)s %(message)s"
    )
    # httpx logs every URL at INFO, and those hold ids and queries.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def place_of(error: BaseException) -> str:
    """Kind and place of an unexpected error, for the log.

    Its own text may quote customers' text and stays out.
    """
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    where = f" in {Path(last.filename).name}:{last.lineno} ({last.name})" if last else ""
    return f"{type(error).__name__}{where}"


def get_log(part: str) -> FilteringBoundLogger:
    """A logger for one part of the daemon."""
    log: FilteringBoundLogger = structlog.get_logger(part=part)
    return log
