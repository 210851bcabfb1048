"""The org on HTTP: login, the REST API's envelope, and the sandbox's own control endpoints.

Facts: docs/vendors/salesforce.md#login, #rest, #errors and #limits. The ``Date`` header comes from the
fault middleware, by the org's clock.
"""

import json
import re
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pagerforce.sandbox.bodies import parse_body
from pagerforce.sandbox.faults import (
    ErrorAnswer,
    Fault,
    FaultKind,
    FaultMiddleware,
    Faults,
    fault_routes,
)
from pagerforce.sandbox.salesforce.cometd import cometd_routes
from pagerforce.sandbox.salesforce.composite import write_parts
from pagerforce.sandbox.salesforce.control import knob_routes
from pagerforce.sandbox.salesforce.errors import ApiError, not_found
from pagerforce.sandbox.salesforce.locators import Locators
from pagerforce.sandbox.salesforce.refusals import REFUSALS
from pagerforce.sandbox.salesforce.rest import Call, Reply, Router, Session, error_reply
from pagerforce.sandbox.salesforce.routes import make_router
from pagerforce.sandbox.salesforce.seeds import ORG_ID
from pagerforce.sandbox.salesforce.tokens import TokenError
from pagerforce.sandbox.salesforce.world import SalesforceWorld

MAX_URI_BYTES = 16_384
MAX_BODY_BYTES = 6 * 1024 * 1024
OLDEST_VERSION, NEWEST_VERSION = 31, 68
"""v21 to v30 are retired (``salesforce.versions-retire``); v68 is the newest known version."""

_DATA = "/services/data"
_VERSION = re.compile(r"v([0-9]{2})\.0")
_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"]


def make_app(world: SalesforceWorld, faults: Faults | None = None) -> Starlette:
    """The org as an application.

    Args:
        world: the org to serve; may be changed from outside between requests.
        faults: the HTTP faults; without them only the control endpoint sets any.
    """
    knobs = Faults() if faults is None else faults
    knobs.answers = frozenset(REFUSALS)
    api = _Api(world)
    return Starlette(
        routes=[
            Route("/services/oauth2/token", api.token, methods=["POST"]),
            Route("/services/oauth2/userinfo", api.user_info, methods=["GET"]),
            Route("/id/{org_id}/{user_id}", api.identity, methods=["GET"]),
            *fault_routes(knobs),
            *knob_routes(world),
            *cometd_routes(world),
            Route("/{path:path}", api.data, methods=_METHODS),
        ],
        middleware=[
            Middleware(
                FaultMiddleware,
                faults=knobs,
                clock=world.clock,
                shape=_fault_shape,
                write_parts=write_parts,
            )
        ],
    )


@dataclass(frozen=True, slots=True)
class _Api:
    world: SalesforceWorld
    locators: Locators = field(default_factory=Locators)
    router: Router = field(default_factory=make_router)

    async def token(self, request: Request) -> Response:
        """``POST /services/oauth2/token``."""
        raw = (await request.body()).decode("utf-8", errors="replace")
        form = dict(parse_qsl(raw, keep_blank_values=True))
        world, desk = self.world, self.world.tokens
        instance = self._instance(request)
        hosts = {instance, _called_url(request), request.url.netloc}
        try:
            username = desk.check_assertion(form, hosts, world.clock.now())
            user_id = self._user(username)
            access_token = desk.issue(user_id, world.clock.now())
        except TokenError as error:
            body = {"error": error.error, "error_description": error.description}
            return JSONResponse(body, status_code=400)
        return JSONResponse(
            {
                "access_token": access_token,
                "scope": "refresh_token api",
                "instance_url": instance,
                "id": f"{instance}/id/{ORG_ID}/{user_id}",
                "token_type": "Bearer",
            },
            headers={"Cache-Control": "no-cache, no-store"},
        )

    async def identity(self, request: Request) -> Response:
        """``GET /id/<org>/<user>``: the owner of a token."""
        user_id = self._caller(request)
        if user_id is None or request.path_params["user_id"] != user_id:
            return Response("Bad_OAuth_Token", status_code=403)
        return JSONResponse(self._who(user_id, self._instance(request)))

    async def user_info(self, request: Request) -> Response:
        """``GET /services/oauth2/userinfo``: the same in OpenID Connect's words."""
        user_id = self._caller(request)
        if user_id is None:
            return Response("Bad_OAuth_Token", status_code=403)
        who = self._who(user_id, self._instance(request))
        return JSONResponse(
            {
                **who,
                "sub": who["id"],
                "preferred_username": who["username"],
                "name": who["display_name"],
            }
        )

    async def data(self, request: Request) -> Response:
        """Everything below ``/services/data``; any other path is not found."""
        moved = self.world.moved
        if moved is not None and moved.is_left(request.url.netloc):
            query = f"?{request.url.query}" if request.url.query else ""
            return moved.answer(request.url.path + query)
        try:
            reply = await self._serve(request)
        except ApiError as error:
            reply = error_reply(error)
        usage = self.world.quota.header(self.world.clock.now())
        headers = {"Sforce-Limit-Info": usage, **reply.headers}
        if reply.body is None:
            return Response(status_code=reply.status, headers=headers)
        return _AsciiJson(reply.body, status_code=reply.status, headers=headers)

    async def _serve(self, request: Request) -> Reply:
        _check_sizes(request)
        segments = _segments(request)
        if segments[:2] != ["services", "data"]:
            raise not_found()
        if len(segments) == 2:
            return _versions()
        version = _check_version(segments[2])
        user_id = self._caller(request)
        if user_id is None:
            raise ApiError("INVALID_SESSION_ID", "Session expired or invalid", status=401)
        now = self.world.clock.now()
        if self.world.quota.remaining(now) <= 0:
            raise ApiError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
        self.world.quota.count(now)
        call = await _call(request, tuple(segments[3:]))
        session = Session(self.world, user_id, version, self.locators, self.router.dispatch)
        return self.router.dispatch(session, call)

    def _caller(self, request: Request) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in {"bearer", "oauth"}:
            return None
        return self.world.tokens.user_of(token.strip(), self.world.clock.now())

    def _user(self, username: str) -> str:
        try:
            return self.world.user_id(username)
        except LookupError as error:
            raise TokenError("invalid_grant", "user hasn't approved this consumer") from error

    def _instance(self, request: Request) -> str:
        return self.world.instance_url.rstrip("/") or _called_url(request)

    def _who(self, user_id: str, instance: str) -> dict[str, str]:
        row = self.world.row("User", user_id)
        return {
            "id": f"{instance}/id/{ORG_ID}/{user_id}",
            "user_id": user_id,
            "organization_id": ORG_ID,
            "username": str(row["Username"]),
            "display_name": str(row["Name"]),
            "email": str(row["Email"]),
        }


