"""The key's limit: what we leave to others, and what a rate_class leaves to the rate classes before it."""

import pytest

from pagerforce.errors import PacedError
from pagerforce.pagerduty.rate import SHARE, Hold, RateClass, RateLimit
from rig import open_rig

STANDING = {"ratelimit-limit": "960", "ratelimit-remaining": "9", "ratelimit-reset": "30"}
LIMIT = {"ratelimit-limit": "100", "ratelimit-remaining": "99", "ratelimit-reset": "60"}


def test_the_last_of_the_vendors_limit_is_for_pages_until_the_reset():
    pace = RateLimit()
    assert pace.hold(RateClass.NOTE, 0) == Hold()
    pace.observe(STANDING, status=200, now=100)
    assert pace.hold(RateClass.READ, 110) == Hold(20, is_for_all=False)
    assert pace.hold(RateClass.STATUS, 110) == Hold(20, is_for_all=False)
    assert pace.hold(RateClass.PAGE, 110) == Hold()
    assert pace.hold(RateClass.READ, 131) == Hold()


def test_where_nothing_is_left_everything_waits():
    pace = RateLimit()
    pace.observe(STANDING | {"ratelimit-remaining": "0"}, status=429, now=0)
    assert {pace.hold(rate_class, 10) for rate_class in RateClass} == {Hold(20, is_for_all=True)}


def sent(pace, count, now):
    for _ in range(count):
        pace.note_sent(now)


def test_each_lane_stops_before_the_one_that_matters_more():
    pace = RateLimit()
    pace.observe(LIMIT, status=200, now=0)
    stops = {}
    for count in range(100):
        for rate_class in RateClass:
            if rate_class not in stops and pace.hold(rate_class, 1).seconds:
                stops[rate_class] = count
        pace.note_sent(1)
    assert stops == {
        RateClass.NOTE: 42,
        RateClass.READ: 48,
        RateClass.STATUS: 54,
        RateClass.PAGE: 60,
    }
    assert stops[RateClass.PAGE] == 100 * SHARE


def test_a_request_waits_until_one_of_ours_is_a_minute_old():
    pace = RateLimit()
    pace.observe(LIMIT, status=200, now=0)
    sent(pace, 30, now=10)
    sent(pace, 30, now=20)
    assert pace.spent(21) == 60
    assert pace.hold(RateClass.PAGE, 21) == Hold(49, is_for_all=True)
    # For a note 19 have to go: 60 are there, and it may be the 42nd.
    assert pace.hold(RateClass.NOTE, 21) == Hold(49, is_for_all=False)
    assert pace.hold(RateClass.PAGE, 70) == Hold()
    assert pace.spent(70) == 30


def test_a_key_whose_limit_was_lowered_is_spent_more_slowly_before_long():
    pace = RateLimit()
    pace.observe(LIMIT | {"ratelimit-limit": "1000"}, status=200, now=0)
    pace.observe(LIMIT | {"ratelimit-limit": "1000"}, status=200, now=50)
    pace.observe(LIMIT, status=200, now=60)
    assert pace.allowed(RateClass.PAGE) == 600, "it may be the limit of that operation alone"
    pace.observe(LIMIT, status=200, now=171)
    assert pace.allowed(RateClass.PAGE) == 60


def test_without_headers_the_usual_limit_counts():
    assert RateLimit().allowed(RateClass.PAGE) == 576


@pytest.mark.parametrize("reset", ["1764000000", "nan", "soon", None, "-5"])
def test_an_odd_reset_never_stops_us_for_long(reset):
    headers = {} if reset is None else {"ratelimit-reset": reset}
    pace = RateLimit()
    pace.observe({**headers, "ratelimit-remaining": "0"}, status=429, now=0)
    assert 0 <= pace.hold(RateClass.PAGE, 0).seconds <= 300


def test_an_operations_own_limit_makes_our_share_of_the_keys_no_smaller():
    pace = RateLimit()
    pace.observe(LIMIT | {"ratelimit-limit": "960"}, status=200, now=0)
    sent(pace, 20, now=1)
    pace.observe(LIMIT | {"ratelimit-limit": "10", "ratelimit-remaining": "5"}, status=201, now=1)
    assert pace.allowed(RateClass.PAGE) == 576
    assert pace.hold(RateClass.PAGE, 2) == Hold()


async def test_a_page_goes_out_while_reading_has_to_wait_which_is_no_failure(tmp_path):
    async with open_rig(tmp_path) as rig:
        rig.pd.knobs.requests_per_minute = 100
        async with rig.daemon() as daemon:
            with pytest.raises(PacedError):
                for _ in range(100):
                    await daemon.parts.pagerduty_reader.poll()
            await daemon.parts.pagerduty.run(daemon.parts.pagerduty.stop)  # one turn
            assert daemon.parts.pagerduty.state.failures == 0
            rig.open_record(priority="1")
            await daemon.parts.salesforce_reader.poll()
            await daemon.deliver()
            assert len(rig.incidents()) == 1
