"""The knobs of the streaming endpoint, for ``/__sandbox__/knobs``."""

from collections.abc import Mapping
from dataclasses import fields

from pagerforce.sandbox.salesforce.automation_control import Turn
from pagerforce.sandbox.salesforce.knob_values import made, mapping, number, text
from pagerforce.sandbox.salesforce.streaming import StreamKnobs, StreamRefusal
from pagerforce.sandbox.salesforce.world import SalesforceWorld

_KNOWN = {item.name for item in fields(StreamKnobs)} - {"refusals"}


def _stream(world: SalesforceWorld, value: object) -> None:
    given = mapping(value)
    unknown = sorted(set(given) - _KNOWN)
    if unknown:
        known = ", ".join(sorted(_KNOWN))
        raise ValueError(f"unknown keys {', '.join(unknown)}; known: {known}")
    knobs = world.streaming.knobs
    found = {name: _like(getattr(knobs, name), item) for name, item in given.items()}
    for name, item in found.items():
        setattr(knobs, name, item)


def _like(present: object, value: object) -> object:
    """The value, in the type of the present one."""
    match present:
        case bool():
            if not isinstance(value, bool):
                raise ValueError("the value must be true or false")  # noqa: TRY004 - bad input, not bad code
            return value
        case int():
            return int(number(value))
        case float():
            return number(value)
        case set():
            if not isinstance(value, list):
                raise ValueError("the value must be a list of object names")  # noqa: TRY004 - as above
            return {text(item) for item in value}
        case _:
            return text(value)


def _refuse(world: SalesforceWorld, value: object) -> None:
    world.streaming.knobs.refusals.append(made(StreamRefusal, value))


def _clear(world: SalesforceWorld, value: object) -> None:
    del value
    world.streaming.knobs.refusals.clear()


def _end(world: SalesforceWorld, value: object) -> None:
    del value
    world.streaming.end_clients()


KNOBS: Mapping[str, tuple[str, Turn]] = {
    "stream": (f"{{{', '.join(sorted(_KNOWN))}}}: how the streaming endpoint behaves", _stream),
    "stream_refuse": (
        "{step, error, reason, reconnect, count, page}: the next messages of this step are refused",
        _refuse,
    ),
    "stream_clear": ("any value: ends these refusals", _clear),
    "stream_end_clients": ("any value: every client is unknown from now on", _end),
}
