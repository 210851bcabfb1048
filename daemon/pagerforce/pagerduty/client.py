"""PagerDuty's REST API v2: one method per request. Nothing is retried or repeated here.

Only documented endpoints and parameters are used. Methods return decoded JSON, which ``decode``
reads. Facts: docs/vendors/pagerduty.md.
"""

import json
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime
from pathlib import Path
from typing import Self, TypeAlias
from urllib.parse import quote

import httpx
from msgspec import Struct

from pagerforce.model.ids import Side
from pagerforce.model.ports import Clock
from pagerforce.model.value import format_whole_second
from pagerforce.pagerduty.line import Line
from pagerforce.pagerduty.log_page import usual_rows
from pagerforce.pagerduty.rate import RateClass
from pagerforce.wire.answer import Answer
from pagerforce.wire.remote_clock import ENOUGH
from pagerforce.wire.transport import OPERATION, RequestObserver, build_client

PAGE_SIZE = 100
"""The largest page the API returns."""

MAX_BULK = 250
"""Incidents per bulk request; PagerDuty refuses more with 413."""

MAX_DEPTH = 10_000
"""The maximum of ``offset + limit``."""

Params: TypeAlias = Mapping[str, str | int | Sequence[str]]
Raw: TypeAlias = Mapping[str, object]


class Listing(Struct, frozen=True):
    """A kind of reference data: its path, and the JSON keys around a page and around one row."""

    path: str
    many: str
    one: str


USERS = Listing("/users", "users", "user")
SERVICES = Listing("/services", "services", "service")
POLICIES = Listing("/escalation_policies", "escalation_policies", "escalation_policy")
PRIORITIES = Listing("/priorities", "priorities", "priority")
WORKFLOWS = Listing("/incident_workflows", "incident_workflows", "incident_workflow")
PLAYS = Listing("/response_plays", "response_plays", "response_play")
"""Removed from the documented API on 2025-09-09: PagerDuty may refuse any request."""


class Page(Struct, frozen=True):
    """One page of a classic listing: its raw rows, and whether more follow."""

    rows: tuple[object, ...]
    more: bool


