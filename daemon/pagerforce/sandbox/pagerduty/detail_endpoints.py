"""Endpoints below one incident: notes, alerts, merge, snooze, responders, updates, custom fields.

Facts: docs/vendors/pagerduty.md#incidents.
"""

from pagerforce.sandbox.pagerduty import edits, lifecycle, refusals
from pagerforce.sandbox.pagerduty.call import Answer, Call
from pagerforce.sandbox.pagerduty.incident_endpoints import MAX_BULK
from pagerforce.sandbox.pagerduty.links import Json
from pagerforce.sandbox.pagerduty.paging import classic_page
from pagerforce.sandbox.pagerduty.refusals import RefusalError
from pagerforce.sandbox.pagerduty.state import Alert, Incident, Note, ResponderRequest

MAX_NOTES = 2000
MAX_ALERTS = 1000
MAX_SNOOZE_SECONDS = 604_800

_ALERT_STATUSES = ("triggered", "resolved")


def list_notes(call: Call) -> Answer:
    """``GET /incidents/{id}/notes``, without pages."""
    view = call.view()
    return Answer(body={"notes": [view.note(note) for note in call.incident().notes]})


def create_note(call: Call) -> Answer:
    """``POST /incidents/{id}/notes``."""
    actor, incident = call.actor(), call.incident()
    content = _content(call)
    if len(incident.notes) >= MAX_NOTES:
        raise RefusalError(400, 2019, "Product Limit Reached", f"{MAX_NOTES} notes are the most")
    note = edits.annotate(call.state, incident, content, actor)
    return Answer(body={"note": call.view().note(note)})


def update_note(call: Call) -> Answer:
    """``PUT /incidents/{id}/notes/{note_id}``; no log entry."""
    call.actor()
    note = _note(call)
    note.content = _content(call)
    note.updated_at = call.state.now()
    return Answer(body={"note": call.view().note(note)})


def delete_note(call: Call) -> Answer:
    """``DELETE /incidents/{id}/notes/{note_id}``; no log entry."""
    call.incident().notes.remove(_note(call))
    return Answer(204)


def list_alerts(call: Call) -> Answer:
    """``GET /incidents/{id}/alerts``."""
    statuses, key = call.query.texts("statuses"), call.query.text("alert_key")
    found = [
        alert
        for alert in call.incident().alerts
        if (not statuses or _alert_status(alert) in statuses) and (not key or alert.key == key)
    ]
    if call.query.text("sort_by") == "created_at:desc":
        found.reverse()
    return classic_page(call.query, "alerts", found, call.view().alert)


def get_alert(call: Call) -> Answer:
    """``GET /incidents/{id}/alerts/{alert_id}``."""
    alert = _alert(call, call.incident(), call.path["alert_id"])
    return Answer(body={"alert": call.view().alert(alert)})


def update_alert(call: Call) -> Answer:
    """``PUT /incidents/{id}/alerts/{alert_id}``."""
    call.actor()
    alert = _alert(call, call.incident(), call.path["alert_id"])
    _change_alerts(call, [(alert, call.wrapped("alert"))])
    return Answer(body={"alert": call.view().alert(alert)})


def update_alerts(call: Call) -> Answer:
    """``PUT /incidents/{id}/alerts``."""
    call.actor()
    incident, items = call.incident(), call.wrapped_list("alerts")
    if len(items) > MAX_BULK:
        raise RefusalError(413, 2001, f"No more than {MAX_BULK} alerts may be given")
    chosen = [(_alert(call, incident, str(item.get("id"))), item) for item in items]
    _change_alerts(call, chosen)
    view = call.view()
    return Answer(body={"alerts": [view.alert(alert) for alert, _ in chosen]})


def merge(call: Call) -> Answer:
    """``PUT /incidents/{id}/merge``."""
    actor, target = call.actor(), call.incident()
    sources = []
    for item in call.wrapped_list("source_incidents"):
        source = call.state.find_incident(str(item.get("id")))
        if source is None:
            raise RefusalError(400, 1004, "Invalid ID")
        sources.append(source)
    _judge_merge(target, sources)
    lifecycle.merge(call.state, target, sources, actor)
    return Answer(body={"incident": call.view().incident_reference(target)})


def snooze(call: Call) -> Answer:
    """``POST /incidents/{id}/snooze``."""
    actor, incident = call.actor(), call.incident()
    duration = call.body.get("duration") if isinstance(call.body, dict) else None
    valid = isinstance(duration, int) and not isinstance(duration, bool)
    if not isinstance(duration, int) or not valid or not 1 <= duration <= MAX_SNOOZE_SECONDS:
        raise RefusalError(400, 1013, "Snooze Duration Invalid")
    if incident.status != "acknowledged":
        raise RefusalError(400, 1012, "Incident is not Acknowledged")
    edits.snooze(call.state, incident, duration, actor)
    return Answer(201, {"incident": call.view().incident(incident)})


def request_responders(call: Call) -> Answer:
    """``POST /incidents/{id}/responder_requests``: by ``requester_id``, not by ``From``."""
    incident, body, requester_id = _responder_call(call)
    user_ids, policy_ids = [], []
    for item in call.wrapped_list("responder_request_targets"):
        target = item.get("responder_request_target", item)  # wrapped or not: sources disagree
        identifier = str(target.get("id")) if isinstance(target, dict) else ""
        if identifier in call.state.directory.users:
            user_ids.append(identifier)
        elif identifier in call.state.directory.policies:
            policy_ids.append(identifier)
        else:
            raise RefusalError(400, 2013, "User not found")
    message, now = body.get("message"), call.state.now()
    if not isinstance(message, str):
        raise refusals.invalid_input("message is required")
    request = ResponderRequest(requester_id, message, now, user_ids, policy_ids)
    edits.request_responders(call.state, incident, request)
    return Answer(body={"responder_request": call.view().responder_request(incident, request)})


