from datetime import UTC, datetime, timedelta

import pytest

from pagerforce.pipeline.pace import (
    Budget,
    EarlierPoll,
    LookBack,
    Sweep,
    low_water_every,
    next_delay,
)
from pagerforce.pipeline.settings import Pace

PACE = Pace(timedelta(seconds=15), timedelta(seconds=3), timedelta(minutes=15))
PLENTY = Budget(20_000, 86_400, 1)


def seconds(**values):
    wanted = {"is_busy": False, "failures": 0, "budget": PLENTY} | values
    return next_delay(PACE, **wanted).total_seconds()


def test_calm_and_busy_pace():
    assert seconds() == 15
    assert seconds(is_busy=True) == pytest.approx(86_400 / 20_000)
    assert seconds(is_busy=True, budget=Budget(None, 0, 1)) == 3


def test_a_failing_side_is_asked_ever_less_often_but_never_forgotten():
    waits = [seconds(failures=n) for n in range(1, 12)]
    assert waits[0] == 15
    assert waits == sorted(waits)
    assert waits[-1] == 80


def test_the_rest_of_the_budget_lasts_for_the_rest_of_the_period():
    assert seconds(budget=Budget(2_000, 86_400, 1)) == pytest.approx(43.2)
    assert seconds(budget=Budget(2_000, 86_400, 2)) == pytest.approx(86.4)
    assert seconds(budget=Budget(0, 86_400, 1)) == 3600, "once an hour at least"


def test_the_wide_sweep_is_made_always_while_cheap_and_else_now_and_then():
    sweep = Sweep(cheap=100, every=timedelta(minutes=5), often=timedelta(seconds=10))

    def overlap(wide, fast=None):
        return sweep.overlap(PACE, wide=wide, fast=fast).total_seconds()

    assert overlap(None) == 900 + 300 + 60, "who knows where an earlier life looked back from"
    assert overlap(EarlierPoll(100, 1)) == 900
    assert overlap(EarlierPoll(101, 1)) == 60
    assert overlap(EarlierPoll(101, 300)) == 900


def test_a_wide_sweep_reaches_as_far_back_before_the_last_one():
    sweep = Sweep(cheap=100, every=timedelta(minutes=5))
    last = EarlierPoll(101, 301, moved=timedelta(seconds=310))
    assert sweep.overlap(PACE, wide=last).total_seconds() == 900 + 310
    ages = EarlierPoll(101, 301, moved=timedelta(days=300))
    assert sweep.overlap(PACE, wide=ages) == timedelta(minutes=15, days=7)


def test_a_look_back_began_when_its_cursor_stood_less_what_the_reading_took():
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    last = LookBack.made(100, 110, 5, read_to=noon)
    seen = last.seen_from(130, noon + timedelta(seconds=25))
    assert seen == EarlierPoll(5, 20, timedelta(seconds=35))


def test_in_a_burst_a_minute_is_read_again_only_every_few_seconds():
    sweep = Sweep(cheap=100, every=timedelta(minutes=5), often=timedelta(seconds=10))

    def overlap(fast):
        return sweep.overlap(PACE, wide=EarlierPoll(101, 1), fast=fast).total_seconds()

    assert overlap(EarlierPoll(100, 1)) == 60
    assert overlap(EarlierPoll(101, 9)) == 10
    assert overlap(EarlierPoll(101, 10)) == 60


def test_open_transactions_are_asked_for_before_a_row_can_fall_out_of_the_window():
    assert [low_water_every(timedelta(minutes=n)).total_seconds() / 60 for n in (2, 9, 15, 60)] == [
        5,
        6,
        10,
        10,
    ]


def test_a_minutes_budget_is_never_stretched_beyond_the_minute():
    assert seconds(budget=Budget(0, 60, 10, 460, 60)) == 60
    assert seconds(budget=Budget(450, 60, 10, 460, 60), is_busy=True) == 3


def test_the_forecast_is_what_the_pace_comes_to():
    assert Budget(100, 60, 2, 460, 60).forecast(5) == 24
    assert PLENTY.forecast(15) == 5760