def open_http(
    *,
    api_url: str,
    api_key: str,
    timeout_seconds: float,
    ca_file: str | Path | None = None,
    observer: RequestObserver,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """The HTTP client with PagerDuty's headers; use it as an async context manager.

    Raises:
        ConfigError: the CA bundle or a proxy of the environment cannot be used.
    """
    return build_client(
        base_url=api_url,
        timeout_seconds=timeout_seconds,
        ca_file=ca_file,
        observer=observer,
        system=Side.PAGERDUTY,
        headers={
            "Authorization": f"Token token={api_key}",
            "Accept": "application/vnd.pagerduty+json;version=2",
            "Content-Type": "application/json",
        },
        transport=transport,
    )


class PagerDutyClient:
    """The API, one method per request. Every method raises the ``RemoteError`` family.

    Args:
        http: from ``open_http``.
        deadline_seconds: bound of one whole call (``delivery.timeout``).
        observer: receives the rest of the rate limit.
        clock: for the pace only.

    Requests belong to the rate class ``READ``; ``at`` returns a client for another rate class.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        deadline_seconds: float,
        observer: RequestObserver,
        clock: Clock,
    ) -> None:
        self.line = Line(http, deadline_seconds=deadline_seconds, observer=observer, clock=clock)
        self.rate_class = RateClass.READ

    def at(self, rate_class: RateClass) -> Self:
        """A client for another rate class that shares the line to PagerDuty."""
        other = copy(self)
        other.rate_class = rate_class
        return other

    async def fetch_server_time(self) -> datetime | None:
        """The ``Date`` of a small answer; None if it has none. Proves the credentials.

        It requests services because every kind of key may read them; ``/users/me`` refuses
        account keys.
        """
        for _ in range(ENOUGH):
            await self._get("services.time", "/services", {"limit": 1})
            if not self.line.remote_clock.is_doubtful:
                break
        return self.server_time

    @property
    def server_time(self) -> datetime | None:
        """PagerDuty's clock: the last ``Date`` and the time since; None before the first."""
        return self.line.server_time

    async def fetch_log_entries(
        self, since: datetime, until: datetime, offset: int, limit: int = PAGE_SIZE
    ) -> Page:
        """The account's log between two whole seconds, with the current incidents."""
        limit = min(limit, MAX_DEPTH - offset)
        return _to_page(await self._get_log(since, until, offset, limit), "log_entries", limit)

    async def fetch_raw_log_entries(
        self, since: datetime, until: datetime, offset: int, limit: int = PAGE_SIZE
    ) -> Page:
        """As ``fetch_log_entries``, for ``LogReader``: most rows are not parsed (``msgspec.Raw``)."""
        limit = min(limit, MAX_DEPTH - offset)
        answer = await self._get_log(since, until, offset, limit)
        usual = usual_rows(answer)
        return Page(*usual) if usual is not None else _to_page(answer, "log_entries", limit)

    async def _get_log(self, since: datetime, until: datetime, offset: int, limit: int) -> Answer:
        params: Params = {
            "since": format_whole_second(since),
            "until": format_whole_second(until),
            "time_zone": "UTC",
            "is_overview": "false",
            "include[]": ["incidents", "channels"],
        }
        return await self._get_part("log_entries.list", "/log_entries", params, offset, limit)

    async def fetch_incident_log_entries(
        self, incident_id: str, since: datetime, offset: int, include: Sequence[str] = ()
    ) -> Page:
        """One incident's log since a whole second."""
        path = f"/incidents/{_segment(incident_id)}/log_entries"
        params: Params = {
            "since": format_whole_second(since),
            "time_zone": "UTC",
            "is_overview": "false",
        }
        if include:
            params = {**params, "include[]": list(include)}
        return await self._get_page("incidents.log_entries", path, "log_entries", params, offset)

    async def fetch_log_entry(self, entry_id: str) -> Raw:
        """One log entry with its whole channel."""
        path = f"/log_entries/{_segment(entry_id)}"
        params: Params = {"include[]": ["channels"]}
        return _unwrap(await self._get("log_entries.get", path, params), "log_entry")

    async def fetch_incidents(
        self, params: Params, offset: int = 0, limit: int = PAGE_SIZE
    ) -> Page:
        """Incidents by documented filters."""
        return await self._get_page(
            "incidents.list", "/incidents", "incidents", params, offset, limit
        )

    async def fetch_incident(self, incident_id: str, include: Sequence[str] = ()) -> Raw:
        """One incident."""
        params: Params = {"include[]": list(include)} if include else {}
        answer = await self._get("incidents.get", f"/incidents/{_segment(incident_id)}", params)
        return _unwrap(answer, "incident")

    async def fetch_notes(self, incident_id: str) -> tuple[object, ...]:
        """All notes of an incident; the API does not page them."""
        answer = await self._get("notes.list", f"/incidents/{_segment(incident_id)}/notes", {})
        return _rows(answer, "notes")

    async def fetch_page(self, listing: Listing, params: Params, offset: int = 0) -> Page:
        """A page of reference data."""
        return await self._get_page(
            f"{listing.many}.list", listing.path, listing.many, params, offset
        )

    async def fetch_one(self, listing: Listing, item_id: str) -> Raw:
        """One row of reference data by id."""
        path = f"{listing.path}/{_segment(item_id)}"
        return _unwrap(await self._get(f"{listing.many}.get", path, {}), listing.one)

    async def fetch_plays(self, name: str, from_email: str) -> tuple[object, ...]:
        """Response plays whose name contains this (``""``: all), if the account has them."""
        params: Params = {"query": name} if name else {}
        answer = await self._get("response_plays.list", PLAYS.path, params, from_email)
        return _rows(answer, PLAYS.many)

    async def fetch_play(self, play_id: str, from_email: str) -> Raw:
        """A response play by id, if the account still has them."""
        path = f"{PLAYS.path}/{_segment(play_id)}"
        return _unwrap(await self._get("response_plays.get", path, {}, from_email), PLAYS.one)

    async def fetch_current_user(self) -> Raw:
        """The owner of a user key; PagerDuty refuses an account key with 400."""
        return _unwrap(await self._get("users.me", "/users/me", {}), "user")

    async def fetch_abilities(self) -> frozenset[str]:
        """The names of the abilities of the account's plan."""
        answer = await self._get("abilities.list", "/abilities", {})
        return frozenset(item for item in _rows(answer, "abilities") if isinstance(item, str))

    async def send_incident(self, incident: Raw, from_email: str) -> Raw:
        """Creates an incident and returns it."""
        answer = await self._write(
            "incidents.create", "POST", "/incidents", {"incident": incident}, from_email
        )
        return _unwrap(answer, "incident")

    async def send_update(self, incident_id: str, changes: Raw, from_email: str) -> Raw:
        """Changes an incident and returns it. ``status`` on a resolved one reopens it."""
        path = f"/incidents/{_segment(incident_id)}"
        body = {"incident": {"type": "incident_reference", **changes}}
        return _unwrap(
            await self._write("incidents.update", "PUT", path, body, from_email), "incident"
        )

    async def send_updates(self, changes: Mapping[str, Raw], from_email: str) -> tuple[object, ...]:
        """Changes up to 250 incidents in one request, all or none; returns the incidents."""
        items = [
            {"id": key, "type": "incident_reference", **fields} for key, fields in changes.items()
        ]
        body = {"incidents": items}
        answer = await self._write("incidents.update_many", "PUT", "/incidents", body, from_email)
        return _rows(answer, "incidents")  # a proxy's page with status 200 is no confirmation

    async def send_note(self, incident_id: str, content: str, from_email: str) -> Raw:
        """Adds a note to an incident and returns it."""
        path = f"/incidents/{_segment(incident_id)}/notes"
        body = {"note": {"content": content}}
        return _unwrap(await self._write("notes.create", "POST", path, body, from_email), "note")

    async def send_status_update(self, incident_id: str, message: str, from_email: str) -> None:
        """Publishes a status update to all subscribers of the incident."""
        path = f"/incidents/{_segment(incident_id)}/status_updates"
        await self._write("status_updates.create", "POST", path, {"message": message}, from_email)

    async def send_workflow_start(self, workflow_id: str, incident_id: str) -> None:
        """Starts an incident workflow. The API never shows its outcome."""
        path = f"/incident_workflows/{_segment(workflow_id)}/instances"
        target = {"id": incident_id, "type": "incident_reference"}
        body = {"incident_workflow_instance": {"incident": target}}
        await self._write("incident_workflows.start", "POST", path, body, None)

    async def send_play_run(self, play_id: str, incident_id: str, from_email: str) -> None:
        """Runs a response play, if the account still has them."""
        path = f"/response_plays/{_segment(play_id)}/run"
        body = {"incident": {"id": incident_id, "type": "incident_reference"}}
        await self._write("response_plays.run", "POST", path, body, from_email)

    async def _get_page(
        self,
        operation: str,
        path: str,
        key: str,
        params: Params,
        offset: int,
        limit: int = PAGE_SIZE,
    ) -> Page:
        limit = min(limit, MAX_DEPTH - offset)
        answer = await self._get_part(operation, path, params, offset, limit)
        return _to_page(answer, key, limit)

    async def _get_part(
        self, operation: str, path: str, params: Params, offset: int, limit: int
    ) -> Answer:
        return await self._get(operation, path, {**params, "limit": limit, "offset": offset})

    async def _get(
        self, operation: str, path: str, params: Params, from_email: str | None = None
    ) -> Answer:
        request = self.line.http.build_request(
            "GET",
            path,
            params=params,
            headers={} if from_email is None else {"From": from_email},
            extensions={OPERATION: operation},
        )
        return await self.line.exchange(request, self.rate_class, is_write=False)

    async def _write(
        self, operation: str, method: str, path: str, body: Raw, from_email: str | None
    ) -> Answer:
        headers = {} if from_email is None else {"From": from_email}
        request = self.line.http.build_request(
            # Encoded here as plain ASCII, so half a surrogate pair in a text breaks nothing.
            method,
            path,
            content=json.dumps(body).encode(),
            headers=headers,
            extensions={OPERATION: operation},
        )
        return await self.line.exchange(request, self.rate_class, is_write=True)


def _segment(text: str) -> str:
    """An id as one segment of a path, whatever characters it has."""
    return quote(text, safe="")


def _to_page(answer: Answer, key: str, limit: int) -> Page:
    """A page. ``limit``: the rows that were asked for."""
    body = answer.json_object()
    rows = _rows_in(body, answer, key)
    more = body.get("more")
    # ``more`` should always be there; without it, a full page is assumed to have a successor.
    return Page(rows, more if isinstance(more, bool) else len(rows) >= limit)


def _unwrap(answer: Answer, key: str) -> Raw:
    value = answer.json_object().get(key)
    if not isinstance(value, dict):
        raise answer.malformed(f"the answer holds no {key}")
    return value


def _rows(answer: Answer, key: str) -> tuple[object, ...]:
    return _rows_in(answer.json_object(), answer, key)


def _rows_in(body: Raw, answer: Answer, key: str) -> tuple[object, ...]:
    rows = body.get(key)
    if rows is None and key in body:
        return ()
    if not isinstance(rows, list):
        raise answer.malformed(f"the answer holds no list of {key}")
    return tuple(rows)
