"""The stream beside the real polls: it wakes them and makes them rarer, and nothing depends on it."""

from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest

from checking import OBJECT, rule
from pagerforce.config.load import load_config
from pagerforce.config.secret import load_secrets
from pagerforce.errors import TransientError
from pagerforce.model.ids import Side
from pagerforce.observe.metrics import Metrics
from pagerforce.pipeline.pace import Budget
from pagerforce.pipeline.poll import PollLoop
from pagerforce.pipeline.settings import Pace
from pagerforce.sandbox.clock import WallClock
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.running import open_sandbox
from pagerforce.sandbox.salesforce.streaming import StreamRefusal
from pagerforce.service.catalog import CATALOG
from pagerforce.service.clock import SystemClock
from pagerforce.service.wiring import wire
from rig import INCIDENT, RAJ, P
from stream.kit import QUICK, SCALE, until

CASE = '[[objects]]\npreset = "case"\n'
ECHO = rule(
    f'do = "salesforce.set_field", field = "{P}incidentResolution__c", value = "seen"',
    run_on="salesforce",
    conditions='{ field = "event.type", op = "equals", value = "create" }',
)


class Life:
    """A running daemon's loops, and how often Salesforce was polled."""

    def __init__(self, desk, parts):
        self.desk, self.parts, self.sf = desk, parts, desk.salesforce
        self.knobs = desk.salesforce.streaming.knobs
        self.polls = 0
        self.events = 0
        poll = parts.salesforce_reader.poll

        async def counted():
            self.polls += 1
            found = await poll()
            self.events += found
            return found

        parts.salesforce._reader = _Reader(parts.salesforce_reader, counted)

    @property
    def interval(self):
        return self.parts.salesforce.state.interval_seconds

    def up(self):
        return self.parts.metrics.registry.get_sample_value("pagerforce_stream_up")

    def open_record(self, text="Core switch down"):
        values = {
            f"{P}shortDescription__c": text,
            f"{P}FKCategory__c": self.sf.find_id(f"{P}Category__c", Name="Network"),
        }
        return self.sf.insert(INCIDENT, values, by=RAJ)


class _Reader:
    def __init__(self, reader, poll):
        self._reader, self.poll = reader, poll

    def __getattr__(self, name):
        return getattr(self._reader, name)


@asynccontextmanager
async def life(folder, rules=OBJECT, *, calm="30s", **knobs):
    """Polls every 0.4 s, or at the stream's pace; the lively pace is 0.1 s."""
    async with open_sandbox(folder, clock=WallClock(), rules=rules) as desk:
        text = desk.config.read_text()
        head, _, salesforce = text.partition("[salesforce]")
        salesforce = salesforce.replace('"5s"', '"0.4s"').replace('"1s"', '"0.1s"')
        stream = f'stream = "cometd"\nstream_poll_interval = "{calm}"\n'
        desk.config.write_text(f"{head}[salesforce]\n{stream}{salesforce.lstrip()}")
        desk.salesforce.streaming.knobs.hold_seconds = 1.0
        for name, value in knobs.items():
            setattr(desk.salesforce.streaming.knobs, name, value)
        loaded = load_config(desk.config, catalog=CATALOG, environ={})
        async with wire(
            loaded, load_secrets(loaded.config, {}), SystemClock(), {}, is_shadow=False
        ) as parts:
            parts.stream.timing, parts.stream._patience.scale = QUICK, SCALE
            parts.stream.health.allowed_delay = 0.2
            made = Life(desk, parts)
            loops = (parts.salesforce, parts.deliverer, parts.stream)
            async with anyio.create_task_group() as group:
                for loop in loops:
                    group.start_soon(loop.run, lambda: None)
                yield made
                for loop in loops:
                    loop.stop()
                group.cancel_scope.deadline = anyio.current_time() + 3


async def settled(it, interval=30.0):
    """Until the present pace is this one; the lively pace after a find ends by itself."""
    it.parts.salesforce.state.last_found_at = None
    await until(lambda: it.interval == interval)


async def quiet(it, seconds=0.8):
    """Until there was no poll for so long: twice the pace without a stream."""
    with anyio.fail_after(30):
        polls = -1
        while it.polls != polls:
            polls = it.polls
            await anyio.sleep(seconds)


