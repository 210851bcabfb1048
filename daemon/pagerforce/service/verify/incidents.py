"""Creates, reads and closes the test incidents of ``verify``, also those of an interrupted run.

Every one has a key that begins with ``pagerforce-verify:``, so that a later run finds what an
earlier one could not close. Nothing else is ever closed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import anyio
import msgspec
from msgspec import Struct

from pagerforce.errors import RefusedError, RemoteError, UnknownOutcomeError
from pagerforce.model.durations import SIDES_APART
from pagerforce.pagerduty.client import PagerDutyClient
from pagerforce.pagerduty.refusals import ALREADY_RESOLVED
from pagerforce.service.verify.closing import LOOK_SECONDS, close, find_lost
from pagerforce.service.verify.entries import Raw
from pagerforce.service.verify.findings import items, refusal, word

KEY = "pagerforce-verify"
TITLE = "[pagerforce verify] nothing to do, it is resolved by itself"
_MOST_PAGES = 20


class TestIncidents(Struct):
    """One run's incidents on one service.

    Attributes:
        wait_seconds: the longest wait until a log entry is visible.
        made: ids of the incidents to close.
    """

    client: PagerDutyClient
    email: str
    service_id: str
    urgency: str
    run: str
    wait_seconds: float
    made: list[str] = msgspec.field(default_factory=list)
    _is_unsure: bool = False

    __test__ = False  # not a test class, despite its name

    @property
    def key(self) -> str:
        """Returns the key of this run's incident."""
        return f"{KEY}:{self.service_id}:{self.run}"

    async def trigger(self) -> str:
        """Creates an incident and returns its id; raises ``RemoteError``."""
        wanted = {
            "type": "incident",
            "title": TITLE,
            "service": {"id": self.service_id, "type": "service_reference"},
            "urgency": self.urgency,
            "incident_key": self.key,
            "body": {"type": "incident_body", "details": "Created by `pagerforce verify`."},
        }
        was_unsure, self._is_unsure = self._is_unsure, True
        try:
            made = await self.client.send_incident(wanted, self.email)
        except UnknownOutcomeError:
            raise  # it may exist: the end of the run searches for it
        except RemoteError:
            self._is_unsure = was_unsure
            raise
        incident_id = str(made.get("id") or "")
        if not incident_id:
            raise UnknownOutcomeError("incidents.create: the answer has no id")
        self.made.append(incident_id)
        self._is_unsure = was_unsure
        return incident_id

    async def change(self, incident_id: str, **changes: object) -> Raw:
        """Changes an incident and returns the answer; raises ``RemoteError``."""
        return await self.client.send_update(incident_id, changes, self.email)

    async def read(self, incident_id: str) -> Raw:
        """Returns the incident as it is now; raises ``RemoteError``."""
        return await self.client.fetch_incident(incident_id)

    async def log(self, incident_id: str) -> list[Raw]:
        """Returns all its entries in the API's own order; raises ``RemoteError``."""
        since = (self.client.server_time or datetime.now(UTC)) - SIDES_APART
        found: list[Raw] = []
        for _ in range(_MOST_PAGES):
            page = await self.client.fetch_incident_log_entries(
                incident_id, since, len(found), ["channels"]
            )
            found += items(list(page.rows))
            if not page.more or not page.rows:
                break
        return found

    async def wait_for(self, incident_id: str, kind: str, known: Sequence[Raw]) -> list[Raw]:
        """Waits for an entry of this type and returns all entries that are new since ``known``.

        If none arrives in time, it returns those that arrived.
        """
        ids = {entry.get("id") for entry in known}
        new: list[Raw] = []
        with anyio.move_on_after(self.wait_seconds):
            while True:
                new = [one for one in await self.log(incident_id) if one.get("id") not in ids]
                if any(entry.get("type") == f"{kind}_log_entry" for entry in new):
                    break
                await anyio.sleep(LOOK_SECONDS)
        return new

    async def leftovers(self) -> list[str]:
        """Returns ids of open incidents of ``verify`` on the service; raises ``RemoteError``."""
        params = {
            "service_ids[]": [self.service_id],
            "statuses[]": ["triggered", "acknowledged"],
            "date_range": "all",
        }
        found: list[str] = []
        offset = 0
        for _ in range(_MOST_PAGES):
            page = await self.client.fetch_incidents(params, offset)
            found += [
                str(row.get("id"))
                for row in items(list(page.rows))
                if str(row.get("incident_key")).startswith(f"{KEY}:")
            ]
            offset += len(page.rows)
            if not page.more or not page.rows:
                break
        return found

    async def close_all(self) -> list[str]:
        """Resolves every incident of this run; returns what to do about each that it could not."""
        left: list[str] = []
        if self._is_unsure:
            try:
                self.made += await find_lost(self.leftovers, self.made)
            except RemoteError as error:
                left.append(
                    f"an incident with the key {self.key} may be open on {self.service_id}; the"
                    f" search failed ({refusal(error)}): run verify again, or resolve it there"
                )
        for incident_id in self.made:
            problem = await close(partial(self._close, incident_id))
            if problem:
                left.append(
                    f"incident {word(incident_id)} could not be resolved ({problem}): resolve it"
                    f" there"
                )
        return left

    async def _close(self, incident_id: str) -> None:
        try:
            if (await self.read(incident_id)).get("status") != "resolved":
                await self.change(incident_id, status="resolved")
        except RefusedError as error:
            if error.status != 404 and error.code != ALREADY_RESOLVED:
                raise
