"""Whole histories of the real daemon on a simulated clock; see docs/guarantees.md.

Processes of their own play them, with a fixed hash seed: a seed is the same history everywhere.
A failure prints the command that replays its seed with the history.
"""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from simulation.automation import draw_org
from simulation.moods import KINDS

TESTS = Path(__file__).parents[1]
SEEDS, CHUNK = 200, 20
SECONDS = 900  # ends a hang; it measures nothing

FOUND = {
    "cursor-before-commit": ("1-120", "nothing lost"),
    "row-cursor-before-commit": ("121-240", "nothing lost"),
    "expectation-not-consumed": ("1-120", "nothing lost"),
    "note-not-looked-for": ("1-120", "no second note"),
}
"""Mistakes of ``simulation.bugs``: seeds among which it is found, and the promise that it breaks.

Most are found within the first thirty seeds. A row's cursor that moved too early costs only rows that no
later poll looks back to; that takes a long outage at the right moment."""


LEARNED = ("1179", "1891", "3068", "3899", "4455")
"""Seeds above those that every run plays, in which a promise was once broken."""


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-m", "simulation", *arguments],
        capture_output=True,
        text=True,
        env=environ,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_every_promise_is_kept(first):
    done = simulate(f"{first}-{first + CHUNK - 1}", "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("seed", LEARNED)
def test_a_promise_that_was_once_broken_is_kept(seed):
    done = simulate(seed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_is_the_same_history_every_time():
    first, second = simulate("9"), simulate("9", hash_seed="1")
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) > 50
    assert "daemon killed" in first.stdout
    assert simulate("5").stdout != first.stdout


def test_enough_orgs_rewrite_and_lose_answers():
    orgs = [draw_org(Random(f"{seed}/org")) for seed in range(1, 1001)]
    automated = [org for org in orgs if org.is_automated]
    assert len(automated) > len(orgs) / 3
    assert all(len(org.names) >= 3 for org in automated)
    losing = [org for org in automated if org.rewrites and "lost" in org.moods]
    assert len(losing) > len(orgs) / 5
    assert sum(not org.has_key for org in losing) > len(orgs) / 5
    assert {kind for org in orgs for kind in org.moods} == {"lost", *KINDS}


@pytest.mark.parametrize("bug", FOUND)
def test_an_inserted_mistake_is_found(bug):
    seeds, promise = FOUND[bug]
    done = simulate(seeds, "--jobs", "1", "--first", "--bug", bug)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"BROKEN: {promise}" in done.stdout, done.stdout
