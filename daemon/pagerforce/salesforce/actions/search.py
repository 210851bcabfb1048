"""Searches for the row of an attempt whose answer was lost; the only place that does so.

**Theory.** The org may change the values: flows rewrite texts and raise priorities, fields trim,
round, escape and sort. So the sent values do not identify a row. Automation never changes the
*creator* (the integration user), the *time* (of the attempts), the *object*, and a comment's
*parent*. From the rows that match, the search drops linked ones and those of pagerforce's other
actions. The number of the remaining rows gives the result:

* none: the attempt had no effect, and it is repeated;
* one with a trace of the sent values: it is the attempt's row, whatever its other values are;
* several, and one has more traces than the others: it is that one. Traces
  (``model.sameness.likeness``) only decide *between* rows, and between this and other actions whose
  answers were lost as well: a row that is more similar to another action belongs to that one;
* anything else is a **doubt**: rows without a trace (a person may use the integration user's
  account, or a flow may have replaced the whole text), or rows that are equally similar to two
  attempts. Then nothing is sent: the action ends as a dead letter that names the rows and gives
  advice.

**Time.** The times of attempts are in this host's clock, each with its difference to the server's,
which is known from answers: this host's clock may be set before the next attempt. Rows without a
trace count only from seconds before an attempt to minutes after it, and only if no poll had read
them before the first attempt began. Rows with a trace count from an hour before the event.

An external id needs no search: the server itself refuses a second row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

import msgspec
from msgspec import Struct

from pagerforce.model.action import Task, Tried
from pagerforce.model.durations import SIDES_APART
from pagerforce.model.ids import RecordId
from pagerforce.model.parts import is_piece, number_of
from pagerforce.model.sameness import Likeness, is_telling, likeness
from pagerforce.model.value import Fields, Scalar
from pagerforce.model.verdict import Rejected

_BEFORE = timedelta(seconds=10)  # whole seconds, and the difference between clocks of one side
_AFTER = timedelta(minutes=5)  # a request may have waited at the server
_ENDED = timedelta(seconds=2)  # an answered one has ended; its answer showed the server's clock
_MOST_NAMED = 5


class Window(Struct, frozen=True):
    """When rows of earlier attempts may have been created, in Salesforce's clock.

    Attributes:
        since: the earliest time.
        spans: the times around attempts with an unknown outcome; none: no attempt is known.
    """

    since: datetime
    spans: tuple[tuple[datetime, datetime], ...]

    def is_close(self, created_at: datetime) -> bool:
        """Whether a row was created near the time of an attempt."""
        return _is_within(created_at, self.spans)


def window_of(task: Task, server_now: datetime) -> Window:
    """The window of a task; ``server_now`` is Salesforce's clock at the task's ``now``."""
    spans = _spans(task.tried, server_now - task.now)
    starts = [start for start, _ in spans]
    return Window(min([task.earliest_doing_at - SIDES_APART, *starts]), spans)


def _is_within(at: datetime, spans: Sequence[tuple[datetime, datetime]]) -> bool:
    return any(start <= at <= end for start, end in spans)


def _spans(tried: Iterable[Tried], ahead: timedelta) -> tuple[tuple[datetime, datetime], ...]:
    """The times of attempts in the server's clock; ``ahead``: how far it is ahead of this host's now."""
    return tuple(
        (
            one.began + then - _BEFORE,
            (one.began + _AFTER if one.ended is None else one.ended + _ENDED) + then,
        )
        for one in tried
        for then in (ahead if one.ahead is None else one.ahead,)
    )


class Row(Struct, frozen=True):
    """A row of the integration user that belongs to no other known action.

    ``is_close``: created near the time of an attempt of this action, and not read by a poll before.
    ``may_be``: the rivals with an attempt near its creation, by their places in ``Sent.rivals``.
    """

    id: RecordId
    values: Fields
    is_close: bool = True
    may_be: frozenset[int] = frozenset()


class Found(Enum):
    """The result of a search."""

    NOTHING = auto()
    OURS = auto()
    DOUBT = auto()


class Finding(Struct, frozen=True):
    """The result of a search: the attempt's row, or the rows that leave a doubt."""

    what: Found
    ids: tuple[RecordId, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class _Score:
    """Similarity of a row to the sent values: by texts that never match by chance, then by all."""

    telling: int
    all: int


class Sent(Struct, frozen=True):
    """The values sent for a record.

    Attributes:
        prose: the fields with free text, whose values do not match by chance.
        rivals: the values of other records whose answers were lost as well.
    """

    values: Fields
    prose: frozenset[str]
    rivals: Sequence[Fields] = ()

    def score(self, row: Row, values: Fields | None = None) -> _Score:
        """How similar a row is to the sent values, or to a rival's ``values``."""
        values = self.values if values is None else values
        found = {name: likeness(value, row.values.get(name)) for name, value in values.items()}
        telling = sum(found[name] for name in found.keys() & self.prose if is_telling(values[name]))
        return _Score(telling, sum(found.values()))

    def others(self) -> list[Fields]:
        """The rivals with different texts; rows of the others are interchangeable with this one."""
        return [x for x in self.rivals if any(x.get(k) != self.values.get(k) for k in self.prose)]


def find_record(rows: Sequence[Row], sent: Sent) -> Finding:
    """Decides which of these rows, oldest first, an attempt created. Pure."""
    alike = [row for row in rows if _is_all_there(sent.values, row)]
    if alike:  # a row of another attempt with exactly the same values is equally good
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
    """Whether the row has every sent value, except for rounding."""
    return bool(sent) and all(
        found is Likeness.SAME or (found is Likeness.AKIN and isinstance(value, int | float))
        for value, found in ((v, likeness(v, row.values.get(k))) for k, v in sent.items())
    )


class Comments(Struct):
    """The integration user's comments on a record that may be parts of one text.

    Attributes:
        rows: comments not matched to a part yet, oldest first; their text is ``values["body"]``.
        text: the whole text.
        taken: part -> the comment matched to it.
    """

    rows: list[Row]
    text: str
    taken: dict[str, RecordId] = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Row], text: str, bodies: Sequence[str]) -> "Comments":
        """Builds it from rows, and matches them to these parts."""
        found = cls(list(rows), text)
        for wanted in (Likeness.SAME, Likeness.AKIN):
            for body in bodies:
                if body not in found.taken:
                    found._take(body, wanted)
        return found

    def take(self, body: str) -> RecordId | None:
        """The comment with this part; None if there is none."""
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
        """Comments near the time of the attempts that are no part of the text."""
        return [
            row
            for row in self.rows
            if row.is_close and not is_piece(str(row.values.get("body")), self.text)
        ]


