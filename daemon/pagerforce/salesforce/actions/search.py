"""What an attempt left whose answer was lost: the one place where that is looked for.

**Theory.** The org stores what it likes: flows rewrite texts and raise priorities, fields trim, round,
escape and sort. So a row is not recognised by what was sent. What no automation alters is: *who* made it
(our user), *when* (the attempts' time), *of which object*, and a comment's *parent*. Of the rows that
fit, those are dropped that other actions of ours made or that are linked. The number that is left says
what happened:

* none: the attempt had no effect, and it is made again;
* one, which bears a trace of what was sent: it is ours, whatever else became of its values;
* several, of which one bears more traces than the others: it is that one. Traces
  (``model.sameness.likeness``) only ever decide *between* rows, and between us and other actions whose
  answers were lost as well: a row that looks more like another's is not ours;
* anything else is a **doubt**: rows that bear no trace (a person who works under our account? a flow that
  left nothing of the text?), or rows that look as much like one attempt as like another. Nothing is sent
  then: the action ends as a dead letter that names the rows and what to do.

**Time.** Attempts are noted in this host's clock; the server's is known from its answers. Rows without a
trace count only from seconds before an attempt to minutes after it, and only if no poll had read them
before the first attempt began. Rows with one count from an hour before the event on, so that a clock
that was set meanwhile makes no double.

An external id needs none of this: the server itself refuses a second row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from pagerforce.model.action import Task, Tried
from pagerforce.model.durations import SIDES_APART
from pagerforce.model.ids import RecordId
from pagerforce.model.parts import is_piece, number_of
from pagerforce.model.sameness import Likeness, is_telling, likeness
from pagerforce.model.value import Fields, Scalar
from pagerforce.model.verdict import Rejected

_BEFORE = timedelta(seconds=10)  # whole seconds, and how far clocks of one side may differ
_AFTER = timedelta(minutes=5)  # a request may have waited at the server
_ENDED = timedelta(seconds=2)  # an answered one has ended; both clocks are known to whole seconds
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Window:
    """When rows of earlier attempts may have been made, in Salesforce's clock.

    Attributes:
        since: not before then.
        spans: about the attempts whose outcome is unknown; none: no attempt is remembered.
    """

    since: datetime
    spans: tuple[tuple[datetime, datetime], ...]

    def is_close(self, created_at: datetime) -> bool:
        """Whether a row was made about the time of an attempt."""
        return _is_within(created_at, self.spans)


def window_of(task: Task, server_now: datetime) -> Window:
    """The window of a task; ``server_now`` is Salesforce's clock at the task's ``now``."""
    spans = _spans(task.tried, server_now - task.now)
    starts = [start for start, _ in spans]
    return Window(min([task.earliest_doing_at - SIDES_APART, *starts]), spans)


def _is_within(at: datetime, spans: Sequence[tuple[datetime, datetime]]) -> bool:
    return any(start <= at <= end for start, end in spans)


def _spans(tried: Iterable[Tried], ahead: timedelta) -> tuple[tuple[datetime, datetime], ...]:
    return tuple(
        (
            one.began + ahead - _BEFORE,
            (one.began + _AFTER if one.ended is None else one.ended + _ENDED) + ahead,
        )
        for one in tried
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A row of our user that no other action is known to have made.

    ``is_close``: made about the time of an attempt of ours, and seen by no poll before. ``may_be``: the
    rivals, by their places in ``Sent.rivals``, about the time of whose attempts it was made.
    """

    id: RecordId
    values: Fields
    is_close: bool = True
    may_be: frozenset[int] = frozenset()


class Found(Enum):
    """What the rows say."""

    NOTHING = auto()
    OURS = auto()
    DOUBT = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: our row, or the rows that leave a doubt."""

    what: Found
    ids: tuple[RecordId, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class _Score:
    """How much a row looks like what was sent: by texts that are not met by chance, then by all."""

    telling: int
    all: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What a record was given.

    Attributes:
        prose: the fields that hold free text: what stands there is not met by chance.
        rivals: what other records were given whose answers were lost as well.
    """

    values: Fields
    prose: frozenset[str]
    rivals: Sequence[Fields] = ()

    def score(self, row: Row, values: Fields | None = None) -> _Score:
        """How much a row looks like this; ``values``: like a rival's."""
        values = self.values if values is None else values
        found = {name: likeness(value, row.values.get(name)) for name, value in values.items()}
        telling = sum(found[name] for name in found.keys() & self.prose if is_telling(values[name]))
        return _Score(telling, sum(found.values()))

    def others(self) -> list[Fields]:
        """Rivals that can be told from this by their texts; the rest may have each other's row."""
        return [x for x in self.rivals if any(x.get(k) != self.values.get(k) for k in self.prose)]


