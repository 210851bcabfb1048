"""Shared parts of the Salesforce tests: a clock, an observer, a scripted org, and the connected parts."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pagerforce.config.schema import (
    CommentSettings,
    Config,
    ObjectSettings,
    PagerDutySettings,
    SalesforceSettings,
    ServiceMapping,
)
from pagerforce.model.action import Task
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Person
from pagerforce.model.ports import ActionHandler, Position
from pagerforce.model.record import Record
from pagerforce.model.verdict import Verdict
from pagerforce.salesforce.actions import build_handlers
from pagerforce.salesforce.auth import JwtSession
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.mappings import MappingResolver
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.salesforce.source import SalesforcePoller
from pagerforce.sandbox.faults import Faults
from pagerforce.sandbox.salesforce import SalesforceWorld, make_app, seeded_world
from pagerforce.sandbox.server import serve
from pagerforce.wire.transport import build_client

START = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)
ORG = "00D000000000001EAA"
US = "005000000000001AAA"
INCIDENT = "BMCServiceDesk__Incident__c"
HISTORY = "BMCServiceDesk__IncidentHistory__c"
CATEGORY = "BMCServiceDesk__FKCategory__c"
STATUS = "BMCServiceDesk__FKStatus__c"
SHORT = "BMCServiceDesk__shortDescription__c"
NOTE = "BMCServiceDesk__note__c"
EVENT_ID = "BMCServiceDesk__Event_ID__c"


@cache
def key_pair() -> tuple[str, str]:
    """A private and a public key in PEM form, created once."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


@dataclass
class Key:
    pem: str = field(default_factory=lambda: key_pair()[0])

    def reveal(self) -> str:
        return self.pem


class HandClock:
    """The daemon's clock and the org's, moved by hand."""

    def __init__(self) -> None:
        self.moment = START
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - START).total_seconds()

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class Observer:
    requests: list[tuple[str, str]] = field(default_factory=list)
    budgets: list[float] = field(default_factory=list)

    def on_request(self, system: Side, operation: str, code: str) -> None:
        self.requests.append((operation, code))

    def on_budget(self, system: Side, remaining: float) -> None:
        self.budgets.append(remaining)


@dataclass
class Seen:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    json: Any


