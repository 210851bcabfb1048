"""``/__sandbox__/knobs``: the world's knobs for manual use, with curl.

``POST`` takes a JSON object of knobs to set, ``GET`` lists all knobs. ``GET /__sandbox__/headers``
lists the important headers of callers, newest last.
"""

from collections.abc import Mapping
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pagerforce.sandbox.bodies import parse_body
from pagerforce.sandbox.salesforce import automation_control, stream_control
from pagerforce.sandbox.salesforce.automation_control import Turn
from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.knob_values import number, pair, text
from pagerforce.sandbox.salesforce.world import SalesforceWorld

_PATH = "/__sandbox__/knobs"


def knob_routes(world: SalesforceWorld) -> list[Route]:
    """The control endpoint."""

    async def turn(request: Request) -> Response:
        try:
            _turn_all(world, parse_body(await request.body()))
        except (ValueError, LookupError, ApiError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return Response(status_code=204)

    async def show(_request: Request) -> Response:
        return JSONResponse({"knobs": {name: told for name, (told, _) in _KNOBS.items()}})

    async def sent(_request: Request) -> Response:
        return JSONResponse({"calls": [asdict(call) for call in world.headers.calls]})

    return [
        Route(_PATH, turn, methods=["POST"]),
        Route(_PATH, show, methods=["GET"]),
        Route("/__sandbox__/headers", sent, methods=["GET"]),
    ]


def _turn_all(world: SalesforceWorld, given: object) -> None:
    if not isinstance(given, dict):
        raise ValueError("knobs are a JSON object")  # noqa: TRY004 - bad input, not bad code
    unknown = sorted(set(given) - set(_KNOBS))
    if unknown:
        raise ValueError(f"unknown knobs {', '.join(unknown)}; known: {', '.join(_KNOBS)}")
    for name, value in given.items():
        _KNOBS[name][1](world, value)


def _batch_size(world: SalesforceWorld, value: object) -> None:
    world.knobs.batch_size = None if value is None else int(number(value))


def _lock_errors(world: SalesforceWorld, value: object) -> None:
    world.knobs.lock_errors = int(number(value))


def _query_timeouts(world: SalesforceWorld, value: object) -> None:
    world.knobs.query_timeouts = int(number(value))


def _rollup_is_edit(world: SalesforceWorld, value: object) -> None:
    world.knobs.rollup_is_edit = value is True


def _late(world: SalesforceWorld, value: object) -> None:
    world.begin_late(number(value))


def _commit_late(world: SalesforceWorld, value: object) -> None:
    del value
    world.commit_late()


def _expire_tokens(world: SalesforceWorld, value: object) -> None:
    del value
    world.expire_tokens()


def _remaining_calls(world: SalesforceWorld, value: object) -> None:
    world.set_remaining_calls(int(number(value)))


def _hide_field(world: SalesforceWorld, value: object) -> None:
    world.access.hidden.add(pair(value))


def _deny(world: SalesforceWorld, value: object) -> None:
    world.access.deny(*pair(value))


def _restore_access(world: SalesforceWorld, value: object) -> None:
    del value
    world.access.restore()


def _trust(world: SalesforceWorld, value: object) -> None:
    world.trust(text(value))


_KNOBS: Mapping[str, tuple[str, Turn]] = {
    "batch_size": ("most rows of a query page; null for the usual", _batch_size),
    "lock_errors": ("number of next writes that get UNABLE_TO_LOCK_ROW", _lock_errors),
    "query_timeouts": ("number of next queries that get QUERY_TIMEOUT", _query_timeouts),
    "rollup_is_edit": ("true: a history row also moves LastModifiedDate", _rollup_is_edit),
    "late_seconds": ("seconds until the next write becomes visible", _late),
    "commit_late": ("any value: ends open transactions now", _commit_late),
    "expire_tokens": ("any value: ends every session", _expire_tokens),
    "remaining_calls": ("API calls that are left of the day", _remaining_calls),
    "hide_field": ("[object, field]: field-level security hides it", _hide_field),
    "deny": ("[object, read|create|edit|delete]: revokes the right", _deny),
    "restore_access": ("any value: restores all rights", _restore_access),
    "trust": ("PEM of an RSA certificate or public key for JWT logins", _trust),
    **automation_control.KNOBS,
    **stream_control.KNOBS,
}
