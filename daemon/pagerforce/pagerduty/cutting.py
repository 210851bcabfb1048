"""Decides where a range of PagerDuty's log is cut into windows, so that few rows are read twice. Pure.

A window with too many rows is given up, and its pages are read again. So each cut uses what is
known: how dense the window before was, and which rows a given-up window has shown. A wrong guess
costs requests and never an entry, because the windows always cover the range without a gap.
Fact: ``pagerduty.pages-of-hundred``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.pagerduty.windows import MAX_SPAN, SECOND, SHORT_SPAN, Window, whole_seconds

_MOST_TIMES_WIDER = 8  # a dense period may follow a quiet one
_FILL = 0.98
"""The part of the wanted rows that a window is cut for: full pages, and none for a few rows more."""

_BURST = 8
"""Rows this many times as dense as the window before are a burst: before it may be quiet."""

_BORDER = 2
"""A window ends where known rows begin that are this many times as dense as presumed ones."""

_DENSE_SECOND = 0.1
"""A second with this part of the wanted rows stays out of the window that ends before it."""

_REFUSABLE = timedelta(days=1)


class Sample(Struct, frozen=True):
    """The rows of a window that were seen before it was given up.

    Attributes:
        times: of the rows read, contiguous from one end of the window.
        deeper: single rows further from that end: how many rows are before each, and its time.
        fewer_than: the window has fewer rows than this; None: not known.
    """

    times: Sequence[datetime] = ()
    deeper: Sequence[tuple[int, datetime]] = ()
    fewer_than: int | None = None


class _Stretch(Struct, frozen=True):
    """A part of the range in whole seconds, with its rows.

    ``is_presumed``: they were not seen. ``rows`` is then the maximum, or what is most likely.
    """

    start: datetime
    end: datetime
    rows: float
    is_presumed: bool = False

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / ((self.end - self.start) / SECOND)

    def since(self, moment: datetime) -> "_Stretch":
        """The part from this moment on, just as dense."""
        start = max(self.start, moment)
        return replace(self, start=start, rows=self.rate * ((self.end - start) / SECOND))


def expected_rows(window: Window, sample: Sample) -> float:
    """How many rows a window has, if the rest is as dense as the rows seen so far."""
    if not sample.times:
        return 0.0
    pieces = _pieces(sample)
    covered = pieces[-1].end - pieces[0].start
    return sum(piece.rows for piece in pieces) * max(window.span / covered, 1.0)


@dataclass(slots=True)
class Cutting:
    """Cuts a range into windows, oldest first.

    Ask for the ``next`` window, read it, and report that it is ``completed`` or ``given_up``. After
    the second failure at the same start, each window has at most half the length of the one before.

    Attributes:
        whole: the range.
        wanted: how many rows a window should have.
        depth: how many rows a list can have. A short window may have as many.
    """

    whole: Window
    wanted: int
    depth: int
    _start: datetime = field(init=False)
    _rate: float | None = None  # of the rows around the start, as far as is known
    _reach: timedelta = MAX_SPAN  # how far presumed rows may be relied on
    _most: timedelta = MAX_SPAN  # how long the next window may be
    _longest: timedelta = MAX_SPAN  # how long any window may be
    _failures: int = 0  # at this start
    _known: list[_Stretch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._start = self.whole.start

    def next(self) -> Window | None:
        """The window to read now; None at the end of the range."""
        if self._start >= self.whole.end:
            return None
        longest = max(min(self._most, self._longest), SECOND)
        end = self._end_before_dense_rows() or max(self._full_end(), self._start + self._least())
        return Window(self._start, min(end, self._start + longest, self.whole.end))

    def completed(self, window: Window, times: Sequence[datetime]) -> None:
        """The window was read whole: the next begins at its end.

        Args:
            window: the window.
            times: of its entries.
        """
        self._start = window.end
        self._failures = 0
        self._rate = len(times) / (window.span / SECOND)
        self._reach = min(window.span * _MOST_TIMES_WIDER, MAX_SPAN)
        self._most = MAX_SPAN
        ahead = [piece for piece in self._known if piece.end > window.end]
        self._known = [_without(piece, window, times) for piece in ahead]

    def given_up(self, window: Window, sample: Sample) -> None:
        """The window had too many rows: the next has the same start and is shorter."""
        half = whole_seconds(window.span / 2)
        self._failures += 1
        if not sample.times:
            # PagerDuty refused so long a range, or only the seconds around the window were seen.
            self._most = self._reach = half
            if window.span > _REFUSABLE:
                self._longest = half
            return
        self._most = self._reach = window.span - SECOND if self._failures == 1 else half
        pieces = _pieces(sample)
        later = [piece.since(window.end) for piece in self._known if piece.end > window.end]
        is_bounded = sample.fewer_than is not None
        is_burst = self._rate is not None and pieces[0].rate > _BURST * self._rate
        if not (is_burst and is_bounded):
            self._rate = pieces[0].rate
        if sample.fewer_than is not None and pieces[0].start > window.start:
            most = max(sample.fewer_than - sum(piece.rows for piece in pieces), 0.0)
            pieces.insert(0, _Stretch(window.start, pieces[0].start, most, is_presumed=True))
        self._known = pieces + later

    def _least(self) -> timedelta:
        """Short windows are read whole, unless they have more rows than a list can have."""
        ahead = self._ahead(self._start + SHORT_SPAN)
        return SHORT_SPAN if sum(piece.rows for piece in ahead) < self.depth else SECOND

    def _full_end(self) -> datetime:
        """The end of a window with the wanted rows, as far as is known.

        A request also returns the seconds before and after its window.
        """
        left = self.wanted * _FILL
        end = self._start
        for piece in self._ahead(self._start + self._longest):
            if end == self._start:
                left -= piece.rate
            if left < piece.rows + piece.rate:
                return end + whole_seconds(SECOND * max(left / piece.rate - 1, 0.0))
            left -= piece.rows
            end = piece.end
        return end

    def _end_before_dense_rows(self) -> datetime | None:
        """The end of the presumed rows ahead, if the known rows after them are a lot denser.

        The presumption may be wrong, and then the window would have too many rows again.
        """
        full = self._full_end()
        before: _Stretch | None = None
        for piece in self._ahead(self._start + self._longest):
            if before is not None and before.is_presumed and not piece.is_presumed:
                is_dense = piece.rate > self.wanted * _DENSE_SECOND
                border = piece.start - SECOND if is_dense else piece.start
                if piece.rate > _BORDER * before.rate and self._start < border <= full:
                    return border
            before = piece
        return None

    def _ahead(self, limit: datetime) -> Iterator[_Stretch]:
        """The stretches from the start on, known or presumed, up to a limit."""
        at, reach = self._start, self._start + self._reach
        limit = min(limit, self.whole.end)
        presumed = self._rate or 0.0
        for piece in [*self._known, _Stretch(self.whole.end, self.whole.end + SECOND, 0.0)]:
            for start, end, rate, is_presumed in (
                (at, piece.start, presumed, True),
                (
                    piece.start,
                    piece.end,
                    min(presumed, piece.rate) if piece.is_presumed else piece.rate,
                    piece.is_presumed,
                ),
            ):
                stop = min(end, limit, reach) if is_presumed else min(end, limit)
                if stop > start:
                    rows = rate * ((stop - start) / SECOND)
                    yield _Stretch(start, stop, rows, is_presumed)
                if stop < end:
                    return
            at = piece.end
            reach = max(reach, at)


def _pieces(sample: Sample) -> list[_Stretch]:
    """The rows seen, and those between them, as stretches that follow each other."""
    pieces = [_Stretch(min(sample.times), max(sample.times) + SECOND, len(sample.times))]
    before = len(sample.times)
    for rank, at in sample.deeper:
        rows = max(rank - before, 0)
        first, last = pieces[0], pieces[-1]
        if at < first.start:
            pieces.insert(0, _Stretch(at, first.start, rows))
        elif at >= last.end:
            pieces.append(_Stretch(last.end, at + SECOND, rows))
        else:  # all in the last second seen
            pieces[0] = replace(first, rows=first.rows + rows)
        before = rank
    return pieces


def _without(piece: _Stretch, window: Window, times: Sequence[datetime]) -> _Stretch:
    """The rest of a stretch after a window with these entries."""
    if piece.start >= window.end:
        return piece
    read = sum(at >= piece.start for at in times)
    return replace(piece, start=window.end, rows=max(piece.rows - read, 0.0))
