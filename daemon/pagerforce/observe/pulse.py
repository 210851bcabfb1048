"""The pulse: real progress of a loop beats its heart, and a watchdog sees a loop without progress.

A loop's task has a heart in a context variable, so that the tasks it starts have it too. Whatever
ends beats it: an answered or failed request, a statement of the database, a step of a planned wait.
Nothing else may beat it: a beat from a timer beside the work would hide that the work hangs.
Without a watchdog (a command without a daemon, most tests) all of this does nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Heart(Protocol):
    """Something that must make progress until it ends."""

    def beat(self) -> None:
        """Reports progress."""
        ...

    def begin(self, what: str) -> "Heart":
        """A heart for a part of the work, watched separately until its ``end``."""
        ...

    def end(self) -> None:
        """The work is over: no more progress is expected."""
        ...


class _Unwatched:
    """The heart without a watchdog."""

    def beat(self) -> None:
        return None

    def begin(self, what: str) -> Heart:  # noqa: ARG002 (the protocol's)
        return self

    def end(self) -> None:
        return None


class _Along:
    """A heart whose beats also do something else."""

    __slots__ = ("_also", "_heart")

    def __init__(self, heart: Heart, also: Callable[[], None]) -> None:
        self._heart = heart
        self._also = also

    def beat(self) -> None:
        self._heart.beat()
        self._also()

    def begin(self, what: str) -> Heart:
        return self._heart.begin(what)

    def end(self) -> None:
        self._heart.end()


_heart: ContextVar[Heart] = ContextVar("heart", default=_Unwatched())  # noqa: B039 (it has no state)


def beat() -> None:
    """Reports progress of this task."""
    _heart.get().beat()


@contextmanager
def carrying(heart: Heart) -> Iterator[None]:
    """While the block runs, this task and the tasks it starts beat this heart."""
    token = _heart.set(heart)
    try:
        yield
    finally:
        _heart.reset(token)


@contextmanager
def work(what: str) -> Iterator[None]:
    """Watches a parallel task separately, so that it does not hide that others hang."""
    heart = _heart.get().begin(what)
    try:
        with carrying(heart):
            yield
    finally:
        heart.end()


@contextmanager
def step(what: str) -> Iterator[None]:
    """Watches a part of this task's work both separately and as a part of the whole."""
    outer = _heart.get()
    heart = outer.begin(what)
    try:
        with carrying(_Along(heart, outer.beat)):
            yield
    finally:
        heart.end()


@contextmanager
def also(renew: Callable[[], None]) -> Iterator[None]:
    """Also calls ``renew`` at each progress of this task while the block runs."""
    with carrying(_Along(_heart.get(), renew)):
        yield
