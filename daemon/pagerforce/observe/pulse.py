"""The pulse: what a loop really does beats its heart, and a watchdog sees where nothing does.

A loop's task carries a heart in a context variable, so that the tasks it starts carry it too. Whatever
ends beats it: a request that was answered or has failed, a statement of the database, a turn of a
planned wait. Nothing else may: a beat from a timer beside the work would hide that the work hangs.
Where nobody watches (a command without a daemon, most tests) all of this does nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Heart(Protocol):
    """What must make progress until it ends."""

    def beat(self) -> None:
        """Some work was done just now."""
        ...

    def begin(self, what: str) -> "Heart":
        """A heart for a part of the work, watched by itself until its ``end``."""
        ...

    def end(self) -> None:
        """The work is over: nothing is expected any more."""
        ...


class _Unwatched:
    """The heart where nobody watches."""

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
    """This task has done some work just now."""
    _heart.get().beat()


@contextmanager
def carrying(heart: Heart) -> Iterator[None]:
    """What this task does while the block runs, and what it starts, beats this heart."""
    token = _heart.set(heart)
    try:
        yield
    finally:
        _heart.reset(token)


@contextmanager
def work(what: str) -> Iterator[None]:
    """A task beside others: its work is watched by itself and hides no other's silence."""
    heart = _heart.get().begin(what)
    try:
        with carrying(heart):
            yield
    finally:
        heart.end()


@contextmanager
def step(what: str) -> Iterator[None]:
    """A part of this task's work that others may wait for: watched by itself, and as the whole."""
    outer = _heart.get()
    heart = outer.begin(what)
    try:
        with carrying(_Along(heart, outer.beat)):
            yield
    finally:
        heart.end()


@contextmanager
def also(renew: Callable[[], None]) -> Iterator[None]:
    """Calls this too whenever this task does some work while the block runs."""
    with carrying(_Along(_heart.get(), renew)):
        yield
