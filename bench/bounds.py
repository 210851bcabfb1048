"""Bounds: the minimum cost of the same work in Python."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from bench.stage import REQUESTS, Serving


@dataclass(frozen=True, slots=True)
class Fetched:
    """What it took to fetch pages: elapsed seconds, and seconds of the processor."""

    wall: float
    cpu: float


def fetch(serving: Serving) -> Fetched:
    """Bare httpx makes the reads that a sandbox has answered again, both sides at once."""
    return anyio.run(_fetch_both, serving)


def idle_percent(serving: Serving, seconds: float, every: tuple[float, float]) -> float:
    """Percent of a core that bare httpx needs to repeat the last read of each side at intervals.

    Args:
        serving: both sides, which have answered some reads.
        seconds: for how long.
        every: the intervals of PagerDuty and of Salesforce.
    """
    return anyio.run(_idle, serving, seconds, every)


async def _idle(serving: Serving, seconds: float, every: tuple[float, float]) -> float:
    async with _clients(serving) as sides, anyio.create_task_group() as group:
        last = [[x for x in await _answered(http) if _is_read(x)][-1:] for http in sides]
        cpu = time.process_time()
        for http, reads, interval in zip(sides, last, every, strict=True):
            group.start_soon(_repeat, http, reads, interval)
        await anyio.sleep(seconds)
        group.cancel_scope.cancel()
        return 100 * (time.process_time() - cpu) / seconds


async def _repeat(
    http: httpx.AsyncClient, requests: Sequence[Mapping[str, Any]], interval: float
) -> None:
    while True:
        await _fetch(http, requests)
        await anyio.sleep(interval)


@asynccontextmanager
async def _clients(
    serving: Serving,
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """One for PagerDuty, one for Salesforce."""
    async with (
        httpx.AsyncClient(
            base_url=serving.pagerduty_url, trust_env=False, verify=serving.trust(), timeout=60
        ) as first,
        httpx.AsyncClient(
            base_url=serving.salesforce_url, trust_env=False, verify=serving.trust(), timeout=60
        ) as second,
    ):
        yield first, second


async def _answered(http: httpx.AsyncClient) -> list[Mapping[str, Any]]:
    return list((await http.get(REQUESTS)).json())


async def _fetch_both(serving: Serving) -> Fetched:
    async with _clients(serving) as both:
        sides = [(http, [x for x in await _answered(http) if _is_read(x)]) for http in both]
        began, cpu = time.monotonic(), time.process_time()
        async with anyio.create_task_group() as group:
            for http, requests in sides:
                group.start_soon(_fetch, http, requests)
        return Fetched(time.monotonic() - began, time.process_time() - cpu)


async def _fetch(http: httpx.AsyncClient, requests: Sequence[Mapping[str, Any]]) -> None:
    for request in requests:
        answer = await http.request(
            request["method"],
            request["path"],
            headers=request["headers"],
            content=request["body"] or None,
        )
        if answer.status_code >= 500:
            answer.raise_for_status()


def _is_read(request: Mapping[str, Any]) -> bool:
    if request["method"] == "GET":
        return True
    is_composite = str(request["path"]).endswith("/composite")
    return is_composite and '"PATCH"' not in request["body"] and '"POST"' not in request["body"]
