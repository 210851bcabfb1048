"""The expectations while a batch is examined, each with the number of matches that it has left."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from pagerforce.model.expectation import Expectation, subject_of
from pagerforce.model.ids import IncidentId, RecordId


class Expected(Struct, frozen=True):
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


class Cause(Struct, frozen=True):
    """What an action was decided for: its object, and the record or incident of its event."""

    object: str
    record_id: RecordId | None
    incident_id: IncidentId | None


@dataclass(slots=True)
class Waiting:
    """Expectations about the subjects of a batch.

    A burst has thousands of rows and as many expectations. So each row finds its own by an index.

    Attributes:
        expected: in the order of trying.
        causes: the causes of their actions, by action id.
    """

    expected: Sequence[Expected] = ()
    causes: Mapping[str, Cause] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    _by_action: Mapping[str, Sequence[int]] = field(init=False, repr=False, compare=False)
    _by_subject: Mapping[str, Sequence[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._by_action = _places(item.action_id for item in self.expected)
        self._by_subject = _places(subject_of(item.what) for item in self.expected)

    def open(self, among: Collection[str] | None = None) -> list[Expected]:
        """The expectations that have a match left; ``among``: of these actions only."""
        if among is None:
            return list(self._open(range(len(self.expected))))
        places = (self._by_action.get(action_id, ()) for action_id in set(among))
        return list(self._open(sorted(place for some in places for place in some)))

    def about(self, subject: str) -> list[Expected]:
        """Those about one subject: an incident, a record, or new records of an object."""
        return list(self._open(self._by_subject.get(subject, ())))

    def _open(self, places: Iterable[int]) -> Iterator[Expected]:
        for place in places:
            item = self.expected[place]
            if item.remaining > self.used.get(item.seq, 0):
                yield item

    def use(self, item: Expected) -> None:
        """Counts one match of an expectation."""
        self.used[item.seq] = self.used.get(item.seq, 0) + 1

    def seen(self) -> list[int]:
        """The numbers of the matched expectations, once for each match."""
        return [seq for seq, times in self.used.items() for _ in range(times)]

    def records(self) -> set[RecordId]:
        """The records that the actions were decided for."""
        return {cause.record_id for cause in self.causes.values() if cause.record_id}


def _places(keys: Iterable[str]) -> Mapping[str, Sequence[int]]:
    """Where each key is in a sequence."""
    found: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return found
