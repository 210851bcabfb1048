"""The new series is exposed from the start, and counts."""

import sys
from pathlib import Path

import anyio
from prometheus_client import generate_latest

from rules.kit import PAGE, staged

DO = "pagerduty.create_incident"


async def main(folder):
    async with staged(folder, PAGE) as (rig, daemon):
        assert daemon.sample("attempts_total", action=DO) == 0
        await rig.paged(daemon)
        assert daemon.sample("attempts_total", action=DO) == 1
        text = generate_latest(daemon.parts.metrics.registry).decode()
        assert f'pagerforce_attempts_total{{action="{DO}"}} 1.0' in text


anyio.run(main, Path(sys.argv[1]))
