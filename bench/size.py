"""The amount of work of each benchmark: in full, or just enough to see that it still works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Amounts; ``runs``: of short measurements, ``long_runs``: of measurements that take a minute.

    Attributes:
        day_hours: simulated hours without changes.
        burst: changes within a minute.
        live_seconds: real time with changes once a second each way.
        calm_changes: changes each way at the default intervals, on a simulated clock.
        rows / entries: of one ingest.
        backlogs: entries, and as many rows, of an outage.
        snapshots: in the store of the large installation.
        idle_seconds: real time without changes.
        loaded: entries, and as many rows, that the alternatives load.
        written: changes that the alternatives write.
    """

    runs: int = 5
    long_runs: int = 3
    day_hours: float = 24.0
    burst: int = 1_000
    live_seconds: int = 60
    calm_changes: int = 60
    rows: int = 10_000
    entries: int = 10_000
    backlogs: tuple[int, ...] = (10_000, 30_000, 100_000)
    snapshots: int = 1_000_000
    idle_seconds: int = 60
    loaded: int = 20_000
    written: int = 500


FULL = Size()
SMOKE = Size(
    runs=1,
    long_runs=1,
    day_hours=0.25,
    burst=20,
    live_seconds=3,
    calm_changes=2,
    rows=200,
    entries=100,
    backlogs=(200, 400),
    snapshots=2_000,
    idle_seconds=2,
    loaded=300,
    written=10,
)
