"""A cache for results made from texts, limited by their total weight."""

from threading import Lock
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Shelf(Generic[Made]):
    """Results by text; the oldest is removed first. Threads may share it.

    Args:
        most: the total weight of all results.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._made: dict[str, tuple[Made, int]] = {}
        self._lock = Lock()

    def find(self, text: str) -> Made | None:
        """The result for a text, if it is still cached."""
        found = self._made.get(text)
        return None if found is None else found[0]

    def put(self, text: str, made: Made, *, weight: int) -> None:
        """Caches the result for a text."""
        with self._lock:
            self._weight += weight - self._made.pop(text, (made, 0))[1]
            self._made[text] = (made, weight)
            while self._weight > self._most:
                _, gone = self._made.pop(next(iter(self._made)))
                self._weight -= gone
