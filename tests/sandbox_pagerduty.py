"""A served PagerDuty sandbox for tests: its world, its faults, and a client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.faults import Faults
from pagerforce.sandbox.pagerduty import ACCOUNT_KEY, PagerDutyWorld, make_app, seeded_world
from pagerforce.sandbox.server import serve

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SENDER = "integration@example.com"
JANE, SAM, BOT = "PJANE01", "PSAMLE1", "PINTEG1"
NETWORK, DATABASE = "PNET001", "PDBA001"


@dataclass
class Account:
    """A served world and a client for it."""

    world: PagerDutyWorld
    clock: ManualClock
    faults: Faults
    client: httpx.AsyncClient

    async def get(self, path: str, **params) -> dict:
        """The body of a GET that must succeed; ``statuses=[..]`` becomes ``statuses[]``."""
        answer = await self.client.get(path, params=arrays(params))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, path: str, body: dict) -> dict:
        """The body of a PUT that must succeed."""
        answer = await self.client.put(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def post(self, path: str, body: dict) -> dict:
        """The body of a POST that must succeed."""
        answer = await self.client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def create(self, title="Disk full", service=NETWORK, **more) -> dict:
        """Opens an incident through the API."""
        body = {
            "type": "incident",
            "title": title,
            "service": {"id": service, "type": "service_reference"},
            **more,
        }
        return (await self.post("/incidents", {"incident": body}))["incident"]

    async def update(self, incident_id: str, **changes) -> dict:
        """Changes an incident through the API."""
        body = {"incident": {"type": "incident_reference", **changes}}
        return (await self.put(f"/incidents/{incident_id}", body))["incident"]

    async def refused(self, method: str, path: str, status: int, body=None, **params) -> dict:
        """The ``error`` of a request that must be refused with this status."""
        answer = await self.client.request(method, path, json=body, params=arrays(params))
        assert answer.status_code == status, answer.text
        return answer.json()["error"]

    def types(self, incident_id=None) -> list[str]:
        """The types of the entries, oldest first, without the ending, without notifications."""
        found = [str(entry["type"]) for entry in self.world.entries(incident_id)]
        short = [one.removesuffix("_log_entry") for one in found]
        return [one for one in short if one != "notify"]


def headers(key: str = ACCOUNT_KEY, sender: str | None = SENDER) -> dict[str, str]:
    """The headers of a well-behaved client."""
    found = {
        "Authorization": f"Token token={key}",
        "Accept": "application/vnd.pagerduty+json;version=2",
        "Content-Type": "application/json",
    }
    return found if sender is None else {**found, "From": sender}


def arrays(params: dict) -> dict:
    """Query parameters; lists get the brackets that the API expects."""
    return {
        f"{name}[]" if isinstance(value, list) else name: value for name, value in params.items()
    }


@asynccontextmanager
async def open_account(wrap=None) -> AsyncIterator[Account]:
    """Serves a seeded world; ``wrap`` may put an application around it."""
    clock = ManualClock(NOON)
    world, faults = seeded_world(clock), Faults()
    app = make_app(world, faults)
    async with (
        serve(wrap(app) if wrap else app) as url,
        httpx.AsyncClient(base_url=url, headers=headers()) as client,
    ):
        yield Account(world, clock, faults, client)