async def test_while_the_stream_is_up_polls_are_rare_and_a_change_is_found_at_once(tmp_path):
    async with life(tmp_path) as it:
        await until(lambda: it.up() == 1)
        await settled(it)
        await quiet(it)
        it.open_record()
        await until(lambda: it.events == 1)
        assert it.up() == 1


async def test_a_refused_stream_changes_nothing_about_polling(tmp_path):
    refusal = StreamRefusal("handshake", "403::Handshake denied", "x", count=None)
    async with life(tmp_path, refusals=[refusal]) as it:
        await until(lambda: it.up() == 0)
        await settled(it, 0.4)
        it.open_record()
        await until(lambda: it.events == 1)


async def test_a_silent_stream_gives_polling_its_pace_back(tmp_path):
    async with life(tmp_path) as it:
        await until(lambda: it.up() == 1)
        await settled(it)
        it.knobs.silent_connects = 1000
        await until(lambda: it.up() == 0)
        await until(lambda: it.interval == 0.4)
        it.open_record()
        await until(lambda: it.events == 1)


async def test_an_object_without_change_events_keeps_the_pace_of_all(tmp_path):
    async with life(tmp_path, OBJECT + CASE) as it:  # CaseComment has none here
        await until(lambda: it.up() == 1)
        await settled(it, 0.4)
        polls = it.polls
        await until(lambda: it.polls >= polls + 3)


async def test_a_stream_that_loses_events_is_distrusted_until_it_announces_again(tmp_path):
    async with life(tmp_path, calm="0.5s", lose=1000) as it:
        await until(lambda: it.up() == 1)
        await anyio.sleep(3)  # changes about the time of the subscription are not judged
        for number in range(3):
            it.open_record(f"lost {number}")
            await until(lambda number=number: it.events == number + 1)
            await anyio.sleep(1.1)  # stamps have whole seconds
        await until(lambda: it.up() == 0)
        assert INCIDENT in it.parts.stream.state.reason
        assert it.parts.salesforce.calm_seconds == 0.4
        it.knobs.lose, it.parts.stream.health.allowed_delay = 0, 10.0
        for number in range(4):
            it.open_record(f"announced {number}")
            await anyio.sleep(1.2)
        await until(lambda: it.up() == 1)
        assert it.parts.salesforce.calm_seconds == 0.5
        missed = it.parts.metrics.registry.get_sample_value("pagerforce_stream_missed_total")
        assert missed >= 3


async def test_delayed_and_repeated_events_do_no_harm(tmp_path):
    async with life(tmp_path, delay_seconds=0.5, repeat=1000) as it:
        await until(lambda: it.up() == 1)
        await settled(it)
        it.open_record()
        await until(lambda: it.events == 1)
        polls = it.polls
        await anyio.sleep(1)
        assert it.polls <= polls + 12  # the lively pace, and no more
        assert it.events == 1


async def test_what_happens_between_two_client_ids_is_found_after_the_handshake(tmp_path):
    async with life(tmp_path) as it:
        await until(lambda: it.up() == 1)
        await settled(it)
        handshakes = it.sf.streaming.handshakes
        it.sf.streaming.end_clients()
        it.open_record()  # nobody is subscribed: no event of it ever arrives
        assert it.sf.streaming.handshakes == handshakes
        await until(lambda: it.events == 1)
        assert it.parts.stream.health.missed == 0


async def test_own_writes_wake_a_poll_and_make_no_loop_of_polls(tmp_path):
    async with life(tmp_path, OBJECT + ECHO) as it:
        await until(lambda: it.up() == 1)
        record = it.open_record()
        await until(lambda: it.sf.row(INCIDENT, record)[f"{P}incidentResolution__c"] == "seen")
        await anyio.sleep(1)
        await settled(it)
        await quiet(it)


async def test_the_daemon_polls_while_the_streaming_endpoint_is_gone(tmp_path):
    async with life(tmp_path) as it:
        await until(lambda: it.up() == 1)
        it.desk.salesforce_faults.add(Fault(FaultKind.DROP_BEFORE, path="^/cometd", count=10**6))
        await until(lambda: it.up() == 0)
        it.open_record()
        await until(lambda: it.events == 1)
        assert it.parts.salesforce.state.failures == 0


