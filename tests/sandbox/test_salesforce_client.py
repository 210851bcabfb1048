"""The official-style Python client ``simple-salesforce``, unchanged, over https."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import anyio.to_thread
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from pagerforce.sandbox.clock import WallClock
from pagerforce.sandbox.salesforce import SalesforceWorld, make_app, seeded_world
from pagerforce.sandbox.server import serve
from pagerforce.sandbox.tls import make_tls
from sandbox_salesforce import INCIDENT, INTEGRATION_ID, NETWORK, new_incident

T = TypeVar("T")
SHORT = "BMCServiceDesk__shortDescription__c"
CATEGORY = "BMCServiceDesk__FKCategory__c"
EVENT = "BMCServiceDesk__Event_ID__c"


class LoopbackAdapter(HTTPAdapter):
    """Name resolution for the test: carries ``*.salesforce.com`` to the sandbox's address."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._target = urlsplit(url).netloc

    def send(self, request, **options):
        parts = urlsplit(request.url)
        request.url = urlunsplit(parts._replace(netloc=self._target))
        return super().send(request, **options)


class Rig:
    """The sandbox on https, and the client's calls in a thread."""

    def __init__(self, world: SalesforceWorld, url: str, session: requests.Session) -> None:
        self.world = world
        self.url = url
        self.session = session
        token = world.tokens.issue(INTEGRATION_ID, world.clock.now())
        self.client = Salesforce(
            session_id=token, instance_url=url, session=session, version="62.0"
        )

    async def call(self, function: Callable[[Salesforce], T]) -> T:
        return await anyio.to_thread.run_sync(function, self.client)

    async def refused(self, error: type[Exception], function: Callable[[Salesforce], T]) -> str:
        with pytest.raises(error) as caught:
            await self.call(function)
        return caught.value.content[0]["errorCode"]


@pytest.fixture
async def rig(tmp_path):
    world = seeded_world(WallClock())
    tls = make_tls(tmp_path)
    async with serve(make_app(world), tls=tls) as url:
        with requests.Session() as session:
            session.verify = str(tls.ca)
            session.trust_env = False
            yield Rig(world, url, session)


async def test_create_read_update_delete(rig: Rig):
    made = await rig.call(lambda sf: getattr(sf, INCIDENT).create({CATEGORY: NETWORK}))
    assert made["success"] is True
    row_id = made["id"]
    status = await rig.call(lambda sf: getattr(sf, INCIDENT).update(row_id, {SHORT: "down"}))
    assert status == 204
    row = await rig.call(lambda sf: getattr(sf, INCIDENT).get(row_id))
    assert (row["Name"], row[SHORT]) == ("00000001", "down")
    assert await rig.call(lambda sf: getattr(sf, INCIDENT).delete(row_id)) == 204
    assert rig.world.rows(INCIDENT) == []


async def test_upsert_and_get_by_external_id(rig: Rig):
    key = f"{EVENT}/pd:Q1"
    created = await rig.call(lambda sf: getattr(sf, INCIDENT).upsert(key, {CATEGORY: NETWORK}))
    updated = await rig.call(lambda sf: getattr(sf, INCIDENT).upsert(key, {SHORT: "x"}))
    assert (created, updated) == (201, 200)
    row = await rig.call(lambda sf: getattr(sf, INCIDENT).get_by_custom_id(EVENT, "pd:Q1"))
    assert row[SHORT] == "x"


async def test_query_follows_its_pages(rig: Rig):
    rig.world.knobs.batch_size = 3
    ids = [new_incident(rig.world) for _ in range(8)]
    soql = f"SELECT Id, Owner.Name FROM {INCIDENT} ORDER BY Name"
    page = await rig.call(lambda sf: sf.query(soql))
    assert (page["totalSize"], page["done"], len(page["records"])) == (8, False, 3)
    everything = await rig.call(lambda sf: sf.query_all(soql))
    assert [row["Id"] for row in everything["records"]] == ids
    assert everything["records"][0]["Owner"]["Name"] == "Jane Doe"


