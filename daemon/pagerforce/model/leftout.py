"""What of the objects can't be read at present: single columns, or a whole object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not read. ``why``: the org's words; ``since``: by the org's clock."""

    why: str
    since: datetime


@dataclass(frozen=True, slots=True)
class NotRead:
    """What is not read at present. Never changed: a new one takes its place.

    Attributes:
        columns: object or comment object -> field or parent path -> why.
        halted: objects and comment objects of which nothing can be read -> why.
    """

    columns: Mapping[str, Mapping[str, LeftOut]] = field(default_factory=dict)
    halted: Mapping[str, LeftOut] = field(default_factory=dict)

    def columns_of(self, name: str) -> frozenset[str]:
        """What is not asked for of an object or comment object."""
        return frozenset(self.columns.get(name, ()))


ALL_READ = NotRead()
