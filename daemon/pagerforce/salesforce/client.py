"""Salesforce's REST API, one method per request. Nothing is retried but what an ended session cut.

Facts: docs/vendors/salesforce.md#rest and #errors. Every method raises the ``RemoteError`` family and
``WrongOrgError``; a write whose answer is lost or not understood raises ``UnknownOutcomeError``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

import httpx

from pagerforce.config.schema import SalesforceSettings
from pagerforce.errors import (
    CredentialsError,
    MalformedError,
    RemoteError,
    TooLargeError,
)
from pagerforce.model.ids import RecordId, Side
from pagerforce.model.ports import Clock
from pagerforce.model.value import Json, Scalar
from pagerforce.salesforce.answers import (
    Fault,
    judge,
    parse_faults,
    to_error,
)
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
from pagerforce.salesforce.login import Access
from pagerforce.salesforce.meaning import Meaning
from pagerforce.salesforce.usage import CallUsage, OrgUsage, parse_limit_info, parse_limits
from pagerforce.wire.answer import Answer
from pagerforce.wire.exchange import exchange
from pagerforce.wire.transport import OPERATION, RequestObserver

# A URI may have 16,384 bytes; what is longer than this goes inside a composite body.
_LONGEST_PATH = 8_000
MAX_SUBREQUESTS = 25
_MOST_PAGES = 250  # of a query with a limit or a short list of Ids
MAX_COLLECTION = 200
# Each choice, with those against a header, is told in docs/reference/salesforce-headers.md.
_HEADERS = {"Accept": "application/json", "Sforce-Call-Options": "client=pagerforce"}
_WRITE_HEADERS = {
    # Otherwise any write that touches a Case runs assignment rules and can change its owner.
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Mru": "updateMru=false",
}
_SAVE_DUPLICATES = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}


@dataclass(frozen=True, slots=True)
class Update:
    """A write to one record, not to be made if it was modified after ``unmodified_since``."""

    object: str
    id: RecordId
    values: Mapping[str, Scalar]
    unmodified_since: datetime


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert did. ``matches``: how many records had the value, where it was several."""

    id: RecordId | None
    created: bool | None
    matches: int = 1


