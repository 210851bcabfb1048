"""Lists every open incident, whatever its age.

Facts: ``pagerduty.list-window-of-a-month``, ``pagerduty.pages-are-live``.
The list is live: if an incident is resolved while pages are read, all later ones move forward and
one of them is skipped. So a list of several pages is read again until nothing new appears. A list
that is too long for the API is read by service and status. Windows of creation time would not help:
each is limited to six months, and the age of the oldest incident is unknown.
"""

from collections.abc import Sequence

from pagerforce.errors import MalformedError, RefusedError, TooLargeError
from pagerforce.model.incident import Incident
from pagerforce.model.ports import Flaw
from pagerforce.pagerduty.client import MAX_DEPTH, Page, PagerDutyClient, Params
from pagerforce.pagerduty.decode import decode_incident, decode_rows, odd_values
from pagerforce.pagerduty.directory import Directory
from pagerforce.pagerduty.paging import PageSize
from pagerforce.pagerduty.refusals import PageTooDeepError

OPEN_STATUSES = ("triggered", "acknowledged")
_MAX_PASSES = 4


class OpenIncidents:
    """One listing, from its first request to its last.

    Args:
        client: the API.
        directory: for the services, if the list must be split by them.
        services: only incidents of these; empty: of all.
    """

    def __init__(
        self, client: PagerDutyClient, directory: Directory, services: Sequence[str]
    ) -> None:
        self._client = client
        self._directory = directory
        self._services = services
        self.found: dict[str, Incident] = {}
        self.flaws: dict[Flaw, None] = {}

    async def read(self) -> None:
        """Fills ``found`` and ``flaws``.

        Raises:
            RemoteError: the list could not be read to its end.
        """
        if await self._read_slice(self._services, OPEN_STATUSES):
            return
        services = self._services or [ref.id for ref in await self._directory.fetch_services()]
        for service in services:
            for status in OPEN_STATUSES:
                if not await self._read_slice([service], [status]):
                    raise RefusedError(
                        f"service {service} has more than {MAX_DEPTH} {status} incidents, more than "
                        "the API lists: resolve old ones"
                    )

    async def _read_slice(self, services: Sequence[str], statuses: Sequence[str]) -> bool:
        """Reads one filtered list as often as needed; False if the list is too long for the API."""
        for _ in range(_MAX_PASSES):
            known = len(self.found)
            pages = await self._read_pass(open_params(services, statuses))
            if pages is None:
                return False
            if pages == 1 or len(self.found) == known:
                break
        return True

    async def _read_pass(self, params: Params) -> int | None:
        """Reads all pages once and returns their number; None if there are too many."""
        offset = pages = 0
        size = PageSize()
        before: tuple[object, ...] = ()
        while offset < MAX_DEPTH:
            try:
                page = await self._fetch(params, offset, size)
            except PageTooDeepError:
                return None
            except TooLargeError as error:
                self.flaws[Flaw("incident that can't be read", str(error))] = None
                offset += 1
                continue
            if page.rows and page.rows == before:
                raise MalformedError("incidents.list: the pages of the answer repeat")
            before = page.rows
            size.grow()
            pages += 1
            incidents, flaws = decode_rows(page.rows, decode_incident, "incident", odd_values)
            self.found.update((incident.id, incident) for incident in incidents)
            self.flaws.update(dict.fromkeys(flaws))
            offset += len(page.rows)
            if not page.more or not page.rows:
                return pages
        return None

    async def _fetch(self, params: Params, offset: int, size: PageSize) -> Page:
        while True:
            try:
                return await self._client.fetch_incidents(params, offset, size.rows)
            except TooLargeError as error:
                size.shrink(error)


def open_params(services: Sequence[str], statuses: Sequence[str] = OPEN_STATUSES) -> Params:
    """The query for a list of open incidents; empty services: of all."""
    params: dict[str, str | Sequence[str]] = {
        "statuses[]": list(statuses),
        "date_range": "all",  # without it, only the last month's
        "time_zone": "UTC",
        "sort_by": "incident_number:asc",  # never changes and is unique
        "include[]": ["assignees", "conference_bridge"],
    }
    if services:
        params["service_ids[]"] = list(services)
    return params
