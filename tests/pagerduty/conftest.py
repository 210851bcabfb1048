"""The real client against the sandbox over real HTTP, with every request checked by the schema."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pytest

from openapi import Schema, ValidatingApp
from pagerforce.config.schema import Config
from pagerforce.model.action import Task
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Person
from pagerforce.model.mapping import ResolvedMapping
from pagerforce.model.ports import ActionHandler, EntryBatch
from pagerforce.model.verdict import Verdict
from pagerforce.pagerduty.actions import build_handlers
from pagerforce.pagerduty.actions.stand_in import StandIns
from pagerforce.pagerduty.client import PagerDutyClient, open_http
from pagerforce.pagerduty.directory import Directory
from pagerforce.pagerduty.source import PagerDutyPoller
from pagerforce.sandbox.faults import Faults
from pagerforce.sandbox.pagerduty import ACCOUNT_KEY, PagerDutyWorld, make_app, seeded_world
from pagerforce.sandbox.server import serve
from published import SCHEMA_FILE

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SCHEMA = None if SCHEMA_FILE is None else Schema(SCHEMA_FILE)


@dataclass
class HandClock:
    """The daemon's clock and PagerDuty's, moved by hand."""

    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - NOON).total_seconds()

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class Observer:
    requests: list[tuple[str, str]] = field(default_factory=list)
    budgets: list[float] = field(default_factory=list)

    def on_request(self, system: Side, operation: str, code: str) -> None:
        assert system is Side.PAGERDUTY
        self.requests.append((operation, code))

    def on_budget(self, system: Side, remaining: float) -> None:
        self.budgets.append(remaining)

    def count(self, operation: str) -> int:
        return sum(1 for name, _ in self.requests if name == operation)


@dataclass
class Hook:
    method: str
    path: str
    act: Callable[[], Any]
    count: int
    is_after: bool


@dataclass
class Hooked:
    """Changes the world just before or just after it serves a request."""

    app: Any
    hooks: list[Hook] = field(default_factory=list)

    async def __call__(self, scope, receive, send) -> None:
        fitting = [
            hook
            for hook in self.hooks
            if hook.count
            and scope.get("method") == hook.method
            and re.search(hook.path, scope["path"])
        ]
        for hook in fitting:
            hook.count -= 1
        for hook in fitting:
            if not hook.is_after:
                hook.act()
        await self.app(scope, receive, send)
        for hook in fitting:
            if hook.is_after:
                hook.act()


class RequestJudge(ValidatingApp):
    """Checks requests only: the sandbox's answers have tests of their own, and are many here."""

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        first = await receive()
        assert not first.get("more_body"), "pagerforce's bodies are small"
        self._judge_request(scope, first.get("body", b""))
        messages = [first]

        async def replay():
            return messages.pop() if messages else await receive()

        await self.app(scope, replay, send)


@dataclass
class Mappings:
    rows: Sequence[ResolvedMapping] = ()

    async def resolve(self) -> Sequence[ResolvedMapping]:
        return self.rows


def make_config(**pagerduty: object) -> Config:
    objects = pagerduty.pop("objects", [])
    return Config.model_validate(
        {
            "pagerduty": {"from_email": "integration@example.com", **pagerduty},
            "salesforce": {
                "login_url": "https://acme.my.salesforce.com",
                "consumer_key": "3MVG9",
                "username": "integration@example.com",
            },
            "objects": objects,
        }
    )


@dataclass
class Rig:
    clock: HandClock
    world: PagerDutyWorld
    faults: Faults
    observer: Observer
    client: PagerDutyClient
    directory: Directory
    hooked: Hooked
    mappings: Mappings
    config: Config

    def on(self, method, path, act, *, count=1, after=False) -> None:
        self.hooked.hooks.append(Hook(method, path, act, count, after))

    def poller(self, **options: Any) -> PagerDutyPoller:
        settings = {"services": (), "needs_custom_fields": False, **options}
        return PagerDutyPoller(self.client, self.directory, self.clock, **settings)

    async def read(self, since: datetime = NOON, overlap: float = 60) -> list[EntryBatch]:
        batches = self.poller().iter_entries(since, overlap_seconds=overlap)
        return [batch async for batch in batches]

    async def entries(self, since: datetime = NOON, overlap: float = 60) -> list[Any]:
        return [entry for batch in await self.read(since, overlap) for entry in batch.entries]

    @cached_property
    def stand_ins(self) -> StandIns:
        return StandIns(self.clock, lambda: None)

    def handler(self, do: str) -> ActionHandler:
        handlers = build_handlers(
            self.client, self.directory, self.config, self.mappings, self.stand_ins
        )
        return next(handler for handler in handlers if handler.spec.do == do)

    def task(self, do: str, args: dict[str, Any], **more: Any) -> Task:
        values: dict[str, Any] = {
            "key": "event-1/0",
            "ids": ("action-1",),
            "do": do,
            "calls": (args,),
            "event_id": EventId("event-1"),
            "event_source": Side.SALESFORCE,
            "event_type": "update",
            "event_at": self.clock.now(),
            "actor": Person(),
            "object": "BMCServiceDesk__Incident__c",
            "incident_id": None,
            "record_id": RecordId("a0B000000000001EAA"),
            "incident": None,
            "record": None,
            "event_record": {},
            "comment": None,
            "attempt": 1,
            "is_uncertain": False,
            "first_attempt_at": None,
            "now": self.clock.now(),
        }
        if more.get("is_uncertain"):
            values |= {"attempt": 2, "first_attempt_at": self.clock.now()}
        if isinstance(more.get("incident_id"), str):
            more["incident_id"] = IncidentId(more["incident_id"])
        return Task(**(values | more))

    async def deliver(self, do: str, args: dict[str, Any], **more: Any) -> Verdict:
        (verdict,) = await self.handler(do).deliver(self.task(do, args, **more))
        return verdict

    def trigger(self, title: str = "Disk full", service: str = "PNET001") -> str:
        """An incident created by monitoring a while ago."""
        incident_id = self.world.trigger(service, title)["id"]
        self.clock.advance(10)
        return incident_id

    def writes(self) -> list[str]:
        ended = ("create", "update", "start", "run")
        return [name for name, _ in self.observer.requests if name.endswith(ended)]


@pytest.fixture
def api_key() -> str:
    return ACCOUNT_KEY


@pytest.fixture
async def rig(api_key) -> AsyncIterator[Rig]:
    clock, faults, observer = HandClock(), Faults(), Observer()
    world = seeded_world(clock)
    hooked = Hooked(make_app(world, faults))
    judged = RequestJudge(hooked, SCHEMA) if SCHEMA is not None else None
    async with (
        serve(judged or hooked) as base_url,
        open_http(
            api_url=base_url,
            api_key=api_key,
            timeout_seconds=5,
            ca_file=None,
            observer=observer,
        ) as http,
    ):
        client = PagerDutyClient(http, deadline_seconds=5, observer=observer, clock=clock)
        directory = Directory(client, clock, timedelta(minutes=10))
        yield Rig(
            clock,
            world,
            faults,
            observer,
            client,
            directory,
            hooked,
            Mappings(),
            make_config(),
        )
    assert judged is None or judged.request_violations == []


@pytest.fixture
def configure(rig) -> Callable[..., None]:
    """Sets keys of ``[pagerduty]``, or ``objects``."""

    def change(**settings: object) -> None:
        rig.config = make_config(**settings)

    return change
