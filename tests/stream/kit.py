"""The real stream loop over HTTP against the sandbox, with durations of tenths of seconds."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import structlog

from pagerforce.model.ids import Side
from pagerforce.observe.metrics import Metrics
from pagerforce.salesforce.auth import JwtSession
from pagerforce.salesforce.stream.conversation import Timing
from pagerforce.salesforce.stream.line import StreamLine
from pagerforce.salesforce.stream.loop import StreamLoop
from pagerforce.sandbox.clock import WallClock
from pagerforce.sandbox.faults import Faults
from pagerforce.sandbox.salesforce import SalesforceWorld, make_app, seeded_world
from pagerforce.sandbox.server import serve
from pagerforce.service.clock import SystemClock
from pagerforce.wire.transport import build_client
from salesforce.kit import CATEGORY, HISTORY, INCIDENT, Key, key_pair, settings_for

QUICK = Timing(wait=0.3, held=2.0, grace=1.0, quick=10.0, spacing=0.01, again=1.0, busy=0.2)
SCALE = 0.01
"""Of the waits after an end: a refusal is tried again after three seconds."""


@dataclass
class Bench:
    """A world, the loop and what it did."""

    world: SalesforceWorld
    faults: Faults
    line: StreamLine
    loop: StreamLoop
    metrics: Metrics
    wakes: list[float] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    beats: int = 0

    @property
    def knobs(self):
        return self.world.streaming.knobs

    def change(self) -> str:
        values = {CATEGORY: self.world.find_id("BMCServiceDesk__Category__c", Name="Network")}
        return self.world.insert(INCIDENT, values)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [item for item in self.log if item["event"] == name]

    def up(self) -> float:
        return self.metrics.registry.get_sample_value("pagerforce_stream_up")

    def beat(self) -> None:
        self.beats += 1


async def until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    with anyio.fail_after(seconds):
        while not is_so():
            await anyio.sleep(0.01)


@asynccontextmanager
async def bench(
    *, feeds=(INCIDENT, HISTORY), runs: bool = True, timing=QUICK, **knobs
) -> AsyncIterator[Bench]:
    world = seeded_world(WallClock())
    world.trust(key_pair()[1])
    world.streaming.knobs.hold_seconds = 1.0
    for name, value in knobs.items():
        setattr(world.streaming.knobs, name, value)
    faults, clock, metrics = Faults(), SystemClock(), Metrics("1", [])
    async with serve(make_app(world, faults)) as url:

        def client():
            return build_client(
                base_url=url,
                timeout_seconds=5,
                ca_file="",
                observer=metrics,
                system=Side.SALESFORCE,
                headers={},
            )

        async with client() as http, client() as stream_http:
            session = JwtSession(settings_for(url), Key(), http, clock)
            line = StreamLine(session, stream_http, "62.0")
            loop = StreamLoop(
                line, lambda: feeds, clock, metrics, random.Random(1), timing=timing, scale=SCALE
            )
            made = Bench(world, faults, line, loop, metrics)
            loop.wake = lambda: made.wakes.append(clock.monotonic())
            with structlog.testing.capture_logs() as log:
                made.log = log
                async with anyio.create_task_group() as group:
                    if runs:
                        group.start_soon(loop.run, made.beat)
                    yield made
                    loop.stop()
                    group.cancel_scope.deadline = anyio.current_time() + 3
