"""Keeps what was made of texts, up to a weight of all together."""

from threading import Lock
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Shelf(Generic[Made]):
    """What was made of each text; what came first makes room. Threads may share it.

    Args:
        most: the weight of everything together, so that few heavy things are held as few.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._made: dict[str, tuple[Made, int]] = {}
        self._lock = Lock()

    def find(self, text: str) -> Made | None:
        """What was made of a text, if it is still here."""
        found = self._made.get(text)
        return None if found is None else found[0]

    def put(self, text: str, made: Made, *, weight: int) -> None:
        """Keeps what was made of a text."""
        with self._lock:
            self._weight += weight - self._made.pop(text, (made, 0))[1]
            self._made[text] = (made, weight)
            while self._weight > self._most:
                _, gone = self._made.pop(next(iter(self._made)))
                self._weight -= gone
