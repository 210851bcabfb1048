"""The real loop over HTTP against the sandbox: each way in which the stream fails, and what follows."""

import anyio
import pytest
from msgspec import field
from msgspec.structs import replace

from pagerforce.salesforce.stream.bayeux import connect
from pagerforce.salesforce.stream.channels import topic_name
from pagerforce.salesforce.stream.line import StreamLine
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.salesforce.streaming import StreamRefusal
from pagerforce.service.keep import keep_running
from salesforce.kit import HISTORY, INCIDENT
from stream.kit import QUICK, bench, until

COMETD = "^/cometd/"
DENIED = "403:denied_by_security_policy:create_denied"


class Hanging(StreamLine):
    """Its requests outlive their deadline."""

    async def send(self, access, ask):
        await anyio.sleep_forever()


class Failing(StreamLine):
    """Raises what nobody expects, while ``errors`` has one."""

    errors: list[Exception] = field(default_factory=list)

    async def send(self, access, ask):
        if self.errors:
            raise self.errors[0]
        return await super().send(access, ask)


async def test_an_event_wakes_the_poll_and_nothing_of_it_is_kept():
    async with bench() as it:
        await until(lambda: it.up() == 1)
        await until(lambda: len(it.wakes) == 1)  # the poll after the handshake
        record = it.change()
        await until(lambda: len(it.wakes) == 2)
        assert it.loop.covers_all
        assert it.loop.state.events == 1
        assert record not in repr((it.log, it.loop))
    assert [item["event"] for item in it.log] == ["stream_up"]
    assert it.world.streaming.clients == {}  # it said good-bye


async def test_a_quiet_stream_stays_up_one_connect_after_the_other():
    async with bench() as it:
        await until(lambda: it.world.streaming.connects >= 4)
        assert it.up() == 1
        assert it.world.streaming.handshakes == 1
    assert len(it.log) == 1


async def test_a_server_that_heeds_the_wait_is_asked_again_sooner():
    async with bench(heeds_wait=True, hold_seconds=2.0) as it:
        await until(lambda: it.world.streaming.connects >= 4)
        assert it.loop._heeds_wait
        assert it.up() == 1


async def test_the_connect_beats_while_it_is_held_but_not_beyond_its_deadline(monkeypatch):
    monkeypatch.setattr("pagerforce.salesforce.stream.loop._BEAT_SECONDS", 0.05)
    async with bench(runs=False, timing=replace(QUICK, quick=0.5)) as it:
        it.loop.line = Hanging(it.line.session, it.line.http, "62.0")
        async with anyio.create_task_group() as group:
            group.start_soon(it.loop.run, it.beat)
            await anyio.sleep(0.4)
            assert it.beats > 4
            await anyio.sleep(0.3)  # the deadline of a handshake here: half a second
            silent = it.beats
            await anyio.sleep(0.3)
            assert it.beats == silent
            it.loop.stop()


async def test_the_routine_end_of_a_client_id_is_no_outage():
    async with bench() as it:
        await until(lambda: it.world.streaming.connects >= 3)
        wakes = len(it.wakes)
        it.world.streaming.end_clients()
        await until(lambda: it.world.streaming.handshakes == 2)
        await until(lambda: len(it.wakes) == wakes + 1)
        assert it.up() == 1
        it.change()
        await until(lambda: len(it.wakes) == wakes + 2)  # it subscribed again
    assert [item["event"] for item in it.log] == ["stream_up"]


async def test_a_second_end_in_a_row_waits_and_says_so_once():
    async with bench(ended_clients=2) as it:
        await until(lambda: it.events("stream_down"))
        assert it.up() == 0
        assert not it.loop.covers_all
        assert it.world.streaming.handshakes == 2
        await until(lambda: it.up() == 1)
    assert [item["event"] for item in it.log] == ["stream_up", "stream_down", "stream_up"]
    assert "Unknown client" in it.log[1]["reason"]


async def test_client_ids_that_never_last_do_not_flap_and_do_not_flood():
    async with bench(ended_clients=1000) as it:
        await anyio.sleep(2.5)
        assert it.world.streaming.handshakes < 12
        assert it.up() == 0
    assert [item["event"] for item in it.log] == ["stream_up", "stream_down"]


