"""Which requests an attempt made: kept with it, for ``why``.

A record holds the system, the operation's name and the status that answered: never a body, an
address or a header.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_MOST = 50
_current: ContextVar[list[tuple[str, str, str]] | None] = ContextVar("requests", default=None)


@contextmanager
def recording() -> Iterator[list[tuple[str, str, str]]]:
    """Collects what this task asks while the block runs, as (system, operation, answer)."""
    found: list[tuple[str, str, str]] = []
    token = _current.set(found)
    try:
        yield found
    finally:
        _current.reset(token)


def note_request(system: str, operation: str, answer: str) -> None:
    """One request was made; dropped where nobody collects, or after the first fifty."""
    found = _current.get()
    if found is not None and len(found) < _MOST:
        found.append((system, operation, answer))
