"""Sends one request to Salesforce, again if the session has ended, and judges its error.

Facts: docs/vendors/salesforce.md#rest and #errors.
"""

from collections.abc import Mapping, Sequence

import httpx
import msgspec
from msgspec import Struct

from pagerforce.errors import CredentialsError, RemoteError, TooLargeError
from pagerforce.model.ids import Side
from pagerforce.model.ports import Clock
from pagerforce.model.value import Json
from pagerforce.salesforce.answers import Fault, judge, parse_faults, to_error
from pagerforce.salesforce.auth import JwtSession
from pagerforce.salesforce.login import Access
from pagerforce.salesforce.meaning import Meaning
from pagerforce.salesforce.usage import CallUsage, OrgUsage, parse_limit_info
from pagerforce.wire.answer import Answer
from pagerforce.wire.exchange import exchange
from pagerforce.wire.transport import OPERATION, RequestObserver

# docs/reference/salesforce-headers.md explains each choice, also of the headers that are not sent.
_HEADERS = {"Accept": "application/json", "Sforce-Call-Options": "client=pagerforce"}
_WRITE_HEADERS = {
    # Otherwise any write that touches a Case runs assignment rules and can change its owner.
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Mru": "updateMru=false",
}
_SAVE_DUPLICATES = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}


class Call(Struct, frozen=True):
    """A request without a session. ``passing``: statuses besides 2xx that the caller reads."""

    method: str
    path: str
    operation: str
    is_write: bool = False
    json: Json = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    passing: frozenset[int] = frozenset()

    def to_json(self, reference: str) -> Json:
        """The request as a part of a composite one."""
        part: dict[str, Json] = {"method": self.method, "url": self.path, "referenceId": reference}
        if self.headers:
            part["httpHeaders"] = dict(self.headers)
        if self.json is not None:
            part["body"] = self.json
        return part


def write_headers(*, allow_duplicates: bool) -> dict[str, str]:
    """The headers of each write, also within a composite request."""
    return _WRITE_HEADERS | (_SAVE_DUPLICATES if allow_duplicates else {})


class Caller(Struct, frozen=True):
    """Sends calls with one session.

    Attributes:
        session: supplies the token and the instance.
        http: from ``wire.transport.build_client``.
        clock: dates the counted calls.
        observer: receives the rest of the org's daily calls.
        write_headers: from the function of that name.
        timeout_seconds: total deadline of one request.
        usage: the calls so far.
    """

    session: JwtSession
    http: httpx.AsyncClient
    clock: Clock
    observer: RequestObserver
    write_headers: dict[str, str]
    timeout_seconds: float
    usage: CallUsage = msgspec.field(default_factory=CallUsage)

    async def send(self, call: Call) -> Answer:
        """Sends one request, and sends it again once if the session has ended.

        A write to a moved instance is not sent again: a host in front may have answered after the
        write took effect. The next attempt logs in and searches first.
        """
        access = await self.session.access()
        answer = await self._exchange(access, call)
        faults = _faults(answer)
        meaning = None if faults is None else judge(answer.status, faults).meaning
        if meaning is Meaning.MOVED and call.is_write:
            self.session.leave(access)
        elif meaning in (Meaning.SESSION, Meaning.MOVED):
            access = await self.session.renew(access)
            answer = await self._exchange(access, call)
            faults = _faults(answer)
        if faults is None or (answer.status in call.passing and _is_readable(answer, faults)):
            self.session.note_success()
            return answer
        error = to_error(answer.status, faults, what=call.operation, is_write=call.is_write)
        if isinstance(error, CredentialsError):
            self.session.refuse(access, error)
        raise error

    async def _exchange(self, access: Access, call: Call) -> Answer:
        request = self.http.build_request(
            call.method,
            f"{access.instance_url}{call.path}",
            json=call.json,
            headers={
                **_HEADERS,
                **(self.write_headers if call.is_write else {}),
                **call.headers,
                "Authorization": f"Bearer {access.token}",
            },
            extensions={OPERATION: call.operation},
        )
        self.usage.count(self.clock.now())
        try:
            answer = await exchange(
                self.http, request, is_write=call.is_write, deadline_seconds=self.timeout_seconds
            )
        except RemoteError as error:
            is_answered = isinstance(error, TooLargeError)
            self.session.note_answered(access, is_answered=is_answered)
            raise
        self.session.note_answered(access, is_answered=_is_of_api(answer))
        self.session.note_date(answer.headers)
        self.note_org(parse_limit_info(answer.headers.get("Sforce-Limit-Info")))
        return answer

    def note_org(self, usage: OrgUsage | None) -> None:
        """Notes what an answer says about the org's daily calls, if anything."""
        if usage is not None:
            self.usage.note_org(usage)
            self.observer.on_budget(Side.SALESFORCE, float(usage.remaining))


def _faults(answer: Answer) -> tuple[Fault, ...] | None:
    """The entries of an error body; None for a success."""
    if 200 <= answer.status < 300:
        return None
    faults = parse_faults(answer.body)
    if (
        not faults
        and answer.status == 404
        and answer.operation == "describe"
        and not _is_page(answer)
    ):
        return (Fault("NOT_FOUND", ""),)  # a short text; an HTML page may come from the edge
    return faults


def _is_of_api(answer: Answer) -> bool:
    """Whether the API itself answered: not the edge, another host or a failing server."""
    faults = _faults(answer)
    if faults is None:
        return not _is_page(answer)
    if not faults:
        return answer.status in (300, 412)
    return judge(answer.status, faults).meaning not in (Meaning.MOVED, Meaning.BROKEN)


def _is_page(answer: Answer) -> bool:
    return str(answer.headers.get("Content-Type", "")).startswith("text/html")


def _is_readable(answer: Answer, faults: Sequence[Fault]) -> bool:
    """An HTML page with 404 proves nothing about the record: the instance may have moved."""
    return bool(faults) or answer.status != 404
