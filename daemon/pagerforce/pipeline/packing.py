"""Pure: how waiting actions of different links are combined into attempts.

Some requests can carry the actions of many links, which saves an org's daily calls in a burst. If
few actions wait, each goes out at once and alone, so that no failure delays another action. Actions
that had to wait go out together.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from pagerforce.model.action import ActionSpec
from pagerforce.model.outbox import Action

_LARGE = 25
"""A batch of this size shows a burst, even if a request could carry more."""


class Packed(Protocol):
    """An item to combine: its kind, since when it waits, and whether it failed before."""

    @property
    def do(self) -> str:
        """The action's word."""
        ...

    @property
    def waits_since(self) -> datetime:
        """When its oldest action was decided."""
        ...

    @property
    def goes_alone(self) -> bool:
        """Whether it must not be combined with others."""
        ...


P = TypeVar("P", bound=Packed)


class Carriage(Struct, frozen=True):
    """Requests that carry several of a kind.

    Attributes:
        size: how many one request can carry.
        patience: how long after a large batch a smaller one waits to be filled.
    """

    size: int = 1
    patience: timedelta = timedelta(0)

    @classmethod
    def of(cls, spec: ActionSpec) -> "Carriage":
        """The values of an action's spec."""
        return cls(spec.batch_size, timedelta(seconds=spec.patience_seconds))


_ALONE = Carriage()


@dataclass(slots=True)
class Packing(Generic[P]):
    """Fills up to ``slots`` attempts.

    Args:
        slots: how many attempts may start.
        carriages: per kind; actions of other kinds go alone.
        full_at: per kind, when a large batch last went out; it is updated here.
        is_crowded: a burst is being read, and more will follow.
    """

    slots: int
    carriages: Mapping[str, Carriage]
    full_at: dict[str, datetime] = field(default_factory=dict)
    is_crowded: bool = False
    _alone: list[P] = field(default_factory=list)
    _groups: dict[str, list[P]] = field(default_factory=dict)

    def keeps_back(self, do: str, waits_since: Sequence[datetime], now: datetime) -> bool:
        """Whether no action of a kind would go now, if these are all that can go together.

        This avoids preparing actions repeatedly while they wait for others.
        """
        is_small = len(waits_since) < self._size(do)
        return is_small and self.is_crowded and self._are_recent(do, waits_since, now)

    def kept_back(self, heads: Sequence[Action], now: datetime) -> frozenset[str]:
        """Ids of the first actions of lanes that must wait for others anyway."""
        together: dict[str, list[Action]] = defaultdict(list)
        for head in heads:
            if not head.goes_alone:
                together[head.do].append(head)
        return frozenset(
            head.id
            for do, group in together.items()
            if self.keeps_back(do, [head.created_at for head in group], now)
            for head in group
        )

    def has_room(self, do: str, *, alone: bool = False) -> bool:
        """Whether one more of this kind can go."""
        group = () if alone else self._groups.get(do, ())
        is_begun = len(group) % self._size(do) != 0
        return is_begun or self._used() < self.slots

    def add(self, item: P) -> None:
        """Adds an item to the others of its kind."""
        if item.goes_alone or self._size(item.do) == 1:
            self._alone.append(item)
        else:
            self._groups.setdefault(item.do, []).append(item)

    def batches(self, now: datetime) -> Sequence[Sequence[P]]:
        """The attempts that go out now: one per item if there are enough slots, else batches."""
        is_little = len(self._alone) + sum(map(len, self._groups.values())) <= self.slots
        batches = [[item] for item in self._alone]
        for do, group in self._groups.items():
            is_fresh = self._are_recent(do, [item.waits_since for item in group], now)
            if is_little and is_fresh and not self._is_burst(do, now):
                batches += [[item] for item in group]
            else:
                batches += self._cut(do, group, now)
        return batches

    def _cut(self, do: str, group: Sequence[P], now: datetime) -> list[list[P]]:
        size = self._size(do)
        cut = [list(group[start : start + size]) for start in range(0, len(group), size)]
        if len(group) >= size:
            self.full_at[do] = now
        is_fresh = self._are_recent(do, [item.waits_since for item in cut[-1]], now)
        if len(cut[-1]) < size and is_fresh and self._is_burst(do, now):
            cut.pop()
        elif len(group) >= _LARGE:
            self.full_at[do] = now
        return cut

    def _is_burst(self, do: str, now: datetime) -> bool:
        full_at = self.full_at.get(do)
        return self.is_crowded or (full_at is not None and self._are_recent(do, [full_at], now))

    def _used(self) -> int:
        batches = sum(-(-len(group) // self._size(do)) for do, group in self._groups.items())
        return len(self._alone) + batches

    def _size(self, do: str) -> int:
        return self.carriages.get(do, _ALONE).size

    def _are_recent(self, do: str, times: Sequence[datetime], now: datetime) -> bool:
        """Whether times are recent. A future one is from before this host's clock was set back."""
        patience = self.carriages.get(do, _ALONE).patience
        return all(timedelta(0) <= now - at < patience for at in times)
