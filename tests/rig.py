"""The daemon's parts against the sandbox over real HTTP and real SQLite, stepped by hand.

The test moves both clocks, so that a day takes a second, and they differ by minutes: nothing may
depend on a correct clock of this host.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio

from engines import Frozen, choose_engine
from pagerforce.config.load import load_config
from pagerforce.config.secret import load_secrets
from pagerforce.errors import RemoteError
from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.faults import Fault, FaultKind, Faults
from pagerforce.sandbox.running import RunningSandbox, open_sandbox
from pagerforce.sandbox.salesforce import SalesforceWorld
from pagerforce.sandbox.salesforce.troubles import Trouble, Troubles
from pagerforce.service.catalog import CATALOG
from pagerforce.service.wiring import Parts, wire
from pagerforce.store import journal, links, outbox
from pagerforce.store.journal import Filter

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SKEW = timedelta(minutes=7)
P = "BMCServiceDesk__"
INCIDENT, HISTORY = f"{P}Incident__c", f"{P}IncidentHistory__c"
RAJ, INTEGRATION = "raj.patel@example.com", "integration@example.com"
JANE, SAM = "PJANE01", "PSAMLE1"


class HostClock:
    """The daemon's clock: wrong by ``SKEW``, and moved by hand."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._seconds += seconds

    def set_back(self, seconds: float) -> None:
        """As an operator or NTP may do while the daemon runs, or between two runs."""
        self._now -= timedelta(seconds=seconds)


class Rig:
    """A sandbox and, one after the other, daemons that work on the same state."""

    def __init__(self, desk: RunningSandbox, remote: ManualClock) -> None:
        self.desk = desk
        self.remote = remote
        self.host = HostClock(remote.now() + SKEW)
        self.pd, self.sf = desk.pagerduty, desk.salesforce

    def advance(self, seconds: float) -> None:
        self.remote.advance(seconds)
        self.host.advance(seconds)

    @asynccontextmanager
    async def daemon(
        self,
        *,
        is_shadow: bool = False,
        prepare: Callable[[Parts], None] | None = None,
        delivers_first: bool = False,
    ) -> AsyncIterator["Daemon"]:
        """One life. ``prepare`` may change the parts before they do anything.

        ``delivers_first``: waiting actions are sent before either side is polled, as can happen at any start.
        """
        loaded = load_config(self.desk.config, catalog=CATALOG, environ={})
        secrets = load_secrets(loaded.config, {})
        async with wire(loaded, secrets, self.host, {}, is_shadow=is_shadow) as parts:
            daemon = Daemon(self, parts)
            if prepare is not None:
                prepare(parts)
            async with parts.database.write() as tx:
                await outbox.recover(tx)
            if delivers_first:
                await daemon.deliver()
            await parts.pagerduty_reader.start()
            await parts.salesforce_reader.start()
            await daemon.step()
            yield daemon

    # Moments between two requests ------------------------------------------------------------

    @asynccontextmanager
    async def dying_at(
        self, faults: Faults, method: str, path: str, *, is_served: bool
    ) -> AsyncIterator[None]:
        """The life of the block dies while it waits for the answer to its first such request.

        None of its requests from that moment on arrives, and the next life finds the state file of that
        moment. ``is_served``: that request itself arrived.
        """
        frozen = Frozen(self.desk.config, self.desk.folder / "state" / "pagerforce.db")
        both = (self.desk.pagerduty_faults, self.desk.salesforce_faults)

        def die() -> None:
            frozen.take()
            kind = FaultKind.DROP_AFTER if is_served else FaultKind.DROP_BEFORE
            faults.add(Fault(kind, method=method, path=path))
            for one in both:
                one.add(Fault(FaultKind.DROP_BEFORE, count=1_000_000))

        before(faults, method, path, die)
        try:
            yield
        except* RemoteError:
            pass
        assert frozen.is_taken, f"there was no {method} {path}"
        for one in both:
            one.clear()
        frozen.put_back()

    # The sandbox's people --------------------------------------------------------------------

    def id_of(self, kind: str, name: str) -> str:
        return self.sf.find_id(f"{P}{kind}__c", Name=name)

    def open_record(
        self,
        text: str = "Core switch down",
        category: str = "Network",
        priority: str = "3",
        by: str = RAJ,
    ) -> str:
        values = {
            f"{P}shortDescription__c": text,
            f"{P}FKCategory__c": self.id_of("Category", category),
            f"{P}FKPriority__c": self.id_of("Priority", priority),
            f"{P}FKStatus__c": self.id_of("Status", "NEW"),
        }
        return self.sf.insert(INCIDENT, values, by=by)

    def change(self, record_id: str, by: str = RAJ, **values: Any) -> None:
        self.sf.update(
            INCIDENT, record_id, {f"{P}{key}__c": value for key, value in values.items()}, by=by
        )

    def raise_to_1(self, record_id: str) -> None:
        self.change(record_id, FKPriority=self.id_of("Priority", "1"))

    def set_status(self, record_id: str, name: str, by: str = RAJ) -> None:
        self.change(record_id, by=by, FKStatus=self.id_of("Status", name))

    def comment(self, record_id: str, text: str, by: str = RAJ) -> str:
        values = {
            f"{P}FKIncident__c": record_id,
            f"{P}FKAction__c": self.id_of("Action", "Notes"),
            f"{P}note__c": text,
        }
        return self.sf.insert(HISTORY, values, by=by)

    # Looking at the result -------------------------------------------------------------------

    def record(self, record_id: str) -> dict[str, Any]:
        return self.sf.row(INCIDENT, record_id)

    def status_of(self, record_id: str) -> str:
        return self.sf.row(f"{P}Status__c", self.record(record_id)[f"{P}FKStatus__c"])["Name"]

    def comments_of(self, record_id: str) -> list[str]:
        return [
            row[f"{P}note__c"]
            for row in self.sf.rows(HISTORY)
            if row[f"{P}FKIncident__c"] == record_id
        ]

    def notes_of(self, incident_id: str) -> list[str]:
        return [note["content"] for note in self.pd.notes(incident_id)]

    def incidents(self) -> list[dict[str, Any]]:
        return self.pd.incidents()

    async def paged(self, daemon: "Daemon", text: str = "Core switch down") -> tuple[str, str]:
        """A record raised to priority 1 and the incident created for it."""
        before = {item["id"] for item in self.incidents()}
        record_id = self.open_record(text)
        await daemon.step()
        self.raise_to_1(record_id)
        await daemon.step()
        (incident_id,) = {item["id"] for item in self.incidents()} - before
        return record_id, incident_id


