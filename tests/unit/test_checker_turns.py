"""Turns at the checker: nobody who asks repeatedly blocks the others."""

import anyio
import pytest

from pagerforce.service.checker.turns import MOST, BusyError, Line, Turns


async def take(line, uid, log, seconds=5.0):
    async with line.turn(uid, seconds):
        log.append(uid)
        await anyio.sleep(0.01)


async def test_turns_go_round_among_users():
    line, log = Line(), []
    async with anyio.create_task_group() as group:
        for uid in (1, 1, 1, 1, 2, 2, 3):
            group.start_soon(take, line, uid, log)
    assert log[0] == 1
    assert sorted(log[1:3]) == [2, 3], log
    assert sorted(log) == [1, 1, 1, 1, 2, 2, 3]


async def test_a_turn_that_does_not_come_in_time_is_cancelled_and_leaves_nothing_behind():
    line, log = Line(), []
    async with line.turn(1, 1.0):
        with pytest.raises(BusyError, match="try again"):
            await take(line, 2, log, 0.05)
        with anyio.move_on_after(0.05):
            await take(line, 3, log)
    await take(line, 4, log, 0.05)
    assert log == [4]


async def test_one_user_has_two_places_and_all_together_a_few():
    line = Line()
    async with line.place(1), line.place(1):
        with pytest.raises(BusyError, match="this user"):
            async with line.place(1):
                pass
        async with anyio.create_task_group() as group:
            for uid in range(2, MOST):
                group.start_soon(hold, line, uid)
            await anyio.sleep(0.05)
            with pytest.raises(BusyError, match="too many"):
                async with line.place(99):
                    pass
            group.cancel_scope.cancel()
    async with line.place(1):
        pass


async def hold(line, uid):
    async with line.place(uid):
        await anyio.sleep_forever()


async def test_who_puts_rules_in_force_does_not_wait_for_those_who_try_them():
    turns = Turns()
    async with turns.common.turn(1, 1.0):
        async with turns.applying.turn(2, 0.05):
            pass
