"""Incidents read one by one, so that one whose answer stays odd costs nothing but itself.

A poll reads an incident by its id where the log and the list don't show enough. An error there fails the
poll, and the next poll tries again: nothing is lost. But where it is always the same incident that can't be
read, no poll would ever succeed, so it is given up after a while: a flaw, reported, and the poll goes on.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    MalformedError,
    PacedError,
    RefusedError,
    RemoteError,
)
from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import Incident
from pagerforce.model.ports import Clock, Flaw
from pagerforce.pipeline.poll import Reporter

ODD_ANSWERS = 3
"""Answers in a row about one incident that are refused or malformed, before it is given up."""
PATIENCE_SECONDS = 600.0
"""For so long an incident that can't be read for another reason fails the poll."""
_MOST = 1_000
_CONCERNS_ALL = (BudgetError, CredentialsError, PacedError)


@dataclass(frozen=True, slots=True)
class Look:
    """What a request for one incident showed.

    Attributes:
        incident: None where it is gone or out of the key's sight, or was given up.
        is_given_up: it could not be read; nothing was concluded.
    """

    incident: Incident | None = None
    is_given_up: bool = False


_GIVEN_UP = Look(is_given_up=True)


def unread(incident: Incident) -> Incident:
    """An incident that was given up, as a list showed it: the next reconcile takes it for changed."""
    return replace(incident, updated_at=None)


@dataclass(slots=True)
class _Trouble:
    """Since when an incident could not be read, in seconds, and how often."""

    since: float
    times: int = 0


@dataclass(slots=True)
class Lookups:
    """Reads incidents by id for one reader. What it remembers of troubles is kept in memory.

    Attributes:
        find: asks PagerDuty; None where the incident is gone or out of the key's sight.
    """

    find: Callable[[IncidentId], Awaitable[Incident | None]]
    reporter: Reporter
    clock: Clock
    _troubles: dict[IncidentId, _Trouble] = field(default_factory=dict)
    _none_since: float | None = None

    async def read(self, incident_id: IncidentId, *, odd_answers: int = ODD_ANSWERS) -> Look:
        """One incident.

        Args:
            incident_id: whose.
            odd_answers: how many refused or malformed ones in a row are waited for; those that can do
                without the incident until the next round give 1.

        Raises:
            RemoteError: it could not be read, and may be when the poll is repeated.
        """
        look = _GIVEN_UP
        with self.reporter.contained(f"incident {incident_id}"):
            try:
                look = Look(await self.find(incident_id))
            except RemoteError as error:
                if not self._is_hopeless(incident_id, error, odd_answers):
                    raise
                self.reporter.flaws((Flaw(f"incident {incident_id}", str(error)),))
            else:
                self._troubles.pop(incident_id, None)
                self._none_since = None
        return look

    async def read_all(self, incident_ids: Iterable[IncidentId]) -> Mapping[IncidentId, Look]:
        """Several incidents. Odd answers about many of them cost as many polls as about one.

        Raises:
            RemoteError: one could not be read, and may be when the poll is repeated.
        """
        looks: dict[IncidentId, Look] = {}
        first: RemoteError | None = None
        for incident_id in incident_ids:
            try:
                looks[incident_id] = await self.read(incident_id)
            except (RefusedError, MalformedError) as error:
                first = first or error
        if first is not None:
            raise first
        return looks

    def _is_hopeless(self, incident_id: IncidentId, error: RemoteError, odd_answers: int) -> bool:
        """Takes down one more failure; whether to do without the incident."""
        if isinstance(error, _CONCERNS_ALL):
            return False
        now = self.clock.monotonic()
        if isinstance(error, RefusedError | MalformedError):
            trouble = self._trouble(incident_id, now)
            trouble.times += 1
            return trouble.times >= odd_answers
        self._none_since = now if self._none_since is None else self._none_since
        since = min(self._none_since, self._trouble(incident_id, now).since)
        return now - since >= PATIENCE_SECONDS

    def _trouble(self, incident_id: IncidentId, now: float) -> _Trouble:
        known = self._troubles.get(incident_id)
        if known is None:
            if len(self._troubles) >= _MOST:
                del self._troubles[next(iter(self._troubles))]
            known = self._troubles[incident_id] = _Trouble(now)
        return known
