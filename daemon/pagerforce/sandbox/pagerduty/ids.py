"""Ids like PagerDuty's: opaque and unordered.

They are derived from a counter, so that the same story gets the same ids every time, and hashed, so
that nobody relies on an order that the real ids do not have.
"""

import base64
import hashlib
from collections import Counter

_SHAPES = {"incident": ("Q", 14), "alert": ("Q", 14), "entry": ("R", 14)}
_SHORT = ("P", 7)


class IdMaker:
    """Creates ids that start with P, Q or R. Fact: ``pagerduty.ids-without-order``."""

    def __init__(self) -> None:
        self._made: Counter[str] = Counter()

    def make(self, kind: str) -> str:
        """The next id of a kind, e.g. ``incident``, ``entry``, ``note``."""
        self._made[kind] += 1
        prefix, length = _SHAPES.get(kind, _SHORT)
        return prefix + self._letters(kind)[: length - 1]

    def make_key(self, kind: str) -> str:
        """A longer key in hexadecimal, e.g. an incident key or a request id."""
        self._made[kind] += 1
        return self._digest(kind).hex()[:32]

    def number(self, kind: str) -> int:
        """The next number of a kind, counting from 1."""
        self._made[kind] += 1
        return self._made[kind]

    def _letters(self, kind: str) -> str:
        return base64.b32encode(self._digest(kind)).decode("ascii")

    def _digest(self, kind: str) -> bytes:
        return hashlib.sha256(f"{kind} {self._made[kind]}".encode()).digest()
