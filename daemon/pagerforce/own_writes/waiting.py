"""The expectations while a batch is examined, each with the number of matches that it has left."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pagerforce.model.expectation import Expectation
from pagerforce.model.ids import IncidentId, RecordId


@dataclass(frozen=True, slots=True)
class Expected:
    """A stored expectation.

    ``is_done``: its action is delivered; only the consequences are expected. ``is_under_way``: its
    action waits or is being attempted.
    """

    seq: int
    action_id: str
    remaining: int
    what: Expectation
    is_done: bool = False
    is_under_way: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """What an action was decided for: its object, and the record or incident of its event."""

    object: str
    record_id: RecordId | None
    incident_id: IncidentId | None


@dataclass(slots=True)
class Waiting:
    """Expectations about the subjects of a batch.

    ``causes``: the causes of their actions, by action id.
    """

    expected: Sequence[Expected] = ()
    causes: Mapping[str, Cause] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)

    def open(self, among: Collection[str] | None = None) -> list[Expected]:
        """The expectations that have a match left; ``among``: of these actions only."""
        return [
            item
            for item in self.expected
            if item.remaining > self.used.get(item.seq, 0)
            and (among is None or item.action_id in among)
        ]

    def use(self, item: Expected) -> None:
        """Counts one match of an expectation."""
        self.used[item.seq] = self.used.get(item.seq, 0) + 1

    def seen(self) -> list[int]:
        """The numbers of the matched expectations, once for each match."""
        return [seq for seq, times in self.used.items() for _ in range(times)]

    def records(self) -> set[RecordId]:
        """The records that the actions were decided for."""
        return {cause.record_id for cause in self.causes.values() if cause.record_id}