def _has_number(body: str, stored: Scalar) -> bool:
    """Whether a comment has the number of a part; a smaller part's text may be in a larger one."""
    number = number_of(body)
    return not number or number in f"{stored} "


def doubt(what: str, ids: Sequence[RecordId], *, remedy: str) -> Rejected:
    """The verdict on an action in doubt."""
    named = ", ".join(ids[:_MOST_NAMED]) + (", ..." if len(ids) > _MOST_NAMED else "")
    return Rejected(
        "in doubt: the answer to an earlier attempt was lost, and it is unknown whether the attempt"
        f" took effect. {len(ids)} {what} from that time, created by the integration user, may be"
        " its result, or that of another attempt or of a person who uses the same account"
        f" ({named}). Nothing was sent again. Look at them: {remedy}. If none of them is its"
        " result, `pagerforce failed retry` sends it without another search",
        is_doubt=True,
    )


class Rivals(Struct, frozen=True):
    """Other new records of this object whose answers were lost.

    Attributes:
        values: the plain values sent for each.
        spans: the times around its attempts, in Salesforce's clock.
    """

    values: tuple[Fields, ...]
    spans: tuple[tuple[tuple[datetime, datetime], ...], ...]

    @classmethod
    def of(cls, task: Task, object_name: str, server_now: datetime) -> "Rivals":
        """The rivals of a task that create records of this object."""
        found = [
            (_plain(fields), _spans(rival.tried, server_now - task.now))
            for rival in task.rivals
            if rival.call.get("object", object_name) == object_name
            and isinstance(fields := rival.call.get("fields"), Mapping)
        ]
        return cls(tuple(values for values, _ in found), tuple(spans for _, spans in found))

    def about(self, created_at: datetime) -> frozenset[int]:
        """The places of the rivals that may have created a row at this time."""
        return frozenset(
            place for place, spans in enumerate(self.spans) if _is_within(created_at, spans)
        )


def _plain(fields: Mapping[str, object]) -> dict[str, Scalar]:
    return {
        str(name): value
        for name, value in fields.items()
        if value is None or isinstance(value, str | int | float | bool)
    }
