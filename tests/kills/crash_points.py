"""Named moments for a test to kill the daemon. The product has no code for this.

A point is ``commit:before:7`` (the seventh COMMIT of this life), ``commit:after:7``, or
``call:before|during|after:OPERATION:2`` (the second request of that operation: not sent; sent and
not answered; answered, and nothing done with the answer).
"""

import os
import signal
import threading
from dataclasses import dataclass

import aiosqlite
import httpx

from pagerforce.wire.transport import OPERATION

_UNDER_WAY_SECONDS = 0.003  # long enough to send a request on loopback, too short for its answer


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """``operation`` is empty for a commit; ``number`` counts from 1."""

    when: str
    operation: str
    number: int

    def __str__(self) -> str:
        place = f"call:{self.when}:{self.operation}" if self.operation else f"commit:{self.when}"
        return f"{place}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> "CrashPoint":
        seam, when, *operation, number = text.split(":")
        assert seam == ("call" if operation else "commit"), text
        return cls(when, "".join(operation), int(number))


def arm(point: CrashPoint) -> None:
    """Lets this process die at the point. The hooks are in libraries, none is in the product."""
    left = [point.number]

    def is_reached() -> bool:
        left[0] -= 1
        return left[0] == 0

    if point.operation:
        _arm_calls(point, is_reached)
    else:
        _arm_commits(point, is_reached)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm_commits(point, is_reached) -> None:
    if os.environ.get("STATE") == "postgresql":
        import psycopg  # noqa: PLC0415 - optional

        driver, word = psycopg.AsyncConnection, b"COMMIT"
    else:
        driver, word = aiosqlite.Connection, "COMMIT"
    execute = driver.execute

    async def commit(connection):
        is_now = is_reached()
        if is_now and point.when == "before":
            _die()
        cursor = await execute(connection, word)
        if is_now:
            _die()
        return cursor

    def wrapped(self, sql, parameters=None):
        return commit(self) if sql == word else execute(self, sql, parameters)

    driver.execute = wrapped


def _arm_calls(point, is_reached) -> None:
    send = httpx.AsyncClient.send

    async def wrapped(self, request, **options):
        is_now = request.extensions.get(OPERATION) == point.operation and is_reached()
        if is_now and point.when == "before":
            _die()
        if is_now and point.when == "during":
            threading.Timer(_UNDER_WAY_SECONDS, _die).start()
        response = await send(self, request, **options)
        if is_now:
            _die()
        return response

    httpx.AsyncClient.send = wrapped