class SalesforceClient:
    """Requests in the name of one session.

    Args:
        session: supplies the token and the instance.
        http: from ``wire.transport.build_client``.
        clock: dates the counted calls.
        observer: told what is left of the org's daily calls.
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
        self._http = http
        self._clock = clock
        self._observer = observer
        self._base = f"/services/data/v{settings.api_version.removeprefix('v')}"
        self._timeout_seconds = timeout_seconds
        duplicates = _SAVE_DUPLICATES if settings.allow_duplicates else {}
        self._write_headers = _WRITE_HEADERS | duplicates
        self.usage = CallUsage()

    @property
    def session(self) -> JwtSession:
        """The session it speaks for."""
        return self._session

    async def user_id(self) -> RecordId:
        """Id of the user we act as, after a login where there was none."""
        return (await self._session.access()).user_id

    async def fetch_server_time(self) -> datetime:
        """The server's clock, as its last answer told it; a login proves key, user and org.

        Asks for nothing that an org could refuse to this user.
        """
        await self._session.access()
        return self._session.now()

    async def fetch_limits(self) -> Mapping[str, object]:
        """``/limits`` as it came."""
        answer = await self._send(_Call("GET", f"{self._base}/limits", "limits"))
        body = answer.json_object()
        self._note_org(parse_limits(body))
        return body

    async def fetch_describe(self, object_name: str) -> Mapping[str, object]:
        """The describe of an object as it came."""
        path = self._object_path(object_name, "describe")
        return (await self._send(_Call("GET", path, "describe"))).json_object()

    async def query(self, soql: str, *, deleted: bool = False) -> Rows:
        """The first batch of a query; ``deleted`` includes what is in the recycle bin."""
        path = self.query_path(soql, deleted=deleted)
        if len(path) <= _LONGEST_PATH:
            return read_rows((await self._send(_Call("GET", path, "query"))).json_object())
        (part,) = await self.send_composite([path], "query")
        if part.error is not None:
            raise part.error
        return read_rows(part.body)

    async def query_to_end(
        self, soql: str, *, deleted: bool = False
    ) -> tuple[Mapping[str, object], ...]:
        """All rows of a query that has a LIMIT or a short list of Ids."""
        batch = await self.query(soql, deleted=deleted)
        rows = list(batch.rows)
        seen: set[str] = set()
        while batch.next_path is not None:
            if batch.next_path in seen:
                raise MalformedError("query: the pages of the answer lead back to one another")
            if len(seen) >= _MOST_PAGES:
                raise MalformedError("query: the pages of the answer do not end")
            seen.add(batch.next_path)
            batch = read_rows(
                (await self._send(_Call("GET", batch.next_path, "query"))).json_object()
            )
            rows.extend(batch.rows)
        return tuple(rows)

    def query_path(self, soql: str, *, deleted: bool = False) -> str:
        """The path of a query, to be sent as it is or as a part of a composite request."""
        word = "queryAll" if deleted else "query"
        return f"{self._base}/{word}?q={quote(soql, safe='')}"

    async def send_composite(
        self, paths: Sequence[str], operation: str = "composite"
    ) -> tuple[PartAnswer, ...]:
        """Up to 25 reads, of which at most 5 queries, as one API call; answers in their order."""
        parts = [_Call("GET", path, operation) for path in paths]
        return await self._send_parts(parts, operation)

    async def update_many(
        self, updates: Sequence[Update], then_read: Sequence[str] = ()
    ) -> tuple[tuple[PartAnswer, ...], tuple[PartAnswer, ...]]:
        """Several guarded writes, then reads, as one API call; each write stands by itself.

        Returns:
            The answers to the writes (a record that was modified meanwhile: an error with status
            412) and to the reads, in their order.
        """
        parts = [
            _Call(
                "PATCH",
                self._object_path(update.object, update.id),
                "update_many",
                is_write=True,
                json=dict(update.values),
                # A part inherits none but Accept, Authorization and Content-Type from the whole.
                headers=self._write_headers | _unmodified_since(update.unmodified_since),
            )
            for update in updates
        ]
        parts += [_Call("GET", path, "update_many") for path in then_read]
        answers = await self._send_parts(parts, "update_many")
        return answers[: len(updates)], answers[len(updates) :]

    async def _send_parts(self, parts: Sequence["_Call"], operation: str) -> tuple[PartAnswer, ...]:
        if not 1 <= len(parts) <= MAX_SUBREQUESTS:
            raise ValueError("a composite request has 1 to 25 parts")
        requests: list[Json] = [part.to_json(f"part{place}") for place, part in enumerate(parts)]
        body: Json = {"allOrNone": False, "compositeRequest": requests}
        is_write = any(part.is_write for part in parts)
        call = _Call("POST", f"{self._base}/composite", operation, is_write=is_write, json=body)
        answer = await self._send(call)
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
        answer = await self._send(_Call("POST", path, "create", is_write=True, json=dict(values)))
        return read_id(answer)

    async def create_many(
        self, object_name: str, rows: Sequence[Mapping[str, Scalar]]
    ) -> tuple[RecordId | RemoteError, ...]:
        """Creates up to 200 records in one API call; each stands by itself.

        Returns:
            In their order, the Id of each or the error it stands for.
        """
        if not 1 <= len(rows) <= MAX_COLLECTION:
            raise ValueError("a collection has 1 to 200 records")
        records: list[Json] = [{"attributes": {"type": object_name}, **row} for row in rows]
        body: Json = {"allOrNone": False, "records": records}
        path = f"{self._base}/composite/sobjects"
        answer = await self._send(_Call("POST", path, "create_many", is_write=True, json=body))
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
        """Writes fields of a record; False where it was modified after ``unmodified_since``."""
        headers = {} if unmodified_since is None else _unmodified_since(unmodified_since)
        call = _Call(
            "PATCH",
            self._object_path(object_name, record_id),
            "update",
            is_write=True,
            json=dict(values),
            headers=headers,
            passing=frozenset({412}),
        )
        answer = await self._send(call)
        if answer.status == 412:
            return False
        answer.json()  # a proxy's page with status 200 is no confirmation
        return True

    async def delete(self, object_name: str, record_id: RecordId) -> None:
        """Puts a record into the Recycle Bin; one that is gone already is as good."""
        path = self._object_path(object_name, record_id)
        gone = frozenset({404})
        await self._send(_Call("DELETE", path, "delete", is_write=True, passing=gone))

    async def upsert(
        self, object_name: str, key_field: str, key: str, values: Mapping[str, Scalar]
    ) -> Upserted:
        """Creates or updates the record whose external id is ``key``; several matches write nothing."""
        call = _Call(
            "PATCH",
            self._object_path(object_name, key_field, key),
            "upsert",
            is_write=True,
            json=dict(values),
            passing=frozenset({300}),
        )
        answer = await self._send(call)
        if answer.status == 300:
            found = answer.json()
            return Upserted(None, None, len(found) if isinstance(found, list) else 2)
        if not answer.body.strip():  # an update, as API versions before 46 answer it
            return Upserted(None, created=False)
        created = answer.json_object().get("created")
        is_new = created if isinstance(created, bool) else answer.status == 201
        return Upserted(read_id(answer), is_new)

    def updated_path(self, object_name: str, since: datetime, until: datetime) -> str:
        """The path of ``/updated``, to be sent as a part of a composite request."""
        start, end = (
            quote(moment.astimezone(UTC).replace(microsecond=0).isoformat(), safe="")
            for moment in (since, until)
        )
        return f"{self._object_path(object_name, 'updated')}/?start={start}&end={end}"

    async def fetch_updated(self, object_name: str, since: datetime, until: datetime) -> UpdatedIds:
        """Ids of the rows changed between two moments, at most 30 days back."""
        path = self.updated_path(object_name, since, until)
        return read_updated((await self._send(_Call("GET", path, "updated"))).json_object())

    async def _send(self, call: "_Call") -> Answer:
        """One request, sent again once where the session had ended.

        A write that a moved instance answers is not sent again: something in front of it may have
        answered after the write took effect. The next attempt logs in and looks first.
        """
        access = await self._session.access()
        answer = await self._exchange(access, call)
        faults = _faults(answer)
        meaning = None if faults is None else judge(answer.status, faults).meaning
        if meaning is Meaning.MOVED and call.is_write:
            self._session.leave(access)
        elif meaning in (Meaning.SESSION, Meaning.MOVED):
            access = await self._session.renew(access)
            answer = await self._exchange(access, call)
            faults = _faults(answer)
        if faults is None or (answer.status in call.passing and _is_readable(answer, faults)):
            self._session.note_success()
            return answer
        error = to_error(answer.status, faults, what=call.operation, is_write=call.is_write)
        if isinstance(error, CredentialsError):
            self._session.refuse(access, error)
        raise error

    async def _exchange(self, access: Access, call: "_Call") -> Answer:
        request = self._http.build_request(
            call.method,
            f"{access.instance_url}{call.path}",
            json=call.json,
            headers={
                **_HEADERS,
                **(self._write_headers if call.is_write else {}),
                **call.headers,
                "Authorization": f"Bearer {access.token}",
            },
            extensions={OPERATION: call.operation},
        )
        self.usage.count(self._clock.now())
        try:
            answer = await exchange(
                self._http, request, is_write=call.is_write, deadline_seconds=self._timeout_seconds
            )
        except RemoteError as error:
            is_answered = isinstance(error, TooLargeError)
            self._session.note_answered(access, is_answered=is_answered)
            raise
        self._session.note_answered(access, is_answered=_is_of_api(answer))
        self._session.note_date(answer.headers)
        self._note_org(parse_limit_info(answer.headers.get("Sforce-Limit-Info")))
        return answer

    def _note_org(self, usage: OrgUsage | None) -> None:
        if usage is not None:
            self.usage.note_org(usage)
            self._observer.on_budget(Side.SALESFORCE, float(usage.remaining))

    def _object_path(self, *parts: str) -> str:
        return "/".join((f"{self._base}/sobjects", *(quote(part, safe="") for part in parts)))


@dataclass(frozen=True, slots=True)
class _Call:
    """A request before it has a session. ``passing``: statuses besides 2xx that the caller reads."""

    method: str
    path: str
    operation: str
    is_write: bool = False
    json: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)
    passing: frozenset[int] = frozenset()

    def to_json(self, reference: str) -> Json:
        """The request as a part of a composite one."""
        part: dict[str, Json] = {"method": self.method, "url": self.path, "referenceId": reference}
        if self.headers:
            part["httpHeaders"] = dict(self.headers)
        if self.json is not None:
            part["body"] = self.json
        return part


def _unmodified_since(moment: datetime) -> dict[str, str]:
    stamp = moment.astimezone(UTC).replace(microsecond=0)
    return {"If-Unmodified-Since": format_datetime(stamp, usegmt=True)}


def _faults(answer: Answer) -> tuple[Fault, ...] | None:
    """The entries of an error body; None where the answer is a success."""
    if 200 <= answer.status < 300:
        return None
    faults = parse_faults(answer.body)
    if (
        not faults
        and answer.status == 404
        and answer.operation == "describe"
        and not _is_page(answer)
    ):
        return (Fault("NOT_FOUND", ""),)  # said in few words; a page may be of the edge
    return faults


def _is_of_api(answer: Answer) -> bool:
    """Whether the API itself answered: no page of the edge, no other host, nothing broken down."""
    faults = _faults(answer)
    if faults is None:
        return not _is_page(answer)
    if not faults:
        return answer.status in (300, 412)
    return judge(answer.status, faults).meaning not in (Meaning.MOVED, Meaning.BROKEN)


def _is_page(answer: Answer) -> bool:
    return str(answer.headers.get("Content-Type", "")).startswith("text/html")


def _is_readable(answer: Answer, faults: Sequence[Fault]) -> bool:
    """A page that says 404 is no word about the record: the instance may have moved."""
    return bool(faults) or answer.status != 404
