"""The operator's desk over the rig: operations are called as the socket calls them, but in this process."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from pagerforce.config.load import load_config
from pagerforce.service.catalog import CATALOG
from pagerforce.service.control.answer import line_of
from pagerforce.service.control.desk import Desk, Home, Running
from pagerforce.service.control.operations import OPERATIONS
from pagerforce.service.control.peers import Caller
from pagerforce.service.control.roles import Role
from pagerforce.service.state import find_state
from pagerforce.store import links, operators, pauses
from pagerforce.store.journal import Filter
from rig import Daemon

MANAGER = Caller(4711, "mia", frozenset({Role.MANAGER}))


class Office:
    """The desk of a stepped daemon."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.told: list[str] = []

    async def ask(self, word: str, **values: Any) -> Any:
        operation = OPERATIONS[word]
        request = operation.read(json.dumps(values).encode())

        async def tell(text: str, share: float | None = None) -> None:
            self.told.append(text)

        desk = Desk(MANAGER, operation.word_for(request), self.home, tell)
        return json.loads(line_of("result", await operation.run(desk, request)))["result"]

    async def audit(self) -> list[dict[str, Any]]:
        async with self.home.reading.read() as tx:
            return await operators.read_operators(tx, Filter())


@asynccontextmanager
async def open_office(daemon: Daemon) -> AsyncIterator[Office]:
    parts = daemon.parts
    running = Running(parts, list, dict)
    async with parts.state.open(read_only=True) as reading:
        clock = daemon.rig.host
        yield Office(Home(daemon.rig.desk.config, {}, clock, reading, parts.database, running))


@asynccontextmanager
async def open_direct(rig: Any) -> AsyncIterator[Office]:
    """The desk without a daemon."""
    loaded = load_config(rig.desk.config, catalog=CATALOG, environ={})
    state = find_state(loaded.config, {})
    async with state.open() as writing, state.open(read_only=True) as reading:
        yield Office(Home(rig.desk.config, {}, rig.host, reading, writing))


async def pause(daemon: Daemon, member: str) -> None:
    """Pauses an incident's links, as the loop limit does."""
    now = daemon.rig.host.now()
    async with daemon.parts.database.write() as tx:
        lane = await links.join_lanes(tx, [member])
        await pauses.begin(tx, lane, now, now + timedelta(minutes=15), reason="a test")
