"""The requests of an attempt: stored with it, for ``why``.

An item holds the system, the operation's name and the status of the answer: never a body, an
address or a header.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_MOST = 50
_current: ContextVar[list[tuple[str, str, str]] | None] = ContextVar("requests", default=None)


@contextmanager
def recording() -> Iterator[list[tuple[str, str, str]]]:
    """Collects the requests of this task while the block runs, as (system, operation, answer)."""
    found: list[tuple[str, str, str]] = []
    token = _current.set(found)
    try:
        yield found
    finally:
        _current.reset(token)


def note_request(system: str, operation: str, answer: str) -> None:
    """Notes one request; does nothing if nobody collects, or after the first fifty."""
    found = _current.get()
    if found is not None and len(found) < _MOST:
        found.append((system, operation, answer))
