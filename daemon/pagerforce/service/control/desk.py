"""The operator's desk: the environment of the commands' operations.

The same operations run inside the daemon, for a caller on the control socket, and inside the
command itself if no daemon runs; ``Home`` is the difference.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Protocol

import anyio
import msgspec
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from pagerforce.config.load import Loaded, load_config
from pagerforce.config.secret import load_secrets
from pagerforce.errors import ForbiddenError, PagerforceError, StoreError
from pagerforce.model.ports import Clock
from pagerforce.service.applied import load_in_force
from pagerforce.service.catalog import CATALOG
from pagerforce.service.checker.turns import Turns
from pagerforce.service.control.peers import Caller
from pagerforce.service.orgs import org_of
from pagerforce.service.sides import PagerDutySide, SalesforceSide, open_sides
from pagerforce.service.wiring import Parts
from pagerforce.store.database import Database, Transaction
from pagerforce.store.operators import OperatorAction, record_operator

Give = Callable[[bytes], Awaitable[None]]
"""Sends the caller some bytes; returns once they are sent."""


class Tell(Protocol):
    """Reports the progress of a long operation: a text, and a share from 0 to 1 if known."""

    async def __call__(self, text: str, share: float | None = None) -> None:
        """Reports the progress."""


async def give_nothing(_: bytes) -> None:
    """For callers that accept no bytes; raises ``PagerforceError``."""
    raise PagerforceError("this caller accepts no bytes")


Name = Annotated[str, Field(max_length=255)]
"""An id, a number or a name."""


class Request(BaseModel):
    """The request of a command; each command has its own form. Unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        defer_build=True,  # at the first request: the daemon starts without them
    )


class Running(Struct, frozen=True):
    """The daemon around the desk. ``unready``: what readiness still waits for."""

    parts: Parts
    unready: Callable[[], list[str]]
    halted: Callable[[], Mapping[str, str]]


class Home(Struct, frozen=True):
    """The place of the desk: inside the daemon or inside a command.

    Attributes:
        reading: its own connection, so that a long read does not delay the daemon's loops; None if
            no daemon has run yet and the command does not need the state.
        writing: None if the command changes nothing and no daemon runs.
        running: None without a daemon.
        copying: held while a copy of the state is created and sent.
        turns: the turns of the checkers.
    """

    config: Path
    environ: Mapping[str, str]
    clock: Clock
    reading: Database | None
    writing: Database | None = None
    running: Running | None = None
    copying: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    turns: Turns = msgspec.field(default_factory=Turns)


class Desk(Struct, frozen=True):
    """One call of one operator.

    Attributes:
        command: its word in the role table, e.g. ``links add``.
        tell: reports the progress of a long operation.
        give: sends the caller bytes, for operations that return a file.
        lines: the lines after the form, for operations that accept them.
    """

    caller: Caller
    command: str
    home: Home
    tell: Tell
    give: Give = give_nothing
    lines: AsyncIterator[bytes] | None = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Reads the state."""
        if self.home.reading is None:
            raise StoreError("there is no state database; has the daemon run on this host?")
        async with self.home.reading.read() as tx:
            yield tx

    @asynccontextmanager
    async def change(
        self,
        arguments: Mapping[str, object],
        *,
        incident: str | None = None,
        object_name: str | None = None,
        record: str | None = None,
    ) -> AsyncIterator[Transaction]:
        """Opens a writing transaction that also records the operator; an error rolls it back."""
        if self.home.writing is None:
            raise ForbiddenError(f"{self.command}: the state is open read-only")
        async with self.home.writing.write() as tx:
            yield tx
            done = OperatorAction(
                self.caller.uid,
                self.caller.user,
                sorted(role.value for role in self.caller.roles),
                self.command,
                arguments,
                incident_id=incident,
                object=object_name,
                record_id=record,
            )
            await record_operator(tx, done, self.home.clock.now())

    async def loaded(self) -> Loaded:
        """Returns the configuration and the rules in force; raises ``ConfigError``."""
        if self.home.running is not None:
            return self.home.running.parts.rules.loaded
        home = self.home
        if home.reading is None:
            return load_config(home.config, catalog=CATALOG, environ=home.environ)
        return await load_in_force(home.config, home.reading, catalog=CATALOG, environ=home.environ)

    @asynccontextmanager
    async def sides(self) -> AsyncIterator[tuple[PagerDutySide, SalesforceSide]]:
        """Gives both clients: the daemon's, or own ones. Raises ``ConfigError`` without secrets."""
        if self.home.running is not None:
            parts = self.home.running.parts
            yield parts.pagerduty_side, parts.salesforce_side
            return
        loaded = await self.loaded()
        secrets = load_secrets(loaded.config, self.home.environ)
        made_with = await org_of(self.home.reading)
        async with open_sides(loaded, secrets, self.home.clock, made_with) as sides:
            yield sides

    def running(self) -> Running:
        """Returns the running daemon; raises ``PagerforceError`` if there is none."""
        if self.home.running is None:
            raise PagerforceError(
                f"{self.command} needs the running daemon, but none answers: start it with "
                "`systemctl start pagerforce` or `pagerforce run`"
            )
        return self.home.running

    def wake(self) -> None:
        """Wakes the delivery: there may be something to send."""
        if self.home.running is not None:
            self.home.running.parts.deliverer.wake()
