"""``/cometd/<version>/``: the streaming endpoint, Bayeux over long polling.

Facts: docs/vendors/salesforce.md#streaming.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pagerforce.sandbox.salesforce.streaming import StreamClient, Streaming, StreamRefusal
from pagerforce.sandbox.salesforce.world import SalesforceWorld

MAX_BODY_BYTES = 32_768
_LOOK_SECONDS = 1.0
_COOKIE = "BAYEUX_BROWSER"
_FOR_EVER = 3600.0
Message: TypeAlias = Mapping[str, object]


def cometd_routes(world: SalesforceWorld) -> list[Route]:
    """The endpoint, for every version of the API."""
    endpoint = _Endpoint(world, world.streaming)
    return [
        Route("/cometd/{version}", endpoint.serve, methods=["POST"]),
        Route("/cometd/{version}/", endpoint.serve, methods=["POST"]),
    ]


class _PageError(Exception):
    """The answer is a page and no message."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who sends a request: the scheme, the user of the token (None: no good one), the cookie."""

    scheme: str
    user_id: str | None
    cookie: str


@dataclass(slots=True)
class _Endpoint:
    world: SalesforceWorld
    streaming: Streaming

    async def serve(self, request: Request) -> Response:
        """One request with one or more messages."""
        if not self.streaming.knobs.is_offered:
            return HTMLResponse("<html><body>404</body></html>", status_code=404)
        raw = await request.body()
        if len(raw) > MAX_BODY_BYTES:
            return Response(status_code=413)
        try:
            messages = json.loads(raw)
        except ValueError:
            return Response(status_code=400)
        if not isinstance(messages, list) or not all(isinstance(x, dict) for x in messages):
            return Response(status_code=400)  # every body is an array
        caller = self._caller(request)
        self.streaming.authorizations.append(caller.scheme)
        cookies: dict[str, str] = {}
        found: list[Message] = []
        try:
            for message in messages:
                found += await self._answer(message, caller, cookies)
        except _PageError as page:
            return HTMLResponse(f"<html><body>{page.status}</body></html>", status_code=page.status)
        response = JSONResponse(found)
        for name, value in cookies.items():
            response.set_cookie(name, value, httponly=True, path="/")
        return response

    def _caller(self, request: Request) -> _Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user_id = self.world.tokens.user_of(token.strip(), self.world.clock.now())
        wanted = self.streaming.knobs.scheme.lower()
        if scheme.lower() not in ({wanted} if wanted else {"bearer", "oauth"}):
            scheme, user_id = "", None
        return _Caller(scheme, user_id, request.cookies.get(_COOKIE, ""))

    async def _answer(
        self, message: Message, caller: _Caller, cookies: dict[str, str]
    ) -> list[Message]:
        match message.get("channel"):
            case "/meta/handshake":
                return [self._handshake(message, caller, cookies)]
            case "/meta/connect":
                return await self._connect(message, caller, cookies)
            case "/meta/subscribe":
                return [self._subscribe(message, caller)]
            case "/meta/disconnect":
                self.streaming.clients.pop(str(message.get("clientId")), None)
                return [_said(message, successful=True)]
            case _:
                return [_said(message, successful=False, error="400::Unknown channel")]

    def _refused(self, message: Message, step: str) -> Message | None:
        refusal = self.streaming.refusal(step)
        if refusal is None:
            return None
        if refusal.page:
            raise _PageError(refusal.page)
        return _refusal(message, refusal)

    def _handshake(self, message: Message, caller: _Caller, cookies: dict[str, str]) -> Message:
        refused = self._refused(message, "handshake")
        if refused is not None:
            return refused
        if caller.user_id is None:
            reason = "401::Authentication invalid" if caller.scheme else _NO_LOGIN
            return _refusal(message, StreamRefusal("handshake", _DENIED, reason))
        self.streaming.forget_absent()
        if len(self.streaming.clients) >= self.streaming.knobs.most_clients:
            error = "403::Organization concurrent user limit exceeded"
            return _refusal(message, StreamRefusal("handshake", error))
        client = self.streaming.begin(caller.user_id)
        cookies |= {_COOKIE: client.cookie, "sfdc-stream": client.id[:8]}
        return _said(
            message,
            successful=True,
            clientId=client.id,
            version="1.0",
            minimumVersion="1.0",
            supportedConnectionTypes=["long-polling"],
            ext={"replay": True, "payload.format": True},
        )

    def _client(
        self, message: Message, caller: _Caller, cookies: dict[str, str]
    ) -> StreamClient | Message:
        """The client of a message, or the refusal that says why there is none."""
        self.streaming.forget_absent()
        client = self.streaming.clients.get(str(message.get("clientId")))
        if client is None:
            cookies["sfdc-stream"] = "another"
            return _refusal(message, StreamRefusal("connect", _UNKNOWN, reconnect="handshake"))
        if not caller.cookie:
            error = f"400::Client {client.id} has established a session, but no {_COOKIE} cookie present"
            return _refusal(message, StreamRefusal("connect", error, reconnect="handshake"))
        if caller.cookie != client.cookie:
            return _refusal(message, StreamRefusal("connect", _UNKNOWN, reconnect="handshake"))
        if caller.user_id is None:
            return _refusal(message, StreamRefusal("connect", "401::Authentication invalid"))
        return client

    def _subscribe(self, message: Message, caller: _Caller) -> Message:
        client = self._client(message, caller, {})
        if not isinstance(client, StreamClient):
            return client
        channel = str(message.get("subscription"))
        refused = self._refused(message, "subscribe")
        if refused is not None:
            return {**refused, "subscription": channel}
        error = self.streaming.channel_error(channel)
        if error:
            return _said(message, successful=False, error=error, subscription=channel)
        client.channels.add(channel)
        client.left_at = anyio.current_time()
        return _said(message, successful=True, clientId=client.id, subscription=channel)

    async def _connect(
        self, message: Message, caller: _Caller, cookies: dict[str, str]
    ) -> list[Message]:
        client = self._client(message, caller, cookies)
        if not isinstance(client, StreamClient):
            return [client]
        refused = self._refused(message, "connect")
        if refused is not None:
            return [refused]
        knobs = self.streaming.knobs
        if knobs.ended_clients > 0 and client.channels:
            knobs.ended_clients -= 1
            del self.streaming.clients[client.id]
            cookies["sfdc-stream"] = "another"
            return [_refusal(message, StreamRefusal("connect", _UNKNOWN, reconnect="handshake"))]
        if self.streaming.left_to_deliver() == 0:
            error = "403::Organization total events daily limit exceeded"
            return [_refusal(message, StreamRefusal("connect", error))]
        self.streaming.connects += 1
        client.turn += 1
        if client.turn == 1:
            client.left_at = anyio.current_time()
            advice = {
                "interval": 0,
                "timeout": int(knobs.hold_seconds * 1000),
                "reconnect": "retry",
            }
            return [_said(message, successful=True, clientId=client.id, advice=advice)]
        return await self._hold(message, client, cookies)

    async def _hold(
        self, message: Message, client: StreamClient, cookies: dict[str, str]
    ) -> list[Message]:
        """Waits for events; a newer connect of the client, or its end, ends the wait."""
        streaming, client.left_at = self.streaming, None
        seconds = self._hold_seconds(message)
        if streaming.knobs.silent_connects > 0:
            streaming.knobs.silent_connects -= 1
            await anyio.sleep(_FOR_EVER)
        turn, end = client.turn, anyio.current_time() + seconds
        while True:
            if streaming.clients.get(client.id) is not client:
                cookies["sfdc-stream"] = "another"
                unknown = StreamRefusal("connect", _UNKNOWN, reconnect="handshake")
                return [_refusal(message, unknown)]
            if client.turn != turn:
                return [_said(message, successful=True, clientId=client.id)]
            events = client.take(streaming.now())
            left = end - anyio.current_time()
            if events or left <= 0:
                break
            with anyio.move_on_after(min(left, _LOOK_SECONDS)):
                await streaming.news.wait()
        streaming.delivered += len(events)
        client.left_at = anyio.current_time()
        return [*events, _said(message, successful=True, clientId=client.id)]

    def _hold_seconds(self, message: Message) -> float:
        advice, hold = message.get("advice"), self.streaming.knobs.hold_seconds
        asked = advice.get("timeout") if isinstance(advice, dict) else None
        if self.streaming.knobs.heeds_wait and isinstance(asked, int | float):
            return min(hold, max(0.0, asked / 1000))
        return hold


_UNKNOWN = "403::Unknown client"
_DENIED = "403::Handshake denied"
_NO_LOGIN = "401::Request requires authentication"


def _said(message: Message, **values: object) -> Message:
    """An answer to a message, with its channel and its id as text."""
    given = {"id": str(message["id"])} if "id" in message else {}
    return {"channel": message.get("channel"), **given, **values}


def _refusal(message: Message, refusal: StreamRefusal) -> Message:
    found: dict[str, object] = {"error": refusal.error}
    if refusal.reason:
        found["ext"] = {"sfdc": {"failureReason": refusal.reason}, "replay": True}
    if refusal.reconnect:
        found["advice"] = {"reconnect": refusal.reconnect, "interval": 0}
    return _said(message, successful=False, **found)
