"""The API calls of a day without changes: five feeds, default intervals.

The daemon's own loops decide when each side is polled next; the clock is moved there by hand, and the
sandbox answers over HTTP.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import anyio

from bench.bursts import count, open_rig, use_default_pace
from bench.size import Size
from bench.table import Figure
from pagerforce.observe.log import setup_log

FIVE_FEEDS = """
[[objects]]
preset = "remedyforce-incident"
[[objects]]
preset = "case"
[[objects]]
name = "BMCServiceDesk__Task__c"
"""
STREAMED = timedelta(minutes=5)
"""``stream_poll_interval``, as it is by default."""
_POLLS = {"pagerduty": "log_entries.list", "salesforce": "composite"}


def measure(size: Size, folder: Path) -> Iterator[Figure]:
    """Measures calls per poll, and the additional calls."""
    polls, calls = anyio.run(_live, folder / "idle", size.day_hours)
    hours = f"{size.day_hours:g} simulated hours"
    for system, operation in _POLLS.items():
        mine = {name: n for (side, name), n in calls.items() if side == system and n}
        per_poll, beyond = divmod(mine[operation], polls[system])
        rest = {name: n for name, n in mine.items() if name != operation} | {operation: beyond}
        name = {"pagerduty": "PagerDuty", "salesforce": "Salesforce"}[system]
        yield Figure(
            f"idle: {name} calls per poll, five queries",
            "calls",
            [per_poll],
            reach=1,
            note=f"{polls[system]:,} polls in {hours}",
        )
        yield Figure(
            f"idle: {name} comparisons and sweeps, on top of the polls",
            "%",
            [100 * sum(rest.values()) / mine[operation]],
            reach=5,
            note=", ".join(f"{key} {n}" for key, n in sorted(rest.items()) if n) or "none",
        )
    polls, calls = anyio.run(_live, folder / "stream", size.day_hours, STREAMED)
    mine = {name: n for (side, name), n in calls.items() if side == "salesforce" and n}
    yield Figure(
        "idle: Salesforce calls a day while the stream announces every change",
        "calls",
        [sum(mine.values()) * 24 / size.day_hours],
        reach=1_000,
        note=f"{polls['salesforce']:,} polls in {hours}; five queries",
    )


async def _live(
    folder: Path, hours: float, calm: timedelta | None = None
) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Polls and calls of this number of hours. ``calm``: Salesforce's interval with the stream."""
    async with open_rig(folder, FIVE_FEEDS) as rig:
        use_default_pace(rig.desk.config)
        async with rig.daemon() as daemon:
            setup_log("error", "console", environ={})
            await daemon.step(2, seconds=60)
            before, polls = count(daemon), Counter[str]()
            loops = (daemon.parts.pagerduty, daemon.parts.salesforce)
            loops[1]._calm = lambda: calm  # noqa: SLF001 - as a stream that covers all feeds
            due = dict.fromkeys(loops, 0.0)
            passed, end = 0.0, hours * 3600
            while passed < end:
                loop = min(loops, key=due.__getitem__)
                rig.advance(max(0.0, due[loop] - passed))
                passed = max(passed, due[loop])
                await loop._turn()  # noqa: SLF001 - the loop's own turn and pace, on this clock
                polls[loop.side.value] += 1
                due[loop] = passed + loop._delay().total_seconds()  # noqa: SLF001
            return polls, count(daemon) - before
