"""Heartbeats, silent loops, and the names reported for them."""

import asyncio  # noqa: TID251 - its loop is tested
import socket
import threading
import time
from datetime import timedelta

import anyio
import anyio.lowlevel
import pytest

from pagerforce.config.settings import DeliverySettings
from pagerforce.model.durations import HUNG_AFTER, SILENT_AFTER
from pagerforce.observe import pulse
from pagerforce.observe.turns import Turns
from pagerforce.pipeline import patience
from pagerforce.service.eventloop import PatientLoop
from pagerforce.service.health import Heartbeats, place_of_wait


class Hand:
    """A clock that is set by hand."""

    def __init__(self):
        self.at = 0.0

    def now(self):
        raise NotImplementedError

    def monotonic(self):
        return self.at


@pytest.fixture
def clock():
    return Hand()


@pytest.fixture
def hearts(clock):
    return Heartbeats(clock)


async def test_a_loop_beats_by_its_work_until_it_ends(hearts, clock):
    async def loop(_):
        clock.at = 50
        assert hearts.silent() == ["poll"]
        pulse.beat()
        assert hearts.silent() == []

    await hearts.run("poll", loop)
    clock.at = 200
    assert hearts.silent() == []


def test_one_silent_loop_is_named_while_all_others_beat(hearts, clock):
    beats = {name: hearts.register(name) for name in ("pagerduty", "salesforce", "delivery")}
    for _ in range(12):
        clock.at += 5
        for name in ("pagerduty", "delivery"):
            beats[name]()
        assert hearts.silent() == (
            ["salesforce"] if clock.at > SILENT_AFTER.total_seconds() else []
        )
    assert hearts.silences(HUNG_AFTER.total_seconds()) == []
    clock.at += 1
    assert [x.loop for x in hearts.silences(HUNG_AFTER.total_seconds())] == ["salesforce"]
    beats["salesforce"]()
    assert hearts.silent() == []


async def test_work_beside_others_is_silent_by_itself(hearts, clock):
    async def loop(beat):
        with pulse.work("an action"):
            clock.at = 50
            beat()
            (silence,) = hearts.silences(45)
            assert (silence.loop, silence.what, silence.seconds) == ("delivery", "an action", 50)
            pulse.beat()
            assert hearts.silent() == []
        clock.at = 100
        assert hearts.silent() == ["delivery"], "the beats of the work are not the loop's"

    await hearts.run("delivery", loop)


async def test_a_step_is_progress_of_the_whole(hearts, clock):
    async def loop(_):
        with pulse.step("state database"):
            clock.at = 50
            pulse.beat()
            assert hearts.silent() == []
            clock.at = 100
            assert {silence.what for silence in hearts.silences(45)} == {"", "state database"}

    await hearts.run("refresh", loop)


async def test_a_turn_that_is_kept_is_named_and_nobody_waits_for_ever(hearts, clock):
    turns = Turns("login", lambda: TimeoutError("busy"), longest_wait=0.05)

    async def keep(*, task_status):
        with pulse.carrying(hearts.root()):
            async with turns.taken():
                task_status.started()
                await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        await group.start(keep)
        for _ in range(2):
            with pytest.raises(TimeoutError, match="busy"):
                async with turns.taken():
                    raise AssertionError
        clock.at = 50
        assert hearts.silent() == ["login"]
        group.cancel_scope.cancel()
    assert hearts.silent() == []
    async with turns.taken():
        pass


async def test_several_waits_that_were_given_up_are_no_silence(hearts, clock):
    turns = Turns("", lambda: TimeoutError("busy"), longest_wait=0.05)

    async def loop(_):
        for clock.at in (40, 80):
            with pytest.raises(TimeoutError):
                async with turns.taken():
                    raise AssertionError
            assert hearts.silent() == []

    async with turns.taken(), anyio.create_task_group() as group:
        group.start_soon(hearts.run, "delivery", loop)


def test_a_pause_of_the_whole_process_is_forgiven(hearts, clock):
    hearts.register("poll")
    clock.at = 620
    hearts.forgive(600)
    assert hearts.silent() == []
    clock.at = 650
    assert hearts.silent() == ["poll"]
    hearts.forgive(10_000)
    clock.at = 700
    assert hearts.silent() == ["poll"], "the excused pause gives no extra time"


async def test_the_place_of_a_wait_leads_through_generators():
    async def pages():
        await anyio.sleep_forever()
        yield 1

    async def rows():
        async for page in pages():
            yield page

    async def read():
        await anext(rows(), None)

    async with anyio.create_task_group() as group:
        coro = None

        async def task():
            nonlocal coro
            coro = anyio.get_current_task().coro
            await read()

        group.start_soon(task)
        await anyio.sleep(0.01)
        place = place_of_wait(coro)
        group.cancel_scope.cancel()
    # Of code outside this program only the innermost frame is shown.
    assert place.count("(sleep") == 1


async def test_an_attempt_may_continue_while_it_makes_progress(monkeypatch):
    monkeypatch.setattr(patience, "STEP_DEADLINE", timedelta(seconds=0.5))
    done = 0
    with patience.Patience(60):
        for _ in range(8):
            await anyio.sleep(0.1)
            pulse.beat()
            done += 1
        await anyio.sleep_forever()
    assert done == 8
    with patience.Patience(0.3):
        while True:
            await anyio.sleep(0.05)
            pulse.beat()


def test_a_name_that_is_not_resolved_holds_up_no_other(monkeypatch):
    asked, release = [], threading.Event()

    def resolve(host, *_):
        asked.append(host)
        if host == "hangs":
            release.wait(60)
        if host == "unknown":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    answers = []

    async def ask(loop):
        answers.append(await loop.getaddrinfo("hangs", 443))

    async def main():
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(ask, loop)
            await anyio.lowlevel.checkpoint()
            for _ in range(3):
                assert (await loop.getaddrinfo("answers", 443))[0][4] == ("192.0.2.1", 443)
                with pytest.raises(socket.gaierror):
                    await loop.getaddrinfo("unknown", 443)
            with anyio.move_on_after(0.01):
                await loop.getaddrinfo("hangs", 443)
            release.set()
        assert not loop._questions

    anyio.run(main, backend_options={"loop_factory": PatientLoop})
    assert len(answers) == 50
    assert asked.count("hangs") == 1, "all that ask for a name at once share the answer"


def test_a_loop_ends_without_waiting_for_the_resolver(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: release.wait(60))

    async def main():
        with anyio.move_on_after(0.05):
            await asyncio.get_running_loop().getaddrinfo("hangs", 443)

    began = time.monotonic()
    anyio.run(main, backend_options={"loop_factory": PatientLoop})
    assert time.monotonic() - began < 30
    release.set()


@pytest.mark.parametrize(("given", "used"), [("30s", 30), ("40s", 40), ("10m", 40)])
def test_no_call_may_take_as_long_as_a_hang(given, used):
    assert DeliverySettings(timeout=given).deadline.total_seconds() == used
