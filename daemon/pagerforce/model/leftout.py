"""Columns and objects that cannot be read at present."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct


class LeftOut(Struct, frozen=True):
    """Something that is not read. ``why``: the org's words; ``since``: by the org's clock."""

    why: str
    since: datetime


class NotRead(Struct, frozen=True):
    """What is not read at present. Immutable: a change creates a new one.

    Attributes:
        columns: object or comment object -> field or parent path -> why.
        halted: unreadable objects and comment objects -> why.
    """

    columns: Mapping[str, Mapping[str, LeftOut]] = msgspec.field(default_factory=dict)
    halted: Mapping[str, LeftOut] = msgspec.field(default_factory=dict)

    def columns_of(self, name: str) -> frozenset[str]:
        """The columns of an object or comment object that queries leave out."""
        return frozenset(self.columns.get(name, ()))


ALL_READ = NotRead()
