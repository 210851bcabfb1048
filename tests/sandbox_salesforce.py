"""A Salesforce sandbox org on a loopback socket, for tests that speak HTTP to it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.faults import Faults
from pagerforce.sandbox.salesforce import SalesforceWorld, make_app, seeded_world
from pagerforce.sandbox.server import serve

START = datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)
BASE = "/services/data/v62.0"
INCIDENT = "BMCServiceDesk__Incident__c"
HISTORY = "BMCServiceDesk__IncidentHistory__c"
NETWORK = "a0C000000000001EAA"
INTEGRATION_ID = "005000000000001AAA"
JANE_ID = "005000000000002AAA"
ROWS = f"{BASE}/sobjects/{INCIDENT}"
EVENT = "BMCServiceDesk__Event_ID__c"
SHORT = "BMCServiceDesk__shortDescription__c"
CATEGORY = "BMCServiceDesk__FKCategory__c"


@dataclass(frozen=True, slots=True)
class Org:
    """A running org and a client that is logged in to it."""

    world: SalesforceWorld
    clock: ManualClock
    faults: Faults
    url: str
    http: httpx.AsyncClient

    async def query(self, soql: str, *, all_rows: bool = False) -> httpx.Response:
        """Sends a query."""
        path = "queryAll" if all_rows else "query"
        return await self.http.get(f"{BASE}/{path}", params={"q": soql})

    async def records(self, soql: str) -> list[dict[str, object]]:
        """The records a query finds on its first page."""
        answer = await self.query(soql)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, object]] = answer.json()["records"]
        return found


@asynccontextmanager
async def running_org() -> AsyncIterator[Org]:
    """An org at noon, served over plain HTTP."""
    clock, faults = ManualClock(START), Faults()
    world = seeded_world(clock)
    token = world.tokens.issue(INTEGRATION_ID, clock.now())
    async with serve(make_app(world, faults)) as url:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as http:
            yield Org(world, clock, faults, url, http)


def new_incident(world: SalesforceWorld, **fields: object) -> str:
    """An incident in category Network, reported by Jane; field names without prefix and suffix."""
    named = {f"BMCServiceDesk__{name}__c": value for name, value in fields.items()}
    return world.insert(INCIDENT, {"BMCServiceDesk__FKCategory__c": NETWORK, **named})


def status_id(world: SalesforceWorld, name: str) -> str:
    """The Id of a status."""
    return world.find_id("BMCServiceDesk__Status__c", Name=name)


def new_note(world: SalesforceWorld, incident: str, text: str, **more: object) -> str:
    """A history row with action Notes, by Jane."""
    fields: Mapping[str, object] = {
        "BMCServiceDesk__FKIncident__c": incident,
        "BMCServiceDesk__FKAction__c": world.find_id("BMCServiceDesk__Action__c", Name="Notes"),
        "BMCServiceDesk__note__c": text,
        **more,
    }
    return world.insert(HISTORY, fields)


def error_of(answer) -> tuple[int, str]:
    """Status and code of a refusal."""
    body = answer.json()
    assert isinstance(body, list)
    return answer.status_code, body[0]["errorCode"]


async def create(org: Org, **fields: object) -> str:
    """The Id of a new incident, made through the API."""
    answer = await org.http.post(ROWS, json={CATEGORY: NETWORK, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.json()["success"] is True
    return answer.json()["id"]