def _called_url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _check_sizes(request: Request) -> None:
    uri = len(request.scope["raw_path"]) + len(request.scope["query_string"]) + 1
    if uri > MAX_URI_BYTES:
        raise ApiError("URI_TOO_LONG", "The URI is longer than 16,384 bytes", status=414)
    headers = sum(len(name) + len(value) + 4 for name, value in request.scope["headers"])
    if uri + headers > MAX_URI_BYTES:
        message = "The URI and the headers are longer than 16,384 bytes"
        raise ApiError("REQUEST_HEADER_FIELDS_TOO_LARGE", message, status=431)


def _segments(request: Request) -> list[str]:
    """The path, split before it is decoded, as keys may contain encoded slashes."""
    raw = request.scope["raw_path"].decode("ascii", errors="replace").partition("?")[0]
    return [unquote(part) for part in raw.strip("/").split("/")]


def _check_version(segment: str) -> str:
    match = _VERSION.fullmatch(segment)
    number = int(match.group(1)) if match else 0
    if match is None or number > NEWEST_VERSION or number < 21:
        raise not_found()
    if number < OLDEST_VERSION:
        raise ApiError("UNSUPPORTED_API_VERSION", f"API version {segment} is retired", status=410)
    return f"{number}.0"


def _versions() -> Reply:
    versions = [f"{number}.0" for number in range(OLDEST_VERSION, NEWEST_VERSION + 1)]
    return Reply(200, [{"label": v, "url": f"{_DATA}/v{v}", "version": v} for v in versions])


async def _call(request: Request, segments: tuple[str, ...]) -> Call:
    headers = {name.lower(): value for name, value in request.headers.items()}
    call = Call(request.method, segments, dict(request.query_params), headers)
    if call.method == "POST" and "_HttpMethod" in call.params:
        call = replace(call, method=call.params["_HttpMethod"].upper())
    if request.method not in {"POST", "PATCH", "PUT"}:
        return call
    raw = await request.body()
    if len(raw) > MAX_BODY_BYTES:
        raise ApiError("REQUEST_ENTITY_TOO_LARGE", "The request body is too large", status=413)
    if not raw:
        return call
    if "json" not in headers.get("content-type", ""):
        kind = headers.get("content-type", "")
        raise ApiError("UNSUPPORTED_MEDIA_TYPE", f"Unsupported content type: {kind}", status=415)
    try:
        return replace(call, body=parse_body(raw, _no_constant))
    except ValueError as error:
        raise ApiError("JSON_PARSER_ERROR", "The request body is not valid JSON") from error


def _no_constant(name: str) -> object:
    """NaN and the infinities are not JSON, although Python reads them."""
    raise ValueError(f"{name} is not JSON")


class _AsciiJson(JSONResponse):
    """JSON in ASCII, so that half a surrogate pair from a caller can be answered too."""

    def render(self, content: object) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def _fault_shape(fault: Fault) -> ErrorAnswer:
    """Salesforce announces no wait; 429 and 5xx pages may be text, a 503 is an error array."""
    if fault.answer:
        return REFUSALS[fault.answer].as_answer()
    if fault.kind is FaultKind.TOO_MANY:
        return _fault_answer(429, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.")
    if fault.status == 503:
        return _fault_answer(503, "SERVER_UNAVAILABLE", "Server is too busy. Please try again.")
    return _fault_answer(fault.status, "UNKNOWN_EXCEPTION", "An unexpected error occurred.")


def _fault_answer(status: int, code: str, message: str) -> ErrorAnswer:
    body = json.dumps([{"message": message, "errorCode": code}]).encode()
    return ErrorAnswer(status, body, {"content-type": "application/json;charset=UTF-8"})
