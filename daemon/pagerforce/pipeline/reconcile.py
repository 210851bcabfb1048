"""Finds changes without a log entry: compares open incidents and those that entries contradict."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
from msgspec import Struct

from pagerforce.model.durations import LATEST_ENTRY
from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import Incident
from pagerforce.model.ports import Clock, PagerDutySource
from pagerforce.observe.log import get_log
from pagerforce.pipeline.commit import commit_comparison
from pagerforce.pipeline.entries import Comparison
from pagerforce.pipeline.isolation import store_or_apart
from pagerforce.pipeline.lookups import Lookups
from pagerforce.pipeline.poll import Reporter
from pagerforce.pipeline.ruling import Judge
from pagerforce.pipeline.suspects import Suspects
from pagerforce.store import own_writes, snapshots
from pagerforce.store.database import Database

_LOG = get_log("poll")
_LOOKUPS = 50  # incidents fetched one by one in a reconcile, at most


class Reconciler(Struct):
    """Compares incidents with their snapshots.

    ``source`` and ``judge`` are called each time: rules may be reloaded.
    """

    source: Callable[[], PagerDutySource]
    database: Database
    judge: Callable[[], Judge]
    clock: Clock
    reporter: Reporter
    needs_custom_fields: Callable[[], bool]
    skew: Callable[[], timedelta]
    lookups: Lookups
    suspects: Suspects
    _out_of_sight: set[IncidentId] = msgspec.field(default_factory=set)

    async def reconcile(self) -> int:
        """Finds changes that leave no entry (``pagerduty.changes-without-entry``)."""
        server_now = await self.source().fetch_server_time()
        seen = list(await self.source().fetch_open_incidents())
        seen += await self._vanished({incident.id for incident in seen})
        if self.needs_custom_fields():
            in_full = [await self._if_changed(incident) for incident in seen]
            seen = [incident for incident in in_full if incident is not None]
        with self.reporter.contained("expectations"):
            async with self.database.write() as tx:
                await own_writes.expire(tx, self.clock.now() - LATEST_ENTRY)
        found = 0

        async def store(incidents: Sequence[Incident]) -> None:
            nonlocal found
            comparison, now = Comparison(server_now, self.skew()), self.clock.now()
            result = await commit_comparison(
                self.database, incidents, self.judge(), comparison, now
            )
            found += self.reporter.committed(result)

        for failed in await store_or_apart(seen, store):
            # The next reconcile reads it again.
            self.reporter.failed(failed.error, f"incident {failed.item.id}")
        return self.reporter.compared(found)

    async def ask_suspects(self) -> int:
        """After all entries are read: fetches and believes incidents that entries contradict."""
        due = self.suspects.end_round(self.clock.monotonic())
        if not due:
            return 0
        looks = [await self.lookups.read(key, odd_answers=1) for key in due]
        seen = [look.incident for look in looks if look.incident is not None]
        server_now, believed = await self.source().fetch_server_time(), self.suspects.believe(seen)
        self.suspects.forget(due)
        comparison = Comparison(server_now, self.skew(), believed)
        now = self.clock.now()
        result = await commit_comparison(self.database, seen, self.judge(), comparison, now)
        return self.reporter.committed(result)

    async def _vanished(self, seen: set[IncidentId]) -> list[Incident]:
        """The current state of incidents whose snapshot is open but that the list does not show."""
        async with self.database.read() as tx:
            held = await snapshots.read_open_incidents(tx)
        missing = [key for key in held if key not in seen and key not in self._out_of_sight]
        found: list[Incident] = []
        for incident_id in missing[:_LOOKUPS]:
            look = await self.lookups.read(incident_id, odd_answers=1)
            if look.incident is not None:
                found.append(look.incident)
            elif not look.is_given_up:
                self._out_of_sight.add(incident_id)
                _LOG.warning("incident_out_of_sight", incident=incident_id)
        return found

    async def _if_changed(self, incident: Incident) -> Incident | None:
        """The incident, with its custom fields if it has changed since it was last seen.

        None if it can't be read: its change must not count as seen, so the next reconcile reads it.
        """
        held = None
        with self.reporter.contained(f"incident {incident.id}"):
            async with self.database.read() as tx:
                held = await snapshots.find_incident(tx, incident.id)
        if held is not None and held.updated_at == incident.updated_at:
            return incident
        look = await self.lookups.read(incident.id, odd_answers=1)
        return None if look.is_given_up else look.incident or incident
