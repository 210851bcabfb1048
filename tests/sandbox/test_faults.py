import json
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.faults import (
    ErrorAnswer,
    Fault,
    FaultKind,
    FaultMiddleware,
    Faults,
    fault_routes,
)
from pagerforce.sandbox.server import serve

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Counter:
    """An application that counts the requests it gets."""

    def __init__(self, shape=None):
        self.faults = Faults()
        self.reached = 0
        options = {} if shape is None else {"shape": shape}

        async def count(request: Request) -> JSONResponse:
            self.reached += 1
            return JSONResponse({"method": request.method})

        self.app = Starlette(
            routes=[
                *fault_routes(self.faults),
                Route("/{path:path}", count, methods=["GET", "PUT"]),
            ],
            middleware=[
                Middleware(FaultMiddleware, faults=self.faults, clock=ManualClock(NOON), **options)
            ],
        )


@pytest.fixture
async def counter():
    return Counter()


@pytest.fixture
async def client(counter):
    async with serve(counter.app) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


async def test_without_faults_requests_pass_and_are_dated_by_the_sandbox_clock(client):
    answer = await client.get("/a")
    assert answer.json() == {"method": "GET"}
    assert answer.headers["date"] == "Tue, 24 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_dropped_connection_gives_no_answer(client, counter, kind):
    counter.faults.add(Fault(FaultKind(kind)))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await client.get("/a")
    assert counter.reached == (1 if kind == "drop_after" else 0)
    assert (await client.get("/a")).status_code == 200


@pytest.mark.parametrize("kind", ["error_before", "error_after"])
async def test_an_error_comes_before_or_after_the_effect(client, counter, kind):
    counter.faults.add(Fault(FaultKind(kind), status=502))
    assert (await client.get("/a")).status_code == 502
    assert counter.reached == (1 if kind == "error_after" else 0)


async def test_malformed_is_a_success_that_is_not_json(client, counter):
    counter.faults.add(Fault(FaultKind.MALFORMED))
    answer = await client.get("/a")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_too_many_announces_a_wait_only_if_configured(client, counter):
    counter.faults.add(Fault(FaultKind.TOO_MANY))
    counter.faults.add(Fault(FaultKind.TOO_MANY, seconds=7))
    bare, announced = await client.get("/a"), await client.get("/a")
    assert (bare.status_code, announced.status_code) == (429, 429)
    assert "retry-after" not in bare.headers
    assert announced.headers["retry-after"] == "7"


async def test_latency_delays_and_goes_with_another_fault(client, counter):
    counter.faults.add(Fault(FaultKind.LATENCY, seconds=0.05))
    counter.faults.add(Fault(FaultKind.ERROR_BEFORE))
    answer = await client.get("/a")
    assert answer.status_code == 503
    assert answer.elapsed.total_seconds() >= 0.05
    assert counter.faults.armed() == ()


async def test_a_fault_waits_for_its_method_and_path(client, counter):
    counter.faults.add(Fault(FaultKind.ERROR_BEFORE, count=2, method="put", path=r"^/b$"))
    assert (await client.get("/b")).status_code == 200
    assert (await client.put("/bb")).status_code == 200
    assert [(await client.put("/b")).status_code for _ in range(3)] == [503, 503, 200]


async def test_the_vendor_shapes_its_errors():
    counter = Counter(shape=lambda fault: ErrorAnswer(fault.status, b"shaped", {"x-vendor": "yes"}))
    counter.faults.add(Fault(FaultKind.ERROR_BEFORE))
    async with serve(counter.app) as url, httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/a")
    assert (answer.status_code, answer.text, answer.headers["x-vendor"]) == (503, "shaped", "yes")


def test_two_endings_are_met_by_two_requests():
    faults = Faults()
    first, second = Fault(FaultKind.DROP_BEFORE), Fault(FaultKind.ERROR_BEFORE)
    faults.add(first)
    faults.add(second)
    assert faults.take("GET", "/") == [first]
    assert faults.take("GET", "/") == [second]
    assert faults.take("GET", "/") == []


async def test_faults_are_armed_shown_and_disarmed_by_hand(client, counter):
    armed = await client.post("/__sandbox__/faults", json={"kind": "drop_before", "count": 3})
    assert armed.status_code == 201
    shown = (await client.get("/__sandbox__/faults")).json()["faults"]
    assert [(fault["kind"], fault["count"]) for fault in shown] == [("drop_before", 3)]
    assert (await client.delete("/__sandbox__/faults")).status_code == 204
    assert (await client.get("/a")).status_code == 200


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ([], "a fault is a JSON object"),
        ({}, "kind is missing"),
        ({"kind": "earthquake"}, "earthquake"),
        ({"kind": "latency", "colour": "red"}, "unknown key 'colour'"),
        ({"kind": "latency", "count": "1"}, "count has the wrong type"),
        ({"kind": "latency", "count": True}, "count has the wrong type"),
        ({"kind": "latency", "count": 0}, "count must be at least 1"),
        ({"kind": "latency", "seconds": -1}, "seconds must be"),
        ({"kind": "error_before", "status": 200}, "status must be an HTTP error"),
        ({"kind": "error_before", "path": "("}, "not a regular expression"),
    ],
)
async def test_an_impossible_fault_is_refused_with_its_reason(client, body, complaint):
    answer = await client.post("/__sandbox__/faults", json=body)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]


async def test_a_body_that_is_not_json_is_refused(client):
    answer = await client.post("/__sandbox__/faults", content=b"{")
    assert answer.status_code == 400
