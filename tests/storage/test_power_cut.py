"""A power cut at any moment: the daemon starts from the disk's content, against the world as it is then.

The disk after a power cut: the database file and its log at that moment; of an unfinished commit any
first part of what it wrote to the log, whole or torn.
"""

import os
import random
import shutil

import pytest

from engines import IS_POSTGRESQL
from rig import open_rig
from storage.faulty import watch
from storage.story import ACTS, Story, check, check_state

pytestmark = pytest.mark.skipif(IS_POSTGRESQL, reason="copies SQLite's file and its log")


class PowerCut(BaseException):
    """Nothing runs after it."""


class Plug:
    """Cuts the power at the n-th statement from now on, and keeps the disk's content of that moment."""

    def __init__(self, folder, rng):
        self._database = folder / "state" / "pagerforce.db"
        self._kept = folder / "after the cut"
        self._rng = rng
        self._left = None
        self._is_torn = False
        self._before_commit = 0
        self.cuts = 0
        self.torn = 0

    def arm(self, statements, *, is_torn=False):
        """Cuts at that statement; torn: in the first commit after it that writes anything."""
        self._left = statements
        self._is_torn = is_torn

    def disarm(self):
        self._left = None

    async def before(self, sql, _number):
        if self._left is None:
            return
        if sql == "COMMIT":
            self._before_commit = self._log_size()
        self._left -= 1
        if self._left <= 0 and not self._is_torn:
            self._cut()

    async def after(self, sql, _number):
        is_due = self._left is not None and self._left <= 0 and self._is_torn and sql == "COMMIT"
        if is_due and self._log_size() > self._before_commit:
            self._cut()

    def _log(self):
        return self._database.with_name("pagerforce.db-wal")

    def _log_size(self):
        return self._log().stat().st_size if self._log().exists() else 0

    def _cut(self):
        self.disarm()
        self.cuts += 1
        shutil.rmtree(self._kept, ignore_errors=True)
        self._kept.mkdir()
        for path in (self._database, self._log()):
            if path.exists():
                shutil.copy(path, self._kept)
        if self._is_torn:
            self.torn += 1
            log = self._kept / self._log().name
            length = self._rng.randrange(self._before_commit, self._log_size())
            content = log.read_bytes()[:length]
            if self._rng.random() < 0.5:  # the rest of a page keeps its old content
                content += os.urandom(self._rng.randrange(4096))
            log.write_bytes(content)
        raise PowerCut

    def power_on(self):
        """The machine starts with the disk's content."""
        state = self._database.parent
        for path in state.glob("pagerforce.db*"):
            path.unlink()
        for path in self._kept.iterdir():
            shutil.copy(path, state)


async def live(rig, plug):
    """One life of the daemon, from its start on; raises at the power cut."""
    watched = lambda parts: watch(parts.database, plug.before, plug.after)  # noqa: E731
    async with rig.daemon(prepare=watched) as daemon:
        await daemon.step(2, seconds=3)
        plug.disarm()


async def survive(rig, plug):
    """Whether a life ended without a cut; after one, the machine is on again."""
    try:
        await live(rig, plug)
    except (PowerCut, BaseExceptionGroup) as error:
        if not is_cut(error):
            raise
        plug.power_on()
        rig.advance(1)
        return False
    return True


# More lives than everyday tests have time for: PAGERFORCE_HOSTILE_SEEDS=20 make hostile
SEEDS = int(os.environ.get("PAGERFORCE_HOSTILE_SEEDS", "1"))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_cuts_at_any_statement_lose_and_double_nothing(tmp_path, seed):
    rng = random.Random(seed)
    async with open_rig(tmp_path) as rig:
        plug = Plug(tmp_path, rng)
        story = Story(rig)
        async with rig.daemon():
            pass
        for act in range(ACTS):
            story.act(act)
            reach = 60  # the further it gets the later the next cut may be, so that it finishes
            plug.arm(rng.randint(1, reach), is_torn=True)
            while not await survive(rig, plug):
                reach += 30
                plug.arm(rng.randint(1, reach), is_torn=rng.random() < 0.4)
        async with rig.daemon() as daemon:
            await daemon.step(6, seconds=70)
            check(rig)
            await check_state(daemon)
        assert plug.cuts > ACTS
        assert plug.torn > 0


def is_cut(error):
    if isinstance(error, BaseExceptionGroup):
        return all(is_cut(item) for item in error.exceptions)
    return isinstance(error, PowerCut)
