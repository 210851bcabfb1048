"""Reads PagerDuty for the pipeline: log entries by windows, open incidents, single incidents.

Log entries are the only feed of changes, and none may be missed. So they are read in windows that
end at the server's clock and begin as far back as the caller asks. Each window is returned complete
or not at all. The pipeline decides which entries are new and which services matter.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from pagerforce.errors import MalformedError, RefusedError
from pagerforce.model.durations import MOST_AHEAD
from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import Incident
from pagerforce.model.ports import Clock, EntryBatch, Flaw
from pagerforce.pagerduty.client import MAX_DEPTH, PagerDutyClient
from pagerforce.pagerduty.cutting import Cutting
from pagerforce.pagerduty.decode import decode_incident, odd_values
from pagerforce.pagerduty.directory import Directory
from pagerforce.pagerduty.entries import WANTED_ENTRIES, WindowRead, read_window
from pagerforce.pagerduty.open_incidents import OpenIncidents
from pagerforce.pagerduty.people import People
from pagerforce.pagerduty.refusals import is_out_of_sight
from pagerforce.pagerduty.windows import SECOND, Window, in_order, overall_window

_MAX_OWED_FLAWS = 100


class PagerDutyPoller:
    """Implements ``model.ports.PagerDutySource``.

    Args:
        client: the API.
        directory: for the people in entries and incidents.
        clock: only used if an answer has no date.
        services: open incidents of these services only; empty: of all. Log entries are not
            filtered.
        needs_custom_fields: whether to read incidents with their custom fields, which only the
            request for a single incident returns.
    """

    def __init__(
        self,
        client: PagerDutyClient,
        directory: Directory,
        clock: Clock,
        *,
        services: Sequence[str],
        needs_custom_fields: bool,
    ) -> None:
        self._client = client
        self._directory = directory
        self._clock = clock
        self._services = tuple(services)
        self._include = ["assignees", "conference_bridge"]
        if needs_custom_fields:
            self._include.append("custom_fields")
        self._owed_flaws: dict[Flaw, None] = {}

    async def fetch_server_time(self) -> datetime:
        """PagerDuty's clock from its last answer; this host's clock if answers have no date.

        A request is sent only before the first answer: a comparison directly follows a poll.
        """
        known = self._client.server_time or await self._client.fetch_server_time()
        return known or self._clock.now()

    async def iter_entries(
        self, since: datetime, *, overlap_seconds: float
    ) -> AsyncIterator[EntryBatch]:
        """Every entry from ``since`` minus the overlap until now, oldest window first.

        Each batch is one whole window of at most about ``WANTED_ENTRIES``, in the order of the
        events; together they leave no gap. The cursor (``read_to``) is the time of the newest
        entry seen so far, never a clock's time. There is at least one batch, which may be empty.
        """
        now = await self.fetch_server_time()
        # A Date that lags behind would hide entries; an end that is too late hides nothing.
        now = max(now, self._clock.now(), since)
        whole = overall_window(since, now, timedelta(seconds=overlap_seconds))
        cutting, read_to = Cutting(whole, WANTED_ENTRIES, MAX_DEPTH), since
        while (window := cutting.next()) is not None:
            reading = await read_window(self._client, window)
            times = [entry.at for entry in reading.entries.values()]
            if not reading.is_complete and window.span > SECOND:
                cutting.given_up(window, reading.sample())
                continue
            batch = await self._to_batch(reading, window, read_to)
            yield batch
            read_to = batch.read_to
            cutting.completed(window, times)

    async def fetch_open_incidents(self) -> Sequence[Incident]:
        """All open incidents, of the configured services, by number; without custom fields.

        Rows that cannot be understood are reported with the next batch of entries.
        """
        listing = OpenIncidents(self._client, self._directory, self._services)
        await listing.read()
        people = People(self._directory, self._latest())
        incidents = [await people.complete_incident(item) for item in listing.found.values()]
        self._owe([*listing.flaws, *people.flaws])
        return sorted(incidents, key=lambda incident: (incident.number or 0, incident.id))

    async def find_incident(self, incident_id: IncidentId) -> Incident | None:
        """One incident by id; None if it is gone or no longer visible to the key."""
        try:
            raw = await self._client.fetch_incident(incident_id, self._include)
        except RefusedError as error:
            if is_out_of_sight(error):
                return None
            raise
        people = People(self._directory, self._latest())
        try:
            incident = await people.complete_incident(decode_incident(raw))
        except ValueError as error:
            raise MalformedError(f"incident {incident_id}: the answer {error}") from error
        odd = [Flaw(f"incident {incident_id}", what) for what in odd_values(raw)]
        self._owe([*odd, *people.flaws])
        return incident

    async def _to_batch(self, reading: WindowRead, window: Window, read_to: datetime) -> EntryBatch:
        people = People(self._directory, self._latest())
        entries = [await people.complete_entry(entry) for entry in reading.entries.values()]
        flaws = [*self._owed_flaws, *reading.flaws, *people.flaws]
        self._owed_flaws.clear()
        if not reading.is_complete:
            what = f"holds more than the API lists; {len(entries)} of its entries were read"
            flaws.append(Flaw(f"log entries of {window.start.isoformat()}", what))
        return EntryBatch(
            entries=tuple(in_order(entries, reading.positions)),
            read_to=max([read_to, *(entry.at for entry in entries)]),
            flaws=tuple(flaws),
            seen_at=self._client.server_time,
        )

    def _latest(self) -> datetime:
        """The latest valid time in an answer."""
        return max(self._client.server_time or self._clock.now(), self._clock.now()) + MOST_AHEAD

    def _owe(self, flaws: Sequence[Flaw]) -> None:
        """Keeps flaws for the next batch, because the port's other results cannot carry them."""
        for flaw in flaws[: max(_MAX_OWED_FLAWS - len(self._owed_flaws), 0)]:
            self._owed_flaws[flaw] = None