async def test_query_includes_deleted_rows_when_asked(rig: Rig):
    row_id = new_incident(rig.world)
    rig.world.delete(INCIDENT, row_id)
    soql = f"SELECT Id FROM {INCIDENT} WHERE IsDeleted = true"
    assert (await rig.call(lambda sf: sf.query(soql)))["totalSize"] == 0
    found = await rig.call(lambda sf: sf.query(soql, include_deleted=True))
    assert [row["Id"] for row in found["records"]] == [row_id]


async def test_describe_and_metadata(rig: Rig):
    described = await rig.call(lambda sf: getattr(sf, INCIDENT).describe())
    assert EVENT in {field["name"] for field in described["fields"]}
    assert (await rig.call(lambda sf: getattr(sf, INCIDENT).metadata()))["recentItems"] == []
    listed = await rig.call(lambda sf: sf.describe())
    assert INCIDENT in {item["name"] for item in listed["sobjects"]}
    assert await rig.call(lambda sf: sf.is_sandbox()) is False


async def test_limits_and_usage_header(rig: Rig):
    limits = await rig.call(lambda sf: sf.limits())
    assert limits["DailyApiRequests"]["Max"] == 15000
    used = rig.client.api_usage["api-usage"]
    assert (used.used, used.total) == (1, 15000)


async def test_updated_and_deleted(rig: Rig):
    kept, gone = new_incident(rig.world), new_incident(rig.world)
    rig.world.delete(INCIDENT, gone)
    end = datetime.now(UTC) + timedelta(minutes=2)
    start = end - timedelta(minutes=30)
    updated = await rig.call(lambda sf: getattr(sf, INCIDENT).updated(start, end))
    deleted = await rig.call(lambda sf: getattr(sf, INCIDENT).deleted(start, end))
    assert updated["ids"] == [kept]
    assert [item["id"] for item in deleted["deletedRecords"]] == [gone]


async def test_composite_through_restful(rig: Rig):
    part = {
        "method": "GET",
        "url": "/services/data/v62.0/query?q=SELECT+COUNT()+FROM+Case",
        "referenceId": "count",
    }
    answer = await rig.call(
        lambda sf: sf.restful("composite", method="POST", json={"compositeRequest": [part]})
    )
    assert answer["compositeResponse"][0]["body"]["totalSize"] == 0


async def test_errors_become_the_clients_own(rig: Rig):
    assert await rig.refused(SalesforceMalformedRequest, lambda sf: sf.query("nonsense")) == (
        "MALFORMED_QUERY"
    )
    row_type = f"{INCIDENT}"
    missing = await rig.refused(
        SalesforceResourceNotFound, lambda sf: getattr(sf, row_type).get("a0R000000000099EAA")
    )
    assert missing == "NOT_FOUND"
    for _ in range(2):
        rig.world.insert("Change_Window__c", {"External_Ref__c": "same"})
    with pytest.raises(SalesforceMoreThanOneRecord):
        await rig.call(lambda sf: sf.Change_Window__c.upsert("External_Ref__c/same", {}))
    rig.world.set_remaining_calls(0)
    refused = await rig.refused(SalesforceRefusedRequest, lambda sf: sf.limits())
    assert refused == "REQUEST_LIMIT_EXCEEDED"
    rig.world.set_remaining_calls(100)
    rig.world.expire_tokens()
    expired = await rig.refused(SalesforceExpiredSession, lambda sf: sf.limits())
    assert expired == "INVALID_SESSION_ID"


@pytest.mark.parametrize("domain", ["login", "acme.my"])
async def test_jwt_login_of_the_client(rig: Rig, domain: str):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    rig.session.mount("https://", LoopbackAdapter(rig.url))
    rig.world.tokens.audiences.add("https://acme.my.salesforce.com")

    def log_in() -> Salesforce:
        return Salesforce(
            username="integration@example.com",
            consumer_key="sandbox-consumer-key",
            privatekey=pem,
            domain=domain,
            session=rig.session,
        )

    with pytest.raises(SalesforceAuthenticationFailed, match="invalid assertion"):
        await anyio.to_thread.run_sync(log_in)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    rig.world.trust(public)
    rig.world.instance_url = rig.url
    client = await anyio.to_thread.run_sync(log_in)
    made = await anyio.to_thread.run_sync(lambda: client.Case.create({"Subject": "by JWT"}))
    assert rig.world.row("Case", made["id"])["CreatedById"] == INTEGRATION_ID
