"""Both real clients with a transport that answers everything with one given answer."""

import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from pagerforce.config.schema import SalesforceSettings
from pagerforce.pagerduty.client import USERS, PagerDutyClient, open_http
from pagerforce.pagerduty.decode import (
    decode_incident,
    decode_log_entry,
    decode_note,
    decode_person,
    decode_rows,
)
from pagerforce.pagerduty.directory import Directory
from pagerforce.pagerduty.log_page import LogReader
from pagerforce.salesforce.auth import JwtSession
from pagerforce.salesforce.bodies import read_rows
from pagerforce.salesforce.client import SalesforceClient, Update
from pagerforce.salesforce.decode import CommentShape, RecordShape, decode, found_id
from pagerforce.salesforce.login import Access
from pagerforce.salesforce.schema import parse_describe
from pagerforce.wire.transport import build_client
from rig import HISTORY, INCIDENT, START, P
from salesforce.kit import key_pair

RECORD = RecordShape(
    INCIDENT,
    {
        "Id": "id",
        "Name": "string",
        "CreatedDate": "datetime",
        f"{P}shortDescription__c": "textarea",
        f"{P}FKPriority__r.Name": "string",
        f"{P}state__c": "boolean",
        f"{P}openDateTime__c": "datetime",
        f"{P}FKStatus__c": None,
    },
)
COMMENT = CommentShape(HISTORY, INCIDENT, f"{P}FKIncident__c", f"{P}note__c")
CASE_COMMENT = CommentShape("CaseComment", "Case", "ParentId", "CommentBody")

SETTINGS = SalesforceSettings(
    login_url="http://127.0.0.1:1", consumer_key="key", username="bot@example.com"
)


class Clock:
    def now(self):
        return START

    def monotonic(self) -> float:
        return 0.0


class Observer:
    def on_request(self, *_) -> None:
        pass

    def on_budget(self, _system, remaining: float) -> None:
        assert isinstance(remaining, float)


class Key:
    def reveal(self) -> str:
        return key_pair()[0]


@dataclass
class Answers:
    """The answer to the next request; ``asked`` counts requests, to stop endless ones."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    asked: int = 0

    async def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        assert self.asked < 500, "asks for ever"
        return httpx.Response(self.status, headers=self.headers, content=self.body)


@dataclass
class Clients:
    answers: Answers
    pd_http: httpx.AsyncClient
    sf_http: httpx.AsyncClient

    def pagerduty(self) -> PagerDutyClient:
        return PagerDutyClient(self.pd_http, deadline_seconds=5, observer=Observer(), clock=Clock())

    def directory(self) -> Directory:
        return Directory(self.pagerduty(), Clock(), timedelta(minutes=1))

    def session(self) -> JwtSession:
        return JwtSession(SETTINGS, Key(), self.sf_http, Clock())

    def salesforce(self) -> SalesforceClient:
        session = self.session()
        # White box: a real login would need an answer of its own.
        session._access = Access("token", "http://127.0.0.1:1", "00D0", "0050")
        return SalesforceClient(
            session=session,
            http=self.sf_http,
            clock=Clock(),
            observer=Observer(),
            settings=SETTINGS,
        )


@asynccontextmanager
async def open_clients():
    answers = Answers()
    transport = httpx.MockTransport(answers)
    async with AsyncExitStack() as stack:
        pd = open_http(
            api_url="http://127.0.0.1:1",
            api_key="key",
            timeout_seconds=5,
            ca_file=None,
            observer=Observer(),
            transport=transport,
        )
        sf = build_client(
            base_url="http://127.0.0.1:1",
            timeout_seconds=5,
            ca_file=None,
            observer=Observer(),
            system="salesforce",
            headers={},
            transport=transport,
        )
        await stack.enter_async_context(pd)
        await stack.enter_async_context(sf)
        yield Clients(answers, pd, sf)


# What is done with each answer: returns decoded values, flaws, and the number of rows ------------


def _rows(page_rows, decode_row, kind):
    values, flaws = decode_rows(page_rows, decode_row, kind)
    return values, flaws, len(page_rows)


async def entries(clients):
    page = await clients.pagerduty().fetch_raw_log_entries(START, START, 0)
    values, flaws, reader = [], [], LogReader()
    for row in page.rows:
        entries, found = reader.decode([row])
        values += entries
        flaws += [] if entries else found[:1]  # a value that was dropped is a flaw too
    return values, flaws, len(page.rows)


async def incident_entries(clients):
    page = await clients.pagerduty().fetch_incident_log_entries("P1", START, 0)
    return _rows(page.rows, decode_log_entry, "log entry")


async def incidents(clients):
    page = await clients.pagerduty().fetch_incidents({})
    return _rows(page.rows, decode_incident, "incident")


async def one_incident(clients):
    return _rows([await clients.pagerduty().fetch_incident("P1")], decode_incident, "incident")


async def made_incident(clients):
    raw = await clients.pagerduty().send_incident({}, "bot@example.com")
    return _rows([raw], decode_incident, "incident")


async def updated_incident(clients):
    raw = await clients.pagerduty().send_update("P1", {}, "bot@example.com")
    return _rows([raw], decode_incident, "incident")


async def made_note(clients):
    raw = await clients.pagerduty().send_note("P1", "text", "bot@example.com")
    return _rows([raw], decode_note, "note")


async def user(clients):
    found = decode_person(await clients.pagerduty().fetch_one(USERS, "P1"))
    return [found], [], 1


async def composite(clients):
    values, flaws, count = [], [], 0
    parts = await clients.salesforce().send_composite(["/a", "/b", "/c", "/d"])
    for part, shape in zip(parts, (CASE_COMMENT, COMMENT, RECORD, RECORD), strict=True):
        if part.error is not None:
            raise part.error
        rows = read_rows(part.body).rows
        found = decode(rows, shape)
        values += [*found.records, *found.comments]
        # An unusable field is a flaw too, and costs no row.
        flaws += [flaw for flaw in found.flaws if ": " not in flaw.what]
        count += len(rows)
    return values, flaws, count


async def query(clients):
    rows = (await clients.salesforce().query("SELECT")).rows
    found = decode(rows, RECORD)
    flaws = [flaw for flaw in found.flaws if ": " not in flaw.what]
    return [*found.records], flaws, len(rows)


def _parts_of(body):
    """How many parts a recorded answer has; two if that can't be read."""
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        return len(json.loads(body)["compositeResponse"]) or 2
    return 2