def find_record(rows: Sequence[Row], sent: Sent) -> Finding:
    """Which of these rows, oldest first, an attempt made. Pure."""
    alike = [row for row in rows if _is_all_there(sent.values, row)]
    if alike:  # one that another attempt made with the very same values serves as well
        return Finding(Found.OURS, (alike[0].id,))
    others = sent.others()
    scored = [(sent.score(row), row) for row in rows]
    mine = [
        (score, row)
        for score, row in scored
        if all(sent.score(row, rival).telling <= score.telling for rival in others)
    ]
    best = max((score for score, _ in mine), default=_Score(0, 0))
    if best.telling:
        first = [row for score, row in mine if score == best]
        is_shared = any(sent.score(first[0], x).telling >= best.telling for x in others)
        what = Found.DOUBT if len(first) > 1 or is_shared else Found.OURS
        return Finding(what, tuple(row.id for row in first))
    close = [row for _, row in mine if row.is_close]
    if not close:
        return Finding(Found.NOTHING)
    is_only = len(close) == 1 and not close[0].may_be and sent.score(close[0]).all > 0
    return Finding(Found.OURS if is_only else Found.DOUBT, tuple(row.id for row in close))


def _is_all_there(sent: Fields, row: Row) -> bool:
    """Whether every value stands, but for rounding."""
    return bool(sent) and all(
        found is Likeness.SAME or (found is Likeness.AKIN and isinstance(value, int | float))
        for value, found in ((v, likeness(v, row.values.get(k))) for k, v in sent.items())
    )


@dataclass(slots=True)
class Comments:
    """Comments of our user under a record that may be parts of one text.

    Attributes:
        rows: not taken for a part yet, oldest first; their text is ``values["body"]``.
        text: all that was to be said.
    """

    rows: list[Row]
    text: str
    taken: dict[str, RecordId] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Row], text: str, bodies: Sequence[str]) -> "Comments":
        """The rows, of which those are taken that are these parts."""
        found = cls(list(rows), text)
        for wanted in (Likeness.SAME, Likeness.AKIN):
            for body in bodies:
                if body not in found.taken:
                    found._take(body, wanted)
        return found

    def take(self, body: str) -> RecordId | None:
        """The comment that is this part; None: there is none."""
        if body not in self.taken and not self._take(body, Likeness.SAME):
            self._take(body, Likeness.AKIN)
        return self.taken.pop(body, None)

    def _take(self, body: str, wanted: Likeness) -> bool:
        for row in self.rows:
            stored = row.values.get("body")
            if likeness(body, stored, may_be_cut=False) is wanted and _has_number(body, stored):
                self.rows.remove(row)
                self.taken[body] = row.id
                return True
        return False

    def strangers(self) -> list[Row]:
        """Comments of the attempts' time that are no part of the text: what they are is not known."""
        return [
            row
            for row in self.rows
            if row.is_close and not is_piece(str(row.values.get("body")), self.text)
        ]


def _has_number(body: str, stored: Scalar) -> bool:
    """Whether a comment bears the number of a part; a smaller part's text may stand in a larger one."""
    number = number_of(body)
    return not number or number in f"{stored} "


def doubt(what: str, ids: Sequence[RecordId], *, remedy: str) -> Rejected:
    """The end of an action of which nobody can tell whether it took effect."""
    named = ", ".join(ids[:_MOST_NAMED]) + (", ..." if len(ids) > _MOST_NAMED else "")
    return Rejected(
        f"in doubt: the answer to an earlier attempt was lost, and whether it took effect can't be told: "
        f"{len(ids)} {what} of our user from that time may be it, or another attempt's, or a person's who "
        f"uses our account ({named}). Nothing was sent again. Look at them: {remedy}. If none of them is "
        "it, `pagerforce failed retry` sends it without looking again",
        is_doubt=True,
    )


@dataclass(frozen=True, slots=True)
class Rivals:
    """Other lost records of this object.

    Attributes:
        values: what each was given, as far as it is plain values.
        spans: about the times of its attempts, in Salesforce's clock.
    """

    values: tuple[Fields, ...]
    spans: tuple[tuple[tuple[datetime, datetime], ...], ...]

    @classmethod
    def of(cls, task: Task, object_name: str, server_now: datetime) -> "Rivals":
        """The rivals of a task that make records of this object."""
        found = [
            (_plain(fields), _spans(rival.tried, server_now - task.now))
            for rival in task.rivals
            if rival.call.get("object", object_name) == object_name
            and isinstance(fields := rival.call.get("fields"), Mapping)
        ]
        return cls(tuple(values for values, _ in found), tuple(spans for _, spans in found))

    def about(self, created_at: datetime) -> frozenset[int]:
        """The places of those that may have made a row of this moment."""
        return frozenset(
            place for place, spans in enumerate(self.spans) if _is_within(created_at, spans)
        )


def _plain(fields: Mapping[str, object]) -> dict[str, Scalar]:
    return {
        str(name): value
        for name, value in fields.items()
        if value is None or isinstance(value, str | int | float | bool)
    }
