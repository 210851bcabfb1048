"""No space at any statement, one after the other: nothing is lost, nothing done twice, nothing left half."""

import pytest

from pagerforce.errors import StoreUnavailableError
from rig import open_rig
from storage.faulty import sqlite_error, watched
from storage.story import ACTS, Story, check, check_state


class EveryStatement:
    """Fails every statement of every transaction once: whatever follows upon the same statements.

    ``renew`` lets all of them fail anew.
    """

    def __init__(self, name):
        self._name = name
        self._failed = set()
        self._so_far = ()
        self.hits = 0

    async def __call__(self, sql, number):
        self._so_far = (*self._so_far[: number - 1], sql)
        if self._so_far not in self._failed:
            self._failed.add(self._so_far)
            self.hits += 1
            raise sqlite_error(self._name)

    def renew(self):
        self._failed.clear()


async def persist(task):
    """What the loops do: a failed turn is followed by another."""
    while True:
        try:
            return await task()
        except StoreUnavailableError:
            continue


async def test_every_statement_of_a_life_fails_once(tmp_path, monkeypatch):
    # The waits between the tries to store an outcome are the wall's, not the rig's.
    monkeypatch.setattr(deliver, "_FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(deliver, "_LONGEST_WAIT_SECONDS", 0.001)
    fault = EveryStatement("SQLITE_FULL")
    async with open_rig(tmp_path) as rig, watched(rig, before=fault) as daemon:
        story = Story(rig)
        for number in range(ACTS):
            story.act(number)
            fault.renew()
            for _ in range(3):
                rig.advance(3)
                await persist(daemon.parts.pagerduty_reader.poll)
                await persist(daemon.parts.salesforce_reader.poll)
                for _ in range(20):  # each try rests for a moment after a fault
                    await persist(daemon.deliver)
                    rig.advance(2.1)
        assert fault.hits > 100
        check(rig)
        await check_state(daemon)
