"""The PagerDuty REST API as a Starlette application over a world.

Facts: docs/vendors/pagerduty.md. Below ``/__sandbox__/`` the sandbox has two endpoints of its own,
for manual use: ``faults`` and ``events``; the latter plays the Events API, which the daemon never
calls.
"""

import json
from collections.abc import Awaitable, Callable

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pagerforce.sandbox.bodies import parse_body
from pagerforce.sandbox.faults import (
    CONTROL_PREFIX,
    ErrorAnswer,
    Fault,
    FaultKind,
    FaultMiddleware,
    Faults,
    fault_routes,
    plain_error,
)
from pagerforce.sandbox.pagerduty import detail_endpoints as detail
from pagerforce.sandbox.pagerduty import directory_endpoints as directory
from pagerforce.sandbox.pagerduty import incident_endpoints as incidents
from pagerforce.sandbox.pagerduty import log_endpoints as log
from pagerforce.sandbox.pagerduty import refusals
from pagerforce.sandbox.pagerduty.call import (
    Answer,
    Call,
    Endpoint,
    Query,
    RateLimiter,
    authenticate,
)
from pagerforce.sandbox.pagerduty.events_api import take_event
from pagerforce.sandbox.pagerduty.links import Links
from pagerforce.sandbox.pagerduty.refusals import RefusalError
from pagerforce.sandbox.pagerduty.world import PagerDutyWorld

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Request bodies are read up to this size; the real limit is undocumented."""

_ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/log_entries", log.list_entries),
    ("GET", "/log_entries/{id}", log.get_entry),
    ("PUT", "/log_entries/{id}/channel", log.update_channel),
    ("GET", "/incidents", incidents.list_incidents),
    ("POST", "/incidents", incidents.create_incident),
    ("PUT", "/incidents", incidents.update_incidents),
    ("GET", "/incidents/types", directory.list_incident_types),
    ("GET", "/incidents/types/{type_id_or_name}/custom_fields", directory.list_custom_fields),
    ("GET", "/incidents/custom_fields", directory.list_base_custom_fields),
    ("GET", "/incidents/{id}", incidents.get_incident),
    ("PUT", "/incidents/{id}", incidents.update_incident),
    ("GET", "/incidents/{id}/log_entries", log.list_incident_entries),
    ("GET", "/incidents/{id}/notes", detail.list_notes),
    ("POST", "/incidents/{id}/notes", detail.create_note),
    ("PUT", "/incidents/{id}/notes/{note_id}", detail.update_note),
    ("DELETE", "/incidents/{id}/notes/{note_id}", detail.delete_note),
    ("GET", "/incidents/{id}/alerts", detail.list_alerts),
    ("PUT", "/incidents/{id}/alerts", detail.update_alerts),
    ("GET", "/incidents/{id}/alerts/{alert_id}", detail.get_alert),
    ("PUT", "/incidents/{id}/alerts/{alert_id}", detail.update_alert),
    ("PUT", "/incidents/{id}/merge", detail.merge),
    ("POST", "/incidents/{id}/snooze", detail.snooze),
    ("POST", "/incidents/{id}/responder_requests", detail.request_responders),
    ("PUT", "/incidents/{id}/responder_requests/cancel", detail.cancel_responders),
    ("POST", "/incidents/{id}/status_updates", detail.publish_update),
    ("GET", "/incidents/{id}/custom_fields/values", detail.get_custom_values),
    ("PUT", "/incidents/{id}/custom_fields/values", detail.set_custom_values),
    ("GET", "/users", directory.list_users),
    ("GET", "/users/me", directory.get_current_user),
    ("GET", "/users/{id}", directory.get_user),
    ("GET", "/services", directory.list_services),
    ("GET", "/services/{id}", directory.get_service),
    ("GET", "/escalation_policies", directory.list_policies),
    ("GET", "/escalation_policies/{id}", directory.get_policy),
    ("GET", "/priorities", directory.list_priorities),
    ("GET", "/teams", directory.list_teams),
    ("GET", "/abilities", directory.list_abilities),
    ("GET", "/abilities/{id}", directory.get_ability),
    ("GET", "/incident_workflows", directory.list_workflows),
    ("GET", "/incident_workflows/triggers", directory.list_triggers),
    ("GET", "/incident_workflows/{id}", directory.get_workflow),
    ("POST", "/incident_workflows/{id}/instances", directory.start_workflow),
    ("GET", "/response_plays", directory.list_response_plays),
    ("GET", "/response_plays/{id}", directory.get_response_play),
    ("POST", "/response_plays/{id}/run", directory.run_response_play),
)

_Served = Callable[[Request], Awaitable[Response]]


def make_app(world: PagerDutyWorld, faults: Faults | None = None) -> Starlette:
    """The API of a world, behind its faults.

    Args:
        world: the account.
        faults: the faults; passed by callers who want to arm them in Python.
    """
    armed = faults if faults is not None else Faults()
    limiter = RateLimiter()
    routes = [
        Route(path, _served(world, limiter, endpoint), methods=[method])
        for method, path, endpoint in _ENDPOINTS
    ]
    events = Route(f"{CONTROL_PREFIX}events", _events(world), methods=["POST"])
    return Starlette(
        routes=[*fault_routes(armed), events, *routes],
        exception_handlers={HTTPException: _answer_unknown},
        middleware=[
            Middleware(FaultMiddleware, faults=armed, clock=world.state.clock, shape=_shape_error)
        ],
    )


def _served(world: PagerDutyWorld, limiter: RateLimiter, endpoint: Endpoint) -> _Served:
    """Adds authentication, the rate limit and JSON to an endpoint."""
    state = world.state

    async def serve(request: Request) -> Response:
        headers = {"x-request-id": state.ids.make_key("request")}
        try:
            key = authenticate(state, request.headers.get("authorization"))
            passes, standing = limiter.count(
                key.key, state.knobs.requests_per_minute, state.clock.now()
            )
            headers |= standing
            if not passes:
                raise refusals.too_many_requests()
            if key.read_only and request.method != "GET":
                raise refusals.access_denied()
            answer = endpoint(
                Call(
                    state=state,
                    key=key,
                    path=request.path_params,
                    query=_query(request),
                    body=await _read_body(request),
                    sender=request.headers.get("from"),
                    links=Links(api_url=str(request.base_url).rstrip("/")),
                )
            )
        except RefusalError as refusal:
            answer = Answer(refusal.status, refusal.body)
        if answer.body is None:
            return Response(status_code=answer.status, headers=headers)
        return _Json(answer.body, status_code=answer.status, headers=headers)

    return serve


class _Json(JSONResponse):
    """A faster JSON response: a page of the log is large, and tests read many."""

    def render(self, content: object) -> bytes:
        """The body; impossible values of tests, such as half a surrogate pair, are slower."""
        try:
            return orjson.dumps(content)
        except orjson.JSONEncodeError:
            return super().render(content)


def _query(request: Request) -> Query:
    values: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        values.setdefault(name, []).append(value)
    return Query(values)


async def _read_body(request: Request) -> object:
    """The decoded JSON body, None if there is none.

    Raises:
        RefusalError: it is not JSON, or too large.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RefusalError(413, 2001, "Request Entity Too Large")
    if not body or request.method not in ("POST", "PUT"):
        return None
    try:
        return parse_body(body)
    except ValueError as error:
        raise refusals.invalid_input("the body is not JSON") from error


