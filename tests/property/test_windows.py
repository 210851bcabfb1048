"""Laws of cutting PagerDuty's log into windows."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pagerforce.pagerduty.client import MAX_DEPTH
from pagerforce.pagerduty.cutting import Cutting, Sample
from pagerforce.pagerduty.entries import WANTED_ENTRIES
from pagerforce.pagerduty.windows import MAX_SPAN, SECOND, SHORT_SPAN, Window, overall_window
from property.strategies import T0, moments

samples = st.builds(
    lambda times, deeper, fewer: (times, sorted(deeper), fewer),
    st.lists(st.integers(-2, 10**6), max_size=20),
    st.lists(st.tuples(st.integers(1, 9999), st.integers(-2, 10**6)), max_size=3),
    st.none() | st.integers(0, 9999),
)
outcomes = st.none() | samples


@given(
    moments, st.integers(0, 10**7), st.integers(0, 3600), st.lists(outcomes, min_size=1, max_size=9)
)
def test_windows_leave_no_gap_and_come_to_an_end(since, ahead, overlap, found):
    """Whatever the API returns: rows of any time and in any order, or none."""
    now = since + timedelta(seconds=ahead, microseconds=7)
    whole = overall_window(since, now, timedelta(seconds=overlap))
    assert whole.start <= since - timedelta(seconds=overlap)
    assert whole.holds(now)
    cutting = Cutting(whole, WANTED_ENTRIES, MAX_DEPTH)
    start, rounds, failed = whole.start, 0, None
    while (window := cutting.next()) is not None and rounds < 100:
        assert whole.start <= window.start == start < window.end <= whole.end
        assert window.span <= MAX_SPAN
        assert window.span % SECOND == timedelta(0)
        if failed is not None:
            assert window.span < failed.span
        outcome, rounds = found[rounds % len(found)], rounds + 1
        if outcome is None or window.span == SECOND:
            cutting.completed(window, [window.start] * (rounds % 7))
            start, failed = window.end, None
        else:
            cutting.given_up(window, _sample(window, *outcome))
            failed = window
    assert rounds == 100 or start == whole.end


def _sample(window: Window, times, deeper, fewer) -> Sample:
    def inside(offset: int) -> datetime:
        return window.start + timedelta(seconds=offset % int(window.span / SECOND))

    return Sample([inside(x) for x in times], [(rank, inside(x)) for rank, x in deeper], fewer)


@given(st.integers(2, 10**6), samples)
def test_a_window_that_always_has_too_much_ends_at_a_second(span, sample):
    whole = Window(T0, T0 + timedelta(seconds=span))
    cutting = Cutting(whole, WANTED_ENTRIES, MAX_DEPTH)
    for _ in range(25):
        window = cutting.next()
        if window.span == SECOND:
            return
        cutting.given_up(window, _sample(window, *sample))
    raise AssertionError("it does not end")


@given(st.integers(0, 2000), st.integers(4, 10**6))
def test_the_next_window_is_as_long_as_the_density_of_the_last_suggests(count, seconds):
    cutting = Cutting(Window(T0, T0 + timedelta(days=90)), WANTED_ENTRIES, MAX_DEPTH)
    last = Window(T0, T0 + timedelta(seconds=seconds))
    cutting.completed(last, [T0] * count)
    following = cutting.next()
    expected = count * (following.span / last.span)
    assert following.span <= 8 * last.span
    assert expected <= WANTED_ENTRIES or following.span == SHORT_SPAN
    if count < WANTED_ENTRIES and seconds > 3600:
        assert expected >= 0.9 * WANTED_ENTRIES or following.span in (8 * last.span, MAX_SPAN)