async def test_cookies_go_back_to_the_server_and_nowhere_else():
    async with bench() as it:
        await until(lambda: it.world.streaming.connects >= 2)
        jar = it.line.http.cookies
        assert {cookie.name for cookie in jar.jar} == {"BAYEUX_BROWSER", "sfdc-stream"}
        # Without them the server knows no client.
        jar.clear()
        await until(lambda: it.world.streaming.handshakes == 2)


async def test_silence_ends_the_trust_soon_after_an_answer_was_due():
    async with bench(silent_connects=1) as it:
        await until(lambda: it.up() == 1)
        wakes = len(it.wakes)
        await until(lambda: it.up() == 0)  # a second held, a second of grace
        assert it.log[1]["event"] == "stream_down"
        assert it.log[1]["reason"] == "no answer by its deadline"
        assert len(it.wakes) == wakes + 1  # polling goes back to its pace at once
        await until(lambda: it.up() == 1)


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.MALFORMED])
async def test_one_lost_answer_is_no_outage_and_many_are(kind):
    async with bench() as it:
        await until(lambda: it.world.streaming.connects >= 2)
        it.faults.add(Fault(kind, path=COMETD))
        await until(lambda: not it.faults.armed())
        await until(lambda: it.world.streaming.connects >= 5)
        assert it.up() == 1
        it.faults.add(Fault(kind, path=COMETD, count=1000))
        await until(lambda: it.up() == 0)
        it.faults.clear()
        await until(lambda: it.up() == 1)
    assert [item["event"] for item in it.log] == ["stream_up", "stream_down", "stream_up"]


@pytest.mark.parametrize(
    "refusal",
    [
        StreamRefusal("handshake", "403::Organization concurrent user limit exceeded", count=None),
        StreamRefusal(
            "handshake", "403::Handshake denied", "401::Authentication invalid", count=None
        ),
        StreamRefusal("handshake", page=403, count=None),
        StreamRefusal("subscribe", "403::User not enabled for streaming", reconnect="", count=None),
        StreamRefusal("subscribe", page=200, count=None),
        StreamRefusal("connect", "403::Organization total events daily limit exceeded", count=None),
    ],
    ids=lambda item: f"{item.step} {item.error}{item.page or ''}",
)
async def test_a_refusal_is_said_once_and_tried_again_after_its_pause(refusal):
    async with bench(refusals=[refusal]) as it:
        await until(lambda: it.events("stream_down"))
        assert it.up() == 0
        sent = len(it.world.streaming.authorizations)
        await anyio.sleep(1.5)  # a refusal waits three seconds here
        assert len(it.world.streaming.authorizations) == sent
        it.knobs.refusals.clear()
        await until(lambda: it.up() == 1)
    assert [item["event"] for item in it.log] == ["stream_down", "stream_up"]


async def test_an_internal_error_of_the_loop_does_not_leave_the_stream_up():
    async with bench(runs=False) as it:
        line = Failing(it.line.session, it.line.http, "62.0")
        it.loop.line = line
        async with anyio.create_task_group() as group:
            group.start_soon(keep_running, "stream", it.loop.run, it.beat, it.metrics)
            await until(lambda: it.up() == 1)
            line.errors.append(RuntimeError())
            it.world.streaming.end_clients()
            await until(lambda: it.up() == 0)
            assert "internal error" in it.loop.state.reason
            line.errors.clear()
            await until(lambda: it.up() == 1)  # it starts again
            it.loop.stop()


@pytest.mark.parametrize("step", ["subscribe", "connect"])
async def test_a_replay_id_that_the_server_does_not_know_is_only_a_refusal(step):
    error = "400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2, or -1"
    async with bench(refusals=[StreamRefusal(step, error, reconnect="", count=1)]) as it:
        await until(lambda: it.loop.covers_all)
        wakes = len(it.wakes)
        it.change()
        await until(lambda: len(it.wakes) == wakes + 1)


