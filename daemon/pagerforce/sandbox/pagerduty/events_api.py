"""Events of a monitoring system, for manual use. The daemon never calls this."""

from collections.abc import Mapping

from pagerforce.sandbox.pagerduty.links import Json
from pagerforce.sandbox.pagerduty.world import PagerDutyWorld

_ACTIONS = ("trigger", "acknowledge", "resolve")


def take_event(world: PagerDutyWorld, event: object) -> Json:
    """Plays one event: ``{service_id, event_action, dedup_key, payload: {summary, severity}}``.

    Returns the incident, or a message if no open incident has the key.

    Raises:
        ValueError: it is not an event.
        LookupError: its service is unknown.
    """
    if not isinstance(event, Mapping):
        raise ValueError("an event is a JSON object")  # noqa: TRY004 - bad input, not bad code
    action, key = event.get("event_action"), event.get("dedup_key")
    service_id, payload = str(event.get("service_id")), event.get("payload") or {}
    if action not in _ACTIONS:
        raise ValueError(f"event_action must be one of {', '.join(_ACTIONS)}")
    if not isinstance(key, str | None):
        raise ValueError("dedup_key must be a text")  # noqa: TRY004 - as above
    if service_id not in world.state.directory.services:
        raise LookupError(f"there is no service {service_id}")
    if action == "trigger":
        return _trigger(world, service_id, key, payload)
    incident = None if key is None else world.find_open(service_id, key)
    if incident is None:
        return {"message": "no open incident has this dedup_key"}
    incident_id = str(incident["id"])
    if action == "resolve":
        return world.resolve(incident_id, channel="api")
    return world.acknowledge(incident_id)


def _trigger(world: PagerDutyWorld, service_id: str, key: str | None, payload: object) -> Json:
    if not isinstance(payload, Mapping):
        raise ValueError("payload must be an object")  # noqa: TRY004 - as above
    title, details = payload.get("summary"), payload.get("custom_details") or {}
    if not isinstance(title, str) or not title or not isinstance(details, Mapping):
        raise ValueError("payload.summary must be a text and custom_details an object")
    severity = str(payload.get("severity", "critical"))
    return world.trigger(service_id, title, key, details=details, severity=severity)