def _found(parts):
    values, count = [], 0
    for part in parts:
        if part.error is not None:
            raise part.error
        rows = read_rows(part.body).rows
        values += [found_id(row) for row in rows]
        count += len(rows)
    return values, [], count


async def queries(clients):
    paths = ["/a"] * max(1, min(_parts_of(clients.answers.body), 25))
    return _found(await clients.salesforce().send_composite(paths, "query"))


async def update_and_read(clients):
    update = Update("Case", "500000000000001AAA", {}, START)
    (written,), reads = await clients.salesforce().update_many([update], ["/a"])
    if written.error is not None:
        raise written.error
    return _found(reads)


async def describe(clients):
    return [parse_describe("Case", await clients.salesforce().fetch_describe("Case"))], [], 1


async def _value(awaitable):
    return [await awaitable], [], 1


CALLS = {
    "services.time": lambda c: _value(c.pagerduty().fetch_server_time()),
    "incidents.list": incidents,
    "log_entries.list": entries,
    "incidents.log_entries": incident_entries,
    "incidents.get": one_incident,
    "incidents.create": made_incident,
    "incidents.update": updated_incident,
    "notes.create": made_note,
    "users.get": user,
    "users.me": lambda c: _value(c.directory().find_key_owner()),
    "users.list": lambda c: _value(c.directory().find_user_by_email("integration@example.com")),
    "priorities.list": lambda c: _value(c.directory().find_priority("P1")),
    "escalation_policies.list": lambda c: _value(
        c.directory().find_escalation_policy("Network on call")
    ),
    "incident_workflows.list": lambda c: _value(c.directory().find_workflow("Bridge call")),
    "abilities.list": lambda c: _value(c.pagerduty().fetch_abilities()),
    "login": lambda c: _value(c.session().access()),
    "describe": describe,
    "query": query,
    "query in parts": queries,
    "composite": composite,
    "updated": lambda c: _value(c.salesforce().fetch_updated("Case", START, START)),
    "limits": lambda c: _value(c.salesforce().fetch_limits()),
    "create": lambda c: _value(c.salesforce().create("Case", {})),
    "update": lambda c: _value(c.salesforce().update("Case", "500000000000001AAA", {})),
    "update in parts": update_and_read,
    "upsert": lambda c: _value(c.salesforce().upsert("Case", "Key__c", "k", {})),
}