# The loop alone ----------------------------------------------------------------------------------


class Reader:
    """Polls of no length; ``found`` events each."""

    def __init__(self, found=0, error=None, budget=None):
        self.at, self.found, self.error = [], found, error
        self.left = budget or Budget(None, 0.0, 0.0)

    async def start(self):
        pass

    async def may_poll(self):
        return True

    async def poll(self):
        self.at.append(anyio.current_time())
        if self.error is not None:
            raise self.error
        return self.found

    def budget(self):
        return self.left


@asynccontextmanager
async def looping(reader, *, calm=None, pace=(0.5, 0.1)):
    slow, busy = (timedelta(seconds=x) for x in pace)
    loop = PollLoop(
        Side.SALESFORCE,
        reader,
        Pace(slow, busy, timedelta(minutes=1)),
        clock=SystemClock(),
        metrics=Metrics("1", []),
        calm=lambda: calm,
    )
    async with anyio.create_task_group() as group:
        group.start_soon(loop.run, lambda: None)
        await until(lambda: reader.at)
        yield loop
        loop.stop()


async def flooded(loop, seconds):
    end = anyio.current_time() + seconds
    while anyio.current_time() < end:
        loop.wake()
        await anyio.sleep(0.005)


async def test_a_flood_of_hints_polls_at_the_lively_pace_and_calms_down_if_nothing_is_found():
    reader = Reader()
    async with looping(reader, calm=timedelta(seconds=30), pace=(2.0, 0.1)) as loop:
        await flooded(loop, 7)
    gaps = [b - a for a, b in zip(reader.at, reader.at[1:], strict=False)]
    assert min(gaps) >= 0.095
    assert len(gaps) >= 6
    assert all(gap < 1.9 for gap in gaps[:5])
    assert all(gap >= 1.9 for gap in gaps[5:])


async def test_single_hints_poll_at_once_and_many_at_the_lively_pace():
    reader = Reader(found=1)
    async with looping(reader, calm=timedelta(seconds=30), pace=(30.0, 3.0)) as loop:
        await flooded(loop, 6.5)
    gaps = [b - a for a, b in zip(reader.at, reader.at[1:], strict=False)]
    assert all(0.45 <= gap < 1.5 for gap in gaps[:2])
    assert all(gap >= 1.5 for gap in gaps[2:])
    assert len(reader.at) <= 3 + 6.5 / 3.0


async def test_announced_changes_need_no_lively_polls():
    reader = Reader(found=1)
    async with looping(reader, calm=timedelta(seconds=30), pace=(0.5, 0.1)):
        await anyio.sleep(1.0)
    assert len(reader.at) == 1


async def test_hints_that_find_something_keep_the_lively_pace():
    reader = Reader(found=1)
    async with looping(reader, pace=(30.0, 0.1)) as loop:
        await flooded(loop, 2.0)
    assert len(reader.at) >= 4


async def test_a_hint_during_a_failure_does_not_hurry_the_next_try():
    reader = Reader(error=TransientError("down"))
    async with looping(reader, calm=timedelta(seconds=30)) as loop:
        await flooded(loop, 1.2)
        assert loop.state.interval_seconds >= 0.5
    assert len(reader.at) <= 3


async def test_a_hint_does_not_break_the_budget():
    reader = Reader(budget=Budget(10, 86_400.0, 1.0, 100))
    async with looping(reader) as loop:
        await flooded(loop, 0.6)
    assert len(reader.at) == 1


async def test_after_a_failure_polls_are_not_rare_even_if_the_stream_is_up():
    reader = Reader(error=TransientError("down"))
    async with looping(reader, calm=timedelta(seconds=30)) as loop:
        await until(lambda: len(reader.at) >= 2)
        assert loop.state.interval_seconds <= 1.0
        reader.error = None
        await until(lambda: loop.state.interval_seconds == 30)


@pytest.mark.parametrize("calm", [None, timedelta(seconds=0.01)])
async def test_polls_are_never_more_frequent_for_a_short_interval_of_the_stream(calm):
    reader = Reader()
    async with looping(reader, calm=calm):
        await anyio.sleep(1.2)
    assert len(reader.at) in (2, 3)
