"""Limits the log: lines of each kind per minute, and bytes in total.

The first lines of a kind always appear. Left-out lines are counted, and ``log_limited`` reports
them at the end of the minute: the number of lines per event. A kind is an event with its level, its
part and its subject (``source``, ``reason`` and the like), so that one failing thing hides no
other. The number of kinds is limited too; all further kinds share one.
"""

import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping

import msgspec
from msgspec import Struct

WINDOW_SECONDS = 60.0
LONGEST_VALUE = 1000
"""Characters of one value of a line."""
LONGEST_LIST = 100
LONGEST_TEXT = 6000
"""Characters of a library's line, or of an exception."""

_LINES = 120
_OWN_WORK_LINES = 6000
_STRANGERS_LINES = 30
LINES: Mapping[str, int] = {
    "action": _OWN_WORK_LINES,
    "event": _OWN_WORK_LINES,
    "descriptors_short": 1,
    "refused": _STRANGERS_LINES,
}
"""Lines per minute of one kind, if not ``_LINES``: many for own work, few for strangers."""
LIBRARY_LINES = 20
NOT_WRITTEN = "(lines that could not be written)"
_KINDS_SHARE = 4
_KINDS_PER_EVENT = 20
_KINDS = 500
_ALWAYS = 2
"""Lines of each kind per minute that appear whatever the number of bytes."""
_BYTES = 8 * 1024 * 1024
_BYTES_BELOW_WARNING = 6 * 1024 * 1024
_ABOUT = ("source", "side", "where", "object", "lane", "reason")
_WARNING = 30


class _Count(Struct):
    lines: int = 0
    left_out: int = 0


class LeftOut(Struct, frozen=True):
    """This many lines of an event were left out since ``since`` (monotonic)."""

    what: str
    lines: int
    seconds: float


class Limits(Struct):
    """The lines of the current minute. ``monotonic``: seconds of a clock."""

    monotonic: Callable[[], float] = time.monotonic
    window_seconds: float = WINDOW_SECONDS
    _began: float | None = None
    _bytes: int = 0
    _kinds: dict[tuple[str, Hashable], _Count] = msgspec.field(default_factory=dict)
    _per_event: dict[str, _Count] = msgspec.field(default_factory=dict)
    _lock: threading.Lock = msgspec.field(default_factory=threading.Lock)

    def admits(self, event: str, about: Hashable, most: int, *, level: int, size: int) -> bool:
        """Whether one more line of this kind is written.

        Args:
            event: the event, or the name of a library's logger.
            about: the rest of the kind.
            most: lines of this kind per minute.
            level: of ``logging``.
            size: approximate bytes of the line.
        """
        with self._lock:
            if self._began is None:
                self._began = self.monotonic()
            of_event, kind = self._counts(event, about)
            # Each new reason gets its lines, but all kinds of an event together at most a multiple.
            is_free = kind.lines < most and of_event.lines < _KINDS_SHARE * most
            budget = _BYTES if level >= _WARNING else _BYTES_BELOW_WARNING
            if not is_free or (kind.lines >= _ALWAYS and self._bytes + size > budget):
                of_event.left_out += 1
                return False
            kind.lines += 1
            of_event.lines += 1
            self._bytes += size
            return True

    def lose(self) -> None:
        """A line could not be written: the disk is full, or nobody reads the log."""
        with self._lock:
            if self._began is None:
                self._began = self.monotonic()
            self._counts(NOT_WRITTEN, None)[0].left_out += 1

    def _counts(self, event: str, about: Hashable) -> tuple[_Count, _Count]:
        if event not in self._per_event and len(self._per_event) >= _KINDS:
            event, about = "others", None
        of_event = self._per_event.setdefault(event, _Count())
        key = (event, about)
        if key not in self._kinds and (
            len(self._kinds) >= _KINDS
            or sum(1 for name, _ in self._kinds if name == event) >= _KINDS_PER_EVENT
        ):
            key = (event, None)
        return of_event, self._kinds.setdefault(key, _Count())

    def is_over(self) -> bool:
        """Whether the minute is over."""
        return self._began is not None and self.monotonic() - self._began >= self.window_seconds

    def begin_again(self) -> list[LeftOut]:
        """Ends the minute, and returns what was left out of it."""
        with self._lock:
            if self._began is None:
                return []
            seconds = self.monotonic() - self._began
            found = [
                LeftOut(event, count.left_out, seconds)
                for event, count in self._per_event.items()
                if count.left_out
            ]
            self._began, self._bytes = None, 0
            self._kinds.clear()
            self._per_event.clear()
            return found


def about_of(event: Mapping[str, object]) -> tuple[object, ...]:
    """The values that distinguish kinds of lines of the same event."""
    return (
        event.get("level"),
        event.get("part"),
        *(hash(str(event[key])[:LONGEST_VALUE]) for key in _ABOUT if key in event),
    )


def most_of(event: str) -> int:
    """Lines per minute of one kind of this event."""
    return LINES.get(event, _LINES)


def cut(value: object) -> object:
    """A value within its limit; a shortened value says so."""
    if isinstance(value, str):
        return cut_text(value, LONGEST_VALUE)
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**30 else "(a number of more than 30 digits)"
    if isinstance(value, list | tuple | set | frozenset):
        return list(_cut_list(value))
    return cut_text(str(value), LONGEST_VALUE)


def _cut_list(values: Collection[object]) -> Iterator[object]:
    left = 4 * LONGEST_VALUE
    for number, value in enumerate(values):
        short = cut_text(str(value), 200)
        left -= len(short)
        if number >= LONGEST_LIST or left < 0:
            yield f"({len(values) - number} more)"
            return
        yield short


def cut_text(text: str, longest: int) -> str:
    """A text within its limit."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters)"
