"""Conclusions from answers that come late, broken, too large or not at all."""

import anyio
import pytest

from pagerforce.errors import MalformedError, TransientError, UnknownOutcomeError
from pagerforce.model.ids import Side
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.wire.exchange import exchange
from pagerforce.wire.transport import USER_AGENT, build_client


async def test_an_answer_is_read_whole_and_counted(line):
    answer = await line.send("GET")
    assert answer.status == 200
    assert answer.json_object() == {"fine": True}
    assert line.observer.requests == [(Side.PAGERDUTY, "things.do", "200")]


async def test_every_request_says_who_asks(line):
    await line.send("GET")
    assert line.headers[0]["user-agent"] == USER_AGENT
    assert USER_AGENT.startswith("pagerforce/")
    assert line.headers[0]["x-ours"] == "yes"


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
async def test_a_dropped_write_may_have_been_done(line, kind):
    line.faults.add(Fault(kind))
    with pytest.raises(UnknownOutcomeError):
        await line.send("POST")
    assert line.observer.requests == [(Side.PAGERDUTY, "things.do", "error")]
    assert len(line.writes) == (1 if kind is FaultKind.DROP_AFTER else 0)


async def test_a_dropped_read_is_only_a_nuisance(line):
    line.faults.add(Fault(FaultKind.DROP_BEFORE))
    with pytest.raises(TransientError):
        await line.send("GET")


@pytest.mark.parametrize(
    ("method", "error"), [("GET", TransientError), ("POST", UnknownOutcomeError)]
)
async def test_a_call_ends_at_its_deadline(line, method, error):
    line.faults.add(Fault(FaultKind.LATENCY, seconds=3600))
    with anyio.fail_after(2), pytest.raises(error):
        await line.send(method, deadline_seconds=0.05)
    assert line.observer.requests == [(Side.PAGERDUTY, "things.do", "error")]


async def test_without_a_connection_nothing_was_done():
    class Silent:
        def on_request(self, *what):
            pass

    async with build_client(
        base_url="http://127.0.0.1:1",
        timeout_seconds=2,
        ca_file=None,
        observer=Silent(),
        system=Side.SALESFORCE,
        headers={},
    ) as client:
        request = client.build_request("POST", "/thing")
        with pytest.raises(TransientError, match="not sent"):
            await exchange(client, request, is_write=True, deadline_seconds=2)


@pytest.mark.parametrize(
    ("method", "error"), [("GET", MalformedError), ("POST", UnknownOutcomeError)]
)
async def test_an_endless_answer_is_not_read(line, method, error):
    with pytest.raises(error, match="larger than"):
        await line.send(method, "/large")


@pytest.mark.parametrize(
    ("method", "error"), [("GET", MalformedError), ("POST", UnknownOutcomeError)]
)
async def test_an_answer_that_cannot_be_unpacked(line, method, error):
    with pytest.raises(error):
        await line.send(method, "/packed")


@pytest.mark.parametrize(
    ("method", "error"), [("GET", MalformedError), ("POST", UnknownOutcomeError)]
)
async def test_an_answer_that_is_not_json(line, method, error):
    line.faults.add(Fault(FaultKind.MALFORMED))
    answer = await line.send(method)
    with pytest.raises(error, match="not JSON"):
        answer.json()


async def test_redirects_are_not_followed(line):
    answer = await line.send("GET", "/elsewhere")
    assert answer.status == 307
    assert line.headers == []