async def test_the_advice_to_connect_again_is_heeded_with_the_same_client_id():
    async with bench() as it:
        await until(lambda: it.world.streaming.connects >= 2)
        again = StreamRefusal("connect", "500::later", reconnect="retry", count=1)
        it.knobs.refusals.append(again)
        await until(lambda: it.world.streaming.connects >= 4)
        assert it.world.streaming.handshakes == 1
        assert it.up() == 1


async def test_an_org_without_streaming_is_polled_and_asked_again_now_and_then():
    async with bench(is_offered=False) as it:
        await until(lambda: it.events("stream_down"))
        assert "HTTP 404" in it.log[0]["reason"]
        assert not it.loop.covers_all


async def test_a_busy_server_behind_a_denial_is_tried_again_sooner():
    busy = StreamRefusal("subscribe", DENIED, "503::Server is too busy", reconnect="", count=4)
    async with bench(refusals=[busy]) as it:
        await until(lambda: it.up() == 1)  # three seconds if it were a refusal


async def test_a_session_that_ended_is_renewed_and_the_stream_goes_on():
    async with bench() as it:
        await until(lambda: it.world.streaming.connects >= 2)
        it.world.expire_tokens()
        await until(lambda: it.world.streaming.handshakes == 2)
        assert it.up() == 1
    assert [item["event"] for item in it.log] == ["stream_up"]


async def test_an_org_that_knows_the_other_scheme_only_gets_it():
    async with bench(scheme="OAuth") as it:
        await until(lambda: it.up() == 1)
        assert it.world.streaming.authorizations[-1] == "OAuth"


async def test_a_repeated_event_is_one_hint_and_a_lost_one_is_none():
    async with bench(repeat=1) as it:
        await until(lambda: len(it.wakes) == 1)
        it.change()
        await until(lambda: len(it.wakes) == 2)
        await anyio.sleep(0.3)
        assert len(it.wakes) == 2
        it.knobs.lose = 1
        it.change()
        await anyio.sleep(1.2)
        assert len(it.wakes) == 2


async def test_an_object_without_any_channel_is_not_covered_and_tried_again():
    async with bench(feeds=(INCIDENT, "Account")) as it:
        await until(lambda: it.up() == 1)
        assert not it.loop.covers_all
        assert it.loop.state.covered == {INCIDENT}
        assert "Account" in it.loop.state.refused


async def test_a_push_topic_serves_an_object_without_change_events():
    async with bench(entities=set()) as it:
        for name in (INCIDENT, HISTORY):
            values = {
                "Name": topic_name(name),
                "Query": f"SELECT Id FROM {name}",
                "NotifyForFields": "All",
            }
            it.world.insert("PushTopic", values)
        await until(lambda: it.loop.covers_all)
        wakes = len(it.wakes)
        it.change()
        await until(lambda: len(it.wakes) == wakes + 1)


async def test_an_answer_beyond_its_bound_is_a_hint_too():
    async with bench(timing=replace(QUICK, grace=20.0)) as it:
        await until(lambda: it.world.streaming.connects >= 2)
        await until(lambda: len(it.wakes) == 1)
        (client,) = it.world.streaming.clients.values()
        much = {"channel": "/data/x", "data": "y" * 3 * 2**20}
        client.waiting.append((it.world.clock.now(), much))
        await until(lambda: len(it.wakes) == 2)
        await until(lambda: it.world.streaming.connects >= 4)
        assert it.up() == 1


async def test_the_loop_ends_at_once_when_it_is_stopped():
    async with bench() as it:
        await until(lambda: it.world.streaming.connects >= 2)
        began = anyio.current_time()
    assert anyio.current_time() - began < 2


async def test_the_token_and_the_client_id_are_in_no_log_line_and_no_state():
    async with bench() as it:
        await until(lambda: it.world.streaming.connects >= 2)
        (client_id,) = it.world.streaming.clients
        token = (await it.line.session.access()).token
        error = f"400::Client {client_id} has established a session, but no cookie present"
        it.knobs.refusals.append(StreamRefusal("connect", error, count=1))
        await until(lambda: it.events("stream_down"))
        assert client_id not in repr((it.log, it.loop.state))
        assert token not in repr((it.log, it.loop.state))


def test_connect_asks_for_an_answer_within_the_wait():
    assert connect("x", 30.0)["advice"] == {"timeout": 30_000}
