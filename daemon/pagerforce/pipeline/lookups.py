"""Reads incidents one by one, so that one with a lasting bad answer does not stop the others.

A poll reads an incident by its id if the log and the list don't show enough. An error fails the
poll, and the next poll tries again: nothing is lost. But if the same incident can never be read, no
poll would ever succeed. So it is given up after a while: a flaw is reported, and the poll
continues.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

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
"""Refused or malformed answers in a row for one incident, before it is given up."""
PATIENCE_SECONDS = 600.0
"""How long an incident that can't be read for another reason fails the poll."""
_MOST = 1_000
_CONCERNS_ALL = (BudgetError, CredentialsError, PacedError)


class Look(Struct, frozen=True):
    """The result of a request for one incident.

    Attributes:
        incident: None if it is gone, not visible to the key, or given up.
        is_given_up: it could not be read, so its state is unknown.
    """

    incident: Incident | None = None
    is_given_up: bool = False


_GIVEN_UP = Look(is_given_up=True)


def unread(incident: Incident) -> Incident:
    """A given-up incident as a list showed it: the next reconcile treats it as changed."""
    return replace(incident, updated_at=None)


class _Trouble(Struct):
    """Since when an incident could not be read, in seconds, and how often."""

    since: float
    times: int = 0


class Lookups(Struct):
    """Reads incidents by id for one reader. It remembers failures in memory only.

    Attributes:
        find: asks PagerDuty; None if the incident is gone or not visible to the key.
    """

    find: Callable[[IncidentId], Awaitable[Incident | None]]
    reporter: Reporter
    clock: Clock
    _troubles: dict[IncidentId, _Trouble] = msgspec.field(default_factory=dict)
    _none_since: float | None = None

    async def read(self, incident_id: IncidentId, *, odd_answers: int = ODD_ANSWERS) -> Look:
        """One incident.

        Args:
            incident_id: its id.
            odd_answers: refused or malformed answers in a row before it is given up; 1 for callers
                that can wait for the next round.

        Raises:
            RemoteError: it could not be read; a repeated poll may succeed.
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
        """Several incidents. Bad answers for many of them cost as many polls as for one.

        Raises:
            RemoteError: one could not be read; a repeated poll may succeed.
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
        """Records one more failure; whether to give the incident up."""
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
