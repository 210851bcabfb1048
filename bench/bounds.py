"""Bounds: the minimum cost of the same work in Python."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import httpx

from bench.stage import REQUESTS, Serving


def fetch_seconds(serving: Serving) -> float:
    """Seconds that bare httpx needs for the reads that a sandbox has answered, both sides at once."""
    return anyio.run(_fetch_both, serving)


async def _fetch_both(serving: Serving) -> float:
    async with (
        httpx.AsyncClient(
            base_url=serving.pagerduty_url, trust_env=False, verify=serving.trust(), timeout=60
        ) as first,
        httpx.AsyncClient(
            base_url=serving.salesforce_url, trust_env=False, verify=serving.trust(), timeout=60
        ) as second,
    ):
        sides = [
            (http, [x for x in (await http.get(REQUESTS)).json() if _is_read(x)])
            for http in (first, second)
        ]
        began = time.monotonic()
        async with anyio.create_task_group() as group:
            for http, requests in sides:
                group.start_soon(_fetch, http, requests)
        return time.monotonic() - began


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
