"""The kind of history of a seed: the daemon's configuration, the difficulties of its life, the duration."""

from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from pagerforce.pipeline.pace import Sweep
from pagerforce.sandbox.pagerduty.edits import Both
from simulation.hints import draw_interval

HARM = (0.0, 0.3, 0.6, 1.0)
CRASH_RATES = (0.0, 0.5, 0.9)
DEEDS = (20, 50)
SHORT_ABSENCE, LONG_ABSENCE = 30, 400
_CROWDED_SWEEP_SECONDS = 90
_SWEEP = 900  # pipeline/read_pagerduty.py; Salesforce's is shorter
LONG_EVERY = 50
"""One in this number of seeds uses the daemon's own default windows; it takes an hour and more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the daemon of a history is configured, and how long a history takes. All in seconds.

    Attributes:
        stream: interval of Salesforce's polls while its change events arrive. None: no stream.
        sweep: interval of the polls that look back as far as an entry may be late, on a crowded
            side. None: the sides are calm, and every poll does.
    """

    calm: int
    busy: int
    late_pagerduty: int = 90
    late_salesforce: int = 90
    reconcile: int = 60
    sweep: int | None = None
    stream: int | None = None

    @property
    def looking_back(self) -> int:
        """Seconds within which a poll looks back as far as it ever does."""
        return 2 * self.rarest + 10 + (self.sweep or 0)

    @property
    def rarest(self) -> int:
        """The longest wait between two polls while all is well."""
        return max(self.calm, self.stream or 0)

    @property
    def first_look_back(self) -> int:
        """No life's first poll looks further back: an earlier life's last wide poll is one sweep old."""
        return max(self.late_pagerduty, self.late_salesforce) + (self.sweep or _SWEEP) + 60

    def as_sweep(self) -> Sweep | None:
        """In the form that the readers accept: any wide poll finds too much to repeat it every time."""
        return None if self.sweep is None else Sweep(0, timedelta(seconds=self.sweep))


_PACES = ((15, 4), (20, 8), (30, 10))
_LONG = Pace(60, 15, late_pagerduty=3600, late_salesforce=900, reconcile=300)


@dataclass(frozen=True, slots=True)
class Plan:
    """The kind of a history.

    Attributes:
        harm: 0 to 1, how bad the faults are.
        crash_rate: how many lives end by a crash.
        is_neglected: nobody starts a dead daemon again for minutes, longer than its polls look back;
            and as it then has much to catch up with, it is likely to die again while it does.
        slowness: factor by which people take longer than usual.
        deeds: how many things people do.
        has_refresher: the status page is kept up to date; it only reads and costs much.
        assign_to: who is assigned to an incident that a rule acknowledges.
        both: how PagerDuty handles an acknowledgement that assigns as well.
    """

    pace: Pace
    harm: float
    crash_rate: float
    is_neglected: bool
    slowness: float
    deeds: int
    has_refresher: bool
    assign_to: str
    both: Both

    def gap(self, dice: Random) -> float:
        """Seconds between two deeds: people come in bursts."""
        gaps = [0.0, dice.uniform(0, 2), dice.expovariate(1 / 6), dice.expovariate(1 / 10)]
        return dice.choice(gaps) * self.slowness


def draw_plan(seed: int, dice: Random) -> Plan:
    """The kind of a seed's history."""
    pace = _pace(dice) if seed % LONG_EVERY else _LONG
    is_neglected = dice.random() < 0.35
    own = Random(f"{seed}/assign_to")  # so that older histories stay the same
    return Plan(
        replace(pace, stream=draw_interval(seed, pace.calm)),
        harm=dice.choice(HARM),
        crash_rate=dice.choice(CRASH_RATES[-1:] if is_neglected else CRASH_RATES),
        is_neglected=is_neglected,
        slowness=3.0 if is_neglected else 1.0,
        deeds=dice.randrange(*DEEDS),
        has_refresher=dice.random() < 0.1,
        assign_to=own.choice(["writer", "actor", "unchanged", "unchanged"]),
        both=own.choice([*Both]),
    )


def _pace(dice: Random) -> Pace:
    calm, busy = dice.choice(_PACES)
    return Pace(
        calm,
        busy,
        late_pagerduty=dice.choice([60, 90, 120]),
        late_salesforce=dice.choice([60, 90, 120]),
        reconcile=dice.choice([60, 60, 300]),
        sweep=_CROWDED_SWEEP_SECONDS if dice.random() < 0.25 else None,
    )
