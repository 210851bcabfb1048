"""Salesforce's REST API, one method per request. Only an ended session causes a retry.

Facts: docs/vendors/salesforce.md#rest and #errors. Every method raises the ``RemoteError`` family
and ``WrongOrgError``. A write whose answer is lost or malformed raises ``UnknownOutcomeError``.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

import httpx
from msgspec import Struct

from pagerforce.config.schema import SalesforceSettings
from pagerforce.errors import MalformedError, RemoteError
from pagerforce.model.ids import RecordId
from pagerforce.model.ports import Clock
from pagerforce.model.value import Json, Scalar
from pagerforce.salesforce.auth import JwtSession
from pagerforce.salesforce.bodies import (
    PartAnswer,
    Rows,
    UpdatedIds,
    read_id,
    read_part,
    read_result,
    read_rows,
    read_updated,
)
from pagerforce.salesforce.calls import Call, Caller, write_headers
from pagerforce.salesforce.usage import parse_limits
from pagerforce.wire.transport import RequestObserver

# A URI may have 16,384 bytes; longer paths than this go into a composite body.
_LONGEST_PATH = 8_000
MAX_SUBREQUESTS = 25
MAX_QUERIES = 5  # within a composite request
REFERENCE_MARK = "@{"
"""Begins a reference to an earlier part's answer, also within a text. Fact:
``salesforce.composite-replaces-references``."""
_MOST_PAGES = 250  # for a query with a limit or a short list of Ids
MAX_COLLECTION = 200


class Update(Struct, frozen=True):
    """A write to one record, refused if the record was modified after ``unmodified_since``."""

    object: str
    id: RecordId
    values: Mapping[str, Scalar]
    unmodified_since: datetime


class Upserted(Struct, frozen=True):
    """The result of an upsert. ``matches``: how many records have the key."""

    id: RecordId | None
    created: bool | None
    matches: int = 1


class SalesforceClient:
    """Sends requests with one session.

    Args:
        session: supplies the token and the instance.
        http: from ``wire.transport.build_client``.
        clock: dates the counted calls.
        observer: receives the rest of the org's daily calls.
        settings: the ``[salesforce]`` section.
        timeout_seconds: total deadline of one request.
    """

    def __init__(
        self,
        *,
        session: JwtSession,
        http: httpx.AsyncClient,
        clock: Clock,
        observer: RequestObserver,
        settings: SalesforceSettings,
        timeout_seconds: float = 30.0,
    ) -> None:
        self._session = session
        self._base = f"/services/data/v{settings.api_version.removeprefix('v')}"
        headers = write_headers(allow_duplicates=settings.allow_duplicates)
        self._caller = Caller(session, http, clock, observer, headers, timeout_seconds)
        self.usage = self._caller.usage

    @property
    def session(self) -> JwtSession:
        """The session that it uses."""
        return self._session

    async def user_id(self) -> RecordId:
        """The Id of the integration user, after a login if there is no session."""
        return (await self._session.access()).user_id

    async def fetch_server_time(self) -> datetime:
        """The server's clock, from its last answer; a login proves key, user and org.

        It requests nothing that an org could refuse to this user.
        """
        await self._session.access()
        return self._session.now()

    async def fetch_limits(self) -> Mapping[str, object]:
        """The raw answer of ``/limits``."""
        answer = await self._caller.send(Call("GET", f"{self._base}/limits", "limits"))
        body = answer.json_object()
        self._caller.note_org(parse_limits(body))
        return body

    async def fetch_describe(self, object_name: str) -> Mapping[str, object]:
        """The raw describe of an object."""
        path = self._object_path(object_name, "describe")
        return (await self._caller.send(Call("GET", path, "describe"))).json_object()

    async def query(self, soql: str, *, deleted: bool = False) -> Rows:
        """The first batch of a query; ``deleted`` includes rows in the Recycle Bin."""
        path = self.query_path(soql, deleted=deleted)
        if len(path) <= _LONGEST_PATH:
            return read_rows((await self._caller.send(Call("GET", path, "query"))).json_object())
        (part,) = await self.send_composite([path], "query")
        if part.error is not None:
            raise part.error
        return read_rows(part.body)

    async def query_to_end(
        self, soql: str, *, deleted: bool = False
    ) -> tuple[Mapping[str, object], ...]:
        """All rows of a query that has a LIMIT or a short list of Ids."""
        return await self._to_end(await self.query(soql, deleted=deleted))

    async def rows_of(self, part: PartAnswer) -> tuple[Mapping[str, object], ...]:
        """All rows of such a query that was a part of a composite request.

        Raises:
            RemoteError: the part has an error, or a further batch could not be read.
        """
        if part.error is not None:
            raise part.error
        return await self._to_end(read_rows(part.body))

    async def _to_end(self, batch: Rows) -> tuple[Mapping[str, object], ...]:
        rows = list(batch.rows)
        seen: set[str] = set()
        while batch.next_path is not None:
            if batch.next_path in seen:
                raise MalformedError("query: the pages of the answer lead back to one another")
            if len(seen) >= _MOST_PAGES:
                raise MalformedError("query: the pages of the answer do not end")
            seen.add(batch.next_path)
            batch = read_rows(
                (await self._caller.send(Call("GET", batch.next_path, "query"))).json_object()
            )
            rows.extend(batch.rows)
        return tuple(rows)

    def query_path(self, soql: str, *, deleted: bool = False) -> str:
        """The path of a query, for a request of its own or a part of a composite request."""
        word = "queryAll" if deleted else "query"
        return f"{self._base}/{word}?q={quote(soql, safe='')}"

    async def send_composite(
        self, paths: Sequence[str], operation: str = "composite"
    ) -> tuple[PartAnswer, ...]:
        """Up to 25 reads, at most 5 of them queries, as one API call; answers in their order."""
        parts = [Call("GET", path, operation) for path in paths]
        return await self._send_parts(parts, operation)

    async def update_many(
        self, updates: Sequence[Update], then_read: Sequence[str] = ()
    ) -> tuple[tuple[PartAnswer, ...], tuple[PartAnswer, ...]]:
        """Guarded writes, then reads, as one API call; each write succeeds or fails alone.

        No value may hold ``REFERENCE_MARK``: Salesforce would replace it.

        Returns:
            The answers to the writes (a record that was modified meanwhile: an error with status
            412) and to the reads, in their order.
        """
        parts = [
            Call(
                "PATCH",
                self._object_path(update.object, update.id),
                "update_many",
                is_write=True,
                json=dict(update.values),
                # A part inherits only Accept, Authorization and Content-Type from the request.
                headers=self._caller.write_headers | _unmodified_since(update.unmodified_since),
            )
            for update in updates
        ]
        parts += [Call("GET", path, "update_many") for path in then_read]
        operation = "update" if len(updates) == 1 else "update_many"
        answers = await self._send_parts(parts, operation)
        return answers[: len(updates)], answers[len(updates) :]

    async def _send_parts(self, parts: Sequence[Call], operation: str) -> tuple[PartAnswer, ...]:
        if not 1 <= len(parts) <= MAX_SUBREQUESTS:
            raise ValueError("a composite request has 1 to 25 parts")
        requests: list[Json] = [part.to_json(f"part{place}") for place, part in enumerate(parts)]
        body: Json = {"allOrNone": False, "compositeRequest": requests}
        is_write = any(part.is_write for part in parts)
        call = Call("POST", f"{self._base}/composite", operation, is_write=is_write, json=body)
        answer = await self._caller.send(call)
        items = answer.json_object().get("compositeResponse")
        if not isinstance(items, list) or len(items) != len(parts):
            raise answer.malformed("the answer does not have a part for each request")
        return tuple(
            read_part(item, operation, is_write=part.is_write)
            for item, part in zip(items, parts, strict=True)
        )

    async def create(self, object_name: str, values: Mapping[str, Scalar]) -> RecordId:
        """Creates a record and returns its Id."""
        path = self._object_path(object_name)
        answer = await self._caller.send(
            Call("POST", path, "create", is_write=True, json=dict(values))
        )
        return read_id(answer)

    async def create_many(
        self, object_name: str, rows: Sequence[Mapping[str, Scalar]]
    ) -> tuple[RecordId | RemoteError, ...]:
        """Creates up to 200 records in one API call; each succeeds or fails alone.

        Returns:
            In their order, the Id of each or its error.
        """
        if not 1 <= len(rows) <= MAX_COLLECTION:
            raise ValueError("a collection has 1 to 200 records")
        records: list[Json] = [{"attributes": {"type": object_name}, **row} for row in rows]
        body: Json = {"allOrNone": False, "records": records}
        path = f"{self._base}/composite/sobjects"
        answer = await self._caller.send(
            Call("POST", path, "create_many", is_write=True, json=body)
        )
        items = answer.json()
        if not isinstance(items, list) or len(items) != len(rows):
            raise answer.malformed("the answer does not have a result for each record")
        return tuple(read_result(item) for item in items)

    async def update(
        self,
        object_name: str,
        record_id: RecordId,
        values: Mapping[str, Scalar],
        *,
        unmodified_since: datetime | None = None,
    ) -> bool:
        """Writes fields of a record; False if it was modified after ``unmodified_since``."""
        headers = {} if unmodified_since is None else _unmodified_since(unmodified_since)
        call = Call(
            "PATCH",
            self._object_path(object_name, record_id),
            "update",
            is_write=True,
            json=dict(values),
            headers=headers,
            passing=frozenset({412}),
        )
        answer = await self._caller.send(call)
        if answer.status == 412:
            return False
        answer.json()  # a proxy's page with status 200 is no confirmation
        return True

    async def delete(self, object_name: str, record_id: RecordId) -> None:
        """Puts a record into the Recycle Bin; a record that is already gone is a success."""
        path = self._object_path(object_name, record_id)
        gone = frozenset({404})
        await self._caller.send(Call("DELETE", path, "delete", is_write=True, passing=gone))

    async def upsert(
        self, object_name: str, key_field: str, key: str, values: Mapping[str, Scalar]
    ) -> Upserted:
        """Creates or updates the record with external id ``key``; several matches write nothing."""
        call = Call(
            "PATCH",
            self._object_path(object_name, key_field, key),
            "upsert",
            is_write=True,
            json=dict(values),
            passing=frozenset({300}),
        )
        answer = await self._caller.send(call)
        if answer.status == 300:
            found = answer.json()
            return Upserted(None, None, len(found) if isinstance(found, list) else 2)
        if not answer.body.strip():  # an update in API versions before 46
            return Upserted(None, created=False)
        created = answer.json_object().get("created")
        is_new = created if isinstance(created, bool) else answer.status == 201
        return Upserted(read_id(answer), is_new)

    def updated_path(self, object_name: str, since: datetime, until: datetime) -> str:
        """The path of ``/updated``, for a part of a composite request."""
        start, end = (
            quote(moment.astimezone(UTC).replace(microsecond=0).isoformat(), safe="")
            for moment in (since, until)
        )
        return f"{self._object_path(object_name, 'updated')}/?start={start}&end={end}"

    async def fetch_updated(self, object_name: str, since: datetime, until: datetime) -> UpdatedIds:
        """The Ids of the rows changed between two times, at most 30 days back."""
        path = self.updated_path(object_name, since, until)
        return read_updated((await self._caller.send(Call("GET", path, "updated"))).json_object())

    def _object_path(self, *parts: str) -> str:
        return "/".join((f"{self._base}/sobjects", *(quote(part, safe="") for part in parts)))


def _unmodified_since(moment: datetime) -> dict[str, str]:
    stamp = moment.astimezone(UTC).replace(microsecond=0)
    return {"If-Unmodified-Since": format_datetime(stamp, usegmt=True)}