def cancel_responders(call: Call) -> Answer:
    """``PUT /incidents/{id}/responder_requests/cancel``: those still pending."""
    incident, _, _ = _responder_call(call)
    results = []
    for target in call.wrapped_list("responder_request_targets"):
        identifier, result = str(target.get("id")), "not_found"
        for request in incident.responder_requests:
            for pending in (request.user_ids, request.policy_ids):
                if identifier in pending:
                    pending.remove(identifier)
                    result = "cancelled"
        results.append({"type": target.get("type"), "id": identifier, "result": result})
    return Answer(body={"responder_request_targets": results})


def publish_update(call: Call) -> Answer:
    """``POST /incidents/{id}/status_updates``; no endpoint lists them."""
    actor, incident = call.actor(), call.incident()
    body = call.body if isinstance(call.body, dict) else {}
    message = body.get("message")
    if not isinstance(message, str) or not message:
        raise refusals.invalid_input("message is required")
    edits.publish_update(call.state, incident, message, actor)
    view = call.view()
    update: Json = {
        "id": call.state.ids.make("status update"),
        "message": message,
        "created_at": view.stamp(call.state.now()),
        "sender": view.directory.user_reference(actor.user_id or ""),
    }
    update |= {name: body[name] for name in ("subject", "html_message") if name in body}
    return Answer(body={"status_update": update})


def get_custom_values(call: Call) -> Answer:
    """``GET /incidents/{id}/custom_fields/values``."""
    return Answer(body={"custom_fields": call.view().custom_values(call.incident())})


def set_custom_values(call: Call) -> Answer:
    """``PUT /incidents/{id}/custom_fields/values``; ``From`` is not needed."""
    incident, actor = call.incident(), call.actor_if_known()
    chosen = []
    for item in call.wrapped_list("custom_fields"):
        field = call.state.directory.find_field(str(item.get("id") or item.get("name")))
        if field is None or "value" not in item:
            raise refusals.invalid_input("each custom field needs a known name or id, and a value")
        chosen.append((field, item["value"]))
    for field, value in chosen:
        edits.set_custom_value(call.state, incident, field, value, actor)
    return Answer(201, {"custom_fields": call.view().custom_values(incident)})


def _content(call: Call) -> str:
    content = call.wrapped("note").get("content")
    if not isinstance(content, str) or not content.strip():
        raise refusals.invalid_input("content is required")
    refusals.check_length("Content", content, call.state.plan.note_limit)
    return content


def _note(call: Call) -> Note:
    for note in call.incident().notes:
        if note.id == call.path["note_id"]:
            return note
    raise refusals.not_found()


def _alert_status(alert: Alert) -> str:
    return "triggered" if alert.resolved_at is None else "resolved"


def _alert(call: Call, incident: Incident, alert_id: str) -> Alert:
    alert = call.state.alerts.get(alert_id)
    if alert is None or alert.incident_id != incident.id:
        raise refusals.not_found()
    return alert


def _change_alerts(call: Call, chosen: list[tuple[Alert, Json]]) -> None:
    moves: list[tuple[Alert, Incident]] = []
    for alert, body in chosen:
        if body.get("status", "resolved") not in _ALERT_STATUSES:
            raise RefusalError(400, 1003, "Invalid Status")
        reference = body.get("incident")
        if isinstance(reference, dict):
            target = call.state.find_incident(str(reference.get("id")))
            if target is None or not target.is_open:
                raise refusals.invalid_input("the alert's new incident must be an open one")
            moves.append((alert, target))
    for alert, body in chosen:
        if body.get("status") == "resolved":
            alert.resolved_at = alert.resolved_at or call.state.now()
        elif body.get("status") == "triggered":
            alert.resolved_at = None
    for alert, target in moves:
        lifecycle.move_alert(call.state, alert, target, call.actor())


def _judge_merge(target: Incident, sources: list[Incident]) -> None:
    if not target.is_open:
        raise RefusalError(400, 1001, "Incident Already Resolved")
    if target in sources:
        raise refusals.bad_arguments("An incident cannot be merged into itself")
    if any(source.merged_into is not None for source in sources):
        raise RefusalError(400, 1019, "Incident Already Merged")
    if not all(incident.is_mergeable for incident in (target, *sources)):
        raise refusals.bad_arguments("Only incidents with alerts or made by hand can be merged")
    alerts = sum(len(incident.alerts) for incident in (target, *sources))
    if alerts > MAX_ALERTS:
        raise refusals.bad_arguments(f"An incident cannot have more than {MAX_ALERTS} alerts")


def _responder_call(call: Call) -> tuple[Incident, Json, str]:
    if "coordinated_responding" not in call.state.plan.abilities:
        raise refusals.lacks_ability("coordinated_responding")
    incident = call.incident()
    body = call.body if isinstance(call.body, dict) else {}
    requester_id = body.get("requester_id")
    if requester_id is None:
        raise RefusalError(400, 2011, "requester_id needed")
    if requester_id not in call.state.directory.users:
        raise refusals.requester_not_found()
    return incident, body, str(requester_id)
