from datetime import timedelta

import pytest

from pagerforce.pipeline.pace import Budget, Sweep, next_delay
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
    assert waits[-1] == 300


def test_the_rest_of_the_budget_lasts_for_the_rest_of_the_period():
    assert seconds(budget=Budget(2_000, 86_400, 1)) == pytest.approx(43.2)
    assert seconds(budget=Budget(2_000, 86_400, 2)) == pytest.approx(86.4)
    assert seconds(budget=Budget(0, 86_400, 1)) == 3600, "once an hour at least"


def test_the_wide_sweep_is_made_always_while_cheap_and_else_now_and_then():
    sweep = Sweep(cheap=100, every=timedelta(minutes=5))

    def overlap(count, since):
        return sweep.overlap(PACE, last_wide_count=count, since_wide_seconds=since).total_seconds()

    assert overlap(100, 1) == 900
    assert overlap(101, 1) == 60
    assert overlap(101, 300) == 900