def _events(world: PagerDutyWorld) -> _Served:
    """Accepts an event as monitoring sends it: trigger, acknowledge or resolve by dedup key."""

    async def take(request: Request) -> Response:
        try:
            event = parse_body(await request.body())
            shown = take_event(world, event)
        except (ValueError, LookupError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(shown, status_code=202)

    return take


async def _answer_unknown(_request: Request, _error: Exception) -> Response:
    """Answers 404 in JSON for unknown endpoints, whatever the method."""
    return JSONResponse(refusals.not_found().body, status_code=404)


def _shape_error(fault: Fault) -> ErrorAnswer:
    """Converts a fault to an answer of PagerDuty.

    A 429 that announces its end has headers and body, otherwise it has neither. A 500 is
    PagerDuty's own, in JSON; any other 5xx comes from a server before it.
    """
    if fault.kind is FaultKind.TOO_MANY and fault.seconds:
        headers = {
            "content-type": "application/json",
            "ratelimit-limit": "960",
            "ratelimit-remaining": "0",
            "ratelimit-reset": f"{fault.seconds:.0f}",
        }
        return _json_error(refusals.too_many_requests(), headers)
    if fault.kind is FaultKind.TOO_MANY:
        return ErrorAnswer(429, b"")
    if fault.status == 500:
        internal = RefusalError(500, 2000, "Internal Server Error")
        return _json_error(internal, {"content-type": "application/json"})
    return plain_error(fault)


def _json_error(refusal: RefusalError, headers: dict[str, str]) -> ErrorAnswer:
    return ErrorAnswer(refusal.status, json.dumps(refusal.body).encode(), headers)
