"""A short run of ``make kills``."""

import os

import pytest

from kills.crash_points import CrashPoint
from kills.harness import run

KILLS = int(os.environ.get("KILLS", "15"))
SEED = int(os.environ.get("SEED", "11"))


async def test_kills_at_any_moment_lose_and_double_nothing(tmp_path):
    result = await run(KILLS, SEED, tmp_path)
    assert result.findings.is_clean, result.full()
    assert result.count == KILLS
    assert sum(result.deeds.values()) > KILLS / 2, "too few deeds to test anything"
    assert any(name.startswith(("before", "during", "after")) for name in result.kills)


@pytest.mark.parametrize("text", ["commit:before:3", "call:after:notes.create:1"])
def test_a_crash_point_is_written_as_it_is_read(text):
    assert str(CrashPoint.parse(text)) == text