class Daemon:
    """One life of the daemon."""

    def __init__(self, rig: Rig, parts: Parts) -> None:
        self.rig = rig
        self.parts = parts

    async def poll(self) -> int:
        readers = (self.parts.pagerduty_reader, self.parts.salesforce_reader)
        return sum([await reader.poll() for reader in readers if await reader.may_poll()])

    async def deliver(self) -> None:
        await self.parts.deliverer.drain()

    async def step(self, turns: int = 2, seconds: float = 2.0) -> None:
        """Lets some time pass while both sides are polled and all due actions are delivered."""
        for _ in range(turns):
            self.rig.advance(seconds)
            await self.poll()
            await self.deliver()

    async def failing_polls(self, error: type[Exception], most: int = 50) -> int:
        """Polls every half minute until a poll succeeds; returns how many failed before."""
        for failed in range(most):
            self.rig.advance(30)
            try:
                await self.poll()
            except error:
                continue
            return failed
        raise AssertionError(f"{most} polls failed")

    async def links(self) -> list[tuple[str, str, str]]:
        async with self.parts.database.read() as tx:
            found = await links.read_links(tx)
        return [(link.incident_id, link.record_id, link.state.value) for link in found]

    async def log(self) -> list[dict[str, Any]]:
        async with self.parts.database.read() as tx:
            return await journal.read_log(tx, Filter())

    async def actions(self) -> list[dict[str, Any]]:
        return [action for entry in await self.log() for action in entry["actions"]]

    async def outcomes(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for action in await self.actions():
            key = f"{action['action']} {action['outcome']}"
            counts[key] = counts.get(key, 0) + 1
        return counts

    async def dead_letters(self) -> list[dict[str, Any]]:
        async with self.parts.database.read() as tx:
            return await journal.read_dead_letters(tx)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.parts.metrics.registry.get_sample_value(f"pagerforce_{name}", labels)


def before(faults: Faults, method: str, path: str, act: Callable[[], None]) -> None:
    """Something happens right before the first request of this method to such a path is served."""

    async def look(asked: str, at: str) -> None:
        if asked == method and re.search(path, at):
            faults.on_request = None
            act()

    faults.on_request = look


def after(faults: Faults, method: str, path: str, act: Callable[[], None]) -> None:
    """Something happens between the first such request and the next request to that side."""

    async def wait(*_: str) -> None:
        faults.on_request = None
        act()

    def arm() -> None:
        faults.on_request = wait

    before(faults, method, path, arm)


class _Between(Troubles):
    """Acts between an update of an object and the next query of it."""

    def __init__(self, object_name: str, act: Callable[[], None]) -> None:
        super().__init__([Trouble("row_lock", object="None of this name")])
        self._object, self._act, self._is_updated, self._is_over = object_name, act, False, False

    def meet(self, operation: str, object_name: str) -> None:
        if self._is_over or object_name.lower() != self._object.lower():
            return
        self._is_updated = self._is_updated or operation == "update"
        if self._is_updated and operation == "query":
            self._is_over = True
            self._act()


def between(world: SalesforceWorld, object_name: str, act: Callable[[], None]) -> None:
    """Something happens between a write and the read after it, also within one request."""
    world.troubles = _Between(object_name, act)


@asynccontextmanager
async def held(
    faults: Faults, method: str, path: str, work: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """The block runs while ``work`` waits for the first such request to be served; then it ends."""
    came, may_go = anyio.Event(), anyio.Event()

    async def hold(asked: str, at: str) -> None:
        if asked == method and re.search(path, at) and not came.is_set():
            came.set()
            await may_go.wait()

    faults.on_request = hold
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        with anyio.fail_after(30):
            await came.wait()
        yield
        may_go.set()
    faults.on_request = None


@asynccontextmanager
async def open_rig(folder: Path, rules: str | None = None) -> AsyncIterator[Rig]:
    clock = ManualClock(START)
    async with open_sandbox(folder, clock=clock, rules=rules) as desk:
        choose_engine(desk.config)
        yield Rig(desk, clock)