@dataclass
class ScriptedOrg:
    """Gives its scripted answers in order; a callable may decide by the request."""

    clock: HandClock
    answers: list[Any] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    logins: list[Mapping[str, str]] = field(default_factory=list)
    login_answers: list[Response | Callable[[], Response]] = field(default_factory=list)
    identity: str = f"https://login.example.com/id/{ORG}/{US}"
    instance_url: str = ""
    date_offset: timedelta = timedelta(0)
    valid: set[str] = field(default_factory=set)

    def say(self, status: int, body: object = None, **headers: str) -> None:
        self.answers.append((status, body, headers))

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/services/oauth2/token", self._login, methods=["POST"]),
                Route(
                    "/{path:path}", self._answer, methods=["GET", "POST", "PATCH", "PUT", "DELETE"]
                ),
            ]
        )

    def _dated(self, response: Response) -> Response:
        now = self.clock.now() + self.date_offset
        response.headers["Date"] = format_datetime(now, usegmt=True)
        return response

    async def _login(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        self.logins.append({name: values[0] for name, values in form.items()})
        if self.login_answers:
            answer = self.login_answers.pop(0)
            return self._dated(answer if isinstance(answer, Response) else answer())
        token = f"token-{len(self.logins)}"
        return self._dated(
            JSONResponse(
                {
                    "access_token": token,
                    "scope": "api",
                    "instance_url": self.instance_url or str(request.base_url).rstrip("/"),
                    "id": self.identity,
                    "token_type": "Bearer",
                }
            )
        )

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        json = await request.json() if body else None
        seen = Seen(
            request.method,
            request.scope["raw_path"].decode(),
            dict(request.query_params),
            dict(request.headers),
            json,
        )
        self.seen.append(seen)
        if not self.answers:
            raise AssertionError(f"no answer is left for {seen.method} {seen.path}")
        item = self.answers.pop(0)
        status, content, headers = item(seen) if callable(item) else item
        if content is None:
            response = Response(status_code=status)
        elif isinstance(content, str):
            response = Response(content, status_code=status, media_type="text/html")
        else:
            response = JSONResponse(content, status_code=status)
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return self._dated(response)


@dataclass
class Line:
    """Everything from the session to the schema, over one HTTP client."""

    clock: HandClock
    observer: Observer
    http: httpx.AsyncClient
    settings: SalesforceSettings
    session: JwtSession
    client: SalesforceClient
    schema: SchemaCache


def settings_for(url: str, **more: object) -> SalesforceSettings:
    values: dict[str, object] = {
        "login_url": url,
        "consumer_key": "sandbox-consumer-key",
        "username": "integration@example.com",
        **more,
    }
    return SalesforceSettings.model_validate(values)


@asynccontextmanager
async def connect(url: str, clock: HandClock, **more: object) -> AsyncIterator[Line]:
    observer = Observer()
    settings = settings_for(url, **more)
    async with build_client(
        base_url=url,
        timeout_seconds=5,
        ca_file="",
        observer=observer,
        system=Side.SALESFORCE,
        headers={},
    ) as http:
        session = JwtSession(settings, Key(), http, clock)
        client = SalesforceClient(
            session=session,
            http=http,
            clock=clock,
            observer=observer,
            settings=settings,
            timeout_seconds=5,
        )
        yield Line(clock, observer, http, settings, session, client, SchemaCache(client, clock))


@asynccontextmanager
async def scripted(**more: object) -> AsyncIterator[tuple[ScriptedOrg, Line]]:
    clock = HandClock()
    org = ScriptedOrg(clock)
    async with serve(org.app()) as url, connect(url, clock, **more) as line:
        yield org, line


def config_for(url: str, **incident: object) -> Config:
    """Remedyforce incidents with notes, and cases with comments."""
    remedyforce: dict[str, object] = {
        "name": INCIDENT,
        "external_id_field": EVENT_ID,
        "service_id_path": "BMCServiceDesk__FKCategory__r.PagerDuty_Service_ID__c",
        "comments": CommentSettings(
            object=HISTORY,
            parent_field="BMCServiceDesk__FKIncident__c",
            body_field=NOTE,
            where="BMCServiceDesk__FKAction__r.Name = 'Notes'",
            fields={"BMCServiceDesk__FKAction__c": {"lookup": {"Name": "Notes"}}},
        ),
        **incident,
    }
    case = ObjectSettings(
        name="Case",
        comments=CommentSettings(
            object="CaseComment", parent_field="ParentId", body_field="CommentBody"
        ),
    )
    return Config(
        pagerduty=PagerDutySettings(from_email="integration@example.com"),
        salesforce=settings_for(url),
        objects=(ObjectSettings(**remedyforce), case),
        service_mappings=(
            ServiceMapping(
                name="Printing",
                object=INCIDENT,
                field=CATEGORY,
                value={"lookup": {"Name": "Printing"}},
                service="PPRT001",
            ),
        ),
    )


def make_task(do: str, *calls: Mapping[str, Any], **more: Any) -> Task:
    values: dict[str, Any] = {
        "key": "task-1",
        "ids": tuple(f"act-{number}" for number in range(len(calls))),
        "do": do,
        "calls": calls,
        "event_id": EventId("event-1"),
        "event_source": Side.PAGERDUTY,
        "event_type": "acknowledge",
        "event_at": START,
        "actor": Person(),
        "object": INCIDENT,
        "incident_id": IncidentId("PINC001"),
        "record_id": None,
        "incident": None,
        "record": None,
        "event_record": None,
        "comment": None,
        "attempt": 1,
        "is_uncertain": False,
        "first_attempt_at": None,
        "now": START,
        **more,
    }
    return Task(**values)


def record_id(text: str) -> RecordId:
    return RecordId(text)


@dataclass
class Sandbox:
    """The sandbox's org with pagerforce's reader and writers on it, with one clock for all."""

    world: SalesforceWorld
    faults: Faults
    clock: HandClock
    line: Line
    config: Config
    poller: SalesforcePoller
    handlers: Mapping[str, ActionHandler]
    mappings: MappingResolver

    def incident(self, by: str = "jane.doe@example.com", **fields: object) -> RecordId:
        values = {CATEGORY: self.world.find_id("BMCServiceDesk__Category__c", Name="Network")}
        return RecordId(self.world.insert(INCIDENT, {**values, **fields}, by))

    def write(self, row_id: str, **fields: object) -> None:
        self.world.update(INCIDENT, row_id, fields)

    async def read(self, row_id: RecordId) -> Record:
        (record,) = (await self.poller.fetch_records(INCIDENT, [row_id])).records
        return record

    async def deliver(self, task: Task) -> Verdict:
        verdicts = await self.handlers[task.do].deliver(task)
        assert len(verdicts) == len(task.calls)
        return verdicts[0]


@asynccontextmanager
async def sandboxed(
    fields: Mapping[str, frozenset[str]] | None = None, **incident: object
) -> AsyncIterator[Sandbox]:
    clock = HandClock()
    world = seeded_world(clock)
    world.trust(key_pair()[1])
    faults = Faults()
    wanted = fields or {
        INCIDENT: frozenset(
            {SHORT, "BMCServiceDesk__state__c", f"{STATUS[:-1]}r.Name", STATUS, CATEGORY}
            | {f"{CATEGORY[:-1]}r.Name"}
        )
    }
    async with serve(make_app(world, faults)) as url, connect(url, clock) as line:
        config = config_for(url, **incident)
        lookups = LookupResolver(line.client, line.schema, clock)
        mappings = MappingResolver(config, line.schema, lookups)
        poller = SalesforcePoller(line.client, line.schema, config, wanted, clock)
        handlers = build_handlers(line.client, line.schema, config, mappings, clock, poller.plan)
        by_name = {handler.spec.do: handler for handler in handlers}
        yield Sandbox(world, faults, clock, line, config, poller, by_name, mappings)


FROM_START = Position(START - timedelta(minutes=1))


def everywhere(position=FROM_START, *feeds):
    return dict.fromkeys(feeds or (INCIDENT, "Case", HISTORY, "CaseComment"), position)


async def read(poller, positions=None, overlap=0.0):
    wanted = everywhere() if positions is None else positions
    batches = [b async for b in poller.iter_changes(wanted, overlap_seconds=overlap)]
    records = [record for batch in batches for record in batch.records]
    comments = [comment for batch in batches for comment in batch.comments]
    positions = {}
    for batch in batches:
        positions |= batch.positions
    return records, comments, positions
