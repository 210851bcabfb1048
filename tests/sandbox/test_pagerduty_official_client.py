"""PagerDuty's own client, unchanged, against the sandbox over https."""

import ssl
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio.to_thread
import pytest

import pagerduty
from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.faults import Fault, FaultKind, Faults
from pagerforce.sandbox.pagerduty import ACCOUNT_KEY, USER_KEY, make_app, seeded_world
from pagerforce.sandbox.server import serve
from pagerforce.sandbox.tls import make_tls
from sandbox_pagerduty import DATABASE, JANE, NETWORK, NOON, SENDER


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return make_tls(tmp_path_factory.mktemp("tls"))


class Official:
    def __init__(self, tls):
        self.clock = ManualClock(NOON)
        self.world = seeded_world(self.clock)
        self.faults = Faults()
        self.tls = tls
        self.trust = ssl.create_default_context(cafile=str(tls.ca))

    @asynccontextmanager
    async def client(self, key=ACCOUNT_KEY, sender=SENDER):
        async with serve(make_app(self.world, self.faults), tls=self.tls) as url:
            with pagerduty.RestApiV2Client(
                key, default_from=sender, base_url=url, verify=self.trust
            ) as client:
                client.sleep_timer = 0.01
                yield client


@pytest.fixture
def official(tls):
    return Official(tls)


async def in_thread(call):
    with anyio.fail_after(20):
        return await anyio.to_thread.run_sync(call)


def new_incident(title="Disk full", **more):
    return {
        "type": "incident",
        "title": title,
        "service": {"id": NETWORK, "type": "service_reference"},
        **more,
    }


async def test_it_creates_updates_and_reads_an_incident(official):
    async with official.client() as client:

        def story():
            made = client.rpost("incidents", json=new_incident())
            change = {"type": "incident_reference", "status": "acknowledged"}
            client.rput(made, json={**made, **change})
            note = client.rpost(f"incidents/{made['id']}/notes", json={"content": "on it"})
            notes = client.rget(f"incidents/{made['id']}/notes")
            client.rput("incidents", json=[{**made, "type": "incident", "status": "resolved"}])
            return client.rget(made["self"]), note, notes

        final, note, notes = await in_thread(story)
    assert (final["status"], final["title"]) == ("resolved", "Disk full")
    assert [one["id"] for one in notes] == [note["id"]]


async def test_it_iterates_over_pages_of_incidents(official):
    for number in range(7):
        official.world.trigger(DATABASE, str(number))
    async with official.client() as client:
        listed = await in_thread(lambda: client.list_all("incidents", page_size=3))
        total = await in_thread(lambda: client.get_total("incidents"))
        params = {"statuses": ["resolved"]}
        resolved = await in_thread(lambda: client.list_all("incidents", params=params))
    assert [one["title"] for one in listed] == [str(number) for number in range(7)]
    assert (total, resolved) == (7, [])


async def test_it_bisects_a_history_beyond_ten_thousand_entries(official):
    incident = official.world.trigger(NETWORK, "busy")["id"]
    for _ in range(12):
        official.clock.advance(300)
        official.world.notify(incident, JANE, times=1000)
    official.world.knobs.until_inclusive = False
    wanted = {entry["id"] for entry in official.world.entries()}
    end = NOON + timedelta(hours=2)
    async with official.client() as client:
        rows = await in_thread(lambda: list(client.iter_history("log_entries", NOON, end)))
    assert len(rows) == len(wanted) == 12_003
    assert {row["id"] for row in rows} == wanted


async def test_it_finds_people_and_services(official):
    async with official.client() as client:
        user = await in_thread(lambda: client.find("users", "JANE.doe@example.com", "email"))
        service = await in_thread(lambda: client.find("services", "network"))
        nobody = await in_thread(lambda: client.find("users", "nobody"))
        triggers = await in_thread(lambda: list(client.iter_cursor("incident_workflows/triggers")))
    assert (user["id"], service["id"], nobody) == (JANE, NETWORK, None)
    assert len(triggers) == 1


async def test_it_distinguishes_the_kinds_of_keys(official):
    async with official.client() as client:
        assert await in_thread(lambda: client.api_key_access) == "account"
        assert await in_thread(lambda: client.account_has_ability("teams"))
        assert not await in_thread(lambda: client.account_has_ability("telepathy"))
    async with official.client(USER_KEY, None) as client:
        assert await in_thread(lambda: client.api_key_access) == "user"


async def test_it_raises_what_the_api_refuses(official):
    async with official.client() as client:
        with pytest.raises(pagerduty.HttpError) as missing:
            await in_thread(lambda: client.rget("incidents/QNONE"))
        body = new_incident(incident_key="k")
        await in_thread(lambda: client.rpost("incidents", json=body))
        with pytest.raises(pagerduty.HttpError) as duplicate:
            await in_thread(lambda: client.rpost("incidents", json=body))
    assert missing.value.response.status_code == 404
    assert duplicate.value.response.json()["error"]["code"] == 2002
    async with official.client("wrong-key") as client:
        with pytest.raises(pagerduty.HttpError, match="401"):
            await in_thread(lambda: client.rget("incidents"))


async def test_it_survives_rate_limits_and_broken_connections(official):
    official.faults.add(Fault(FaultKind.TOO_MANY, count=2))
    official.faults.add(Fault(FaultKind.DROP_BEFORE))
    async with official.client() as client:
        assert len(await in_thread(lambda: client.rget("priorities"))) == 5
    assert official.faults.armed() == ()
