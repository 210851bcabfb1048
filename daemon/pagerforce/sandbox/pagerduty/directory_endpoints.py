"""Endpoints of reference data, workflows and response plays.

Facts: docs/vendors/pagerduty.md#reference-data-and-actions.
"""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from pagerforce.sandbox.pagerduty import refusals
from pagerforce.sandbox.pagerduty.call import Answer, Call
from pagerforce.sandbox.pagerduty.paging import classic_page, cursor_page
from pagerforce.sandbox.pagerduty.state import Incident, Run


class _Named(Protocol):
    name: str


NamedItem = TypeVar("NamedItem", bound=_Named)


def list_users(call: Call) -> Answer:
    """``GET /users``: the query matches the name, and in practice the address too."""
    query = (call.query.text("query") or "").lower()
    users = call.state.directory.users.values()
    found = [user for user in users if query in user.name.lower() or query in user.email.lower()]
    return classic_page(call.query, "users", found, call.view().directory.user)


def get_user(call: Call) -> Answer:
    """``GET /users/{id}``."""
    user = call.state.directory.users.get(call.path["id"])
    if user is None:
        raise refusals.not_found()
    return Answer(body={"user": call.view().directory.user(user)})


def get_current_user(call: Call) -> Answer:
    """``GET /users/me``: an account key is no user, and gets an error of a special form."""
    if call.key.user_id is None:
        raise refusals.PlainRefusalError(
            400, "You may not retrieve the current user with an account-level access token"
        )
    user = call.state.directory.users[call.key.user_id]
    return Answer(body={"user": call.view().directory.user(user)})


def list_services(call: Call) -> Answer:
    """``GET /services``, by ``query`` or exact ``name``."""
    view = call.view()
    found = _queried(call, call.state.directory.services.values())
    name = call.query.text("name")
    if name:
        found = [service for service in found if service.name == name]
    return classic_page(
        call.query, "services", found, lambda item: view.directory.service(item, view.include)
    )


def get_service(call: Call) -> Answer:
    """``GET /services/{id}``."""
    service = call.state.directory.services.get(call.path["id"])
    if service is None:
        raise refusals.not_found()
    view = call.view()
    return Answer(body={"service": view.directory.service(service, view.include)})


def list_policies(call: Call) -> Answer:
    """``GET /escalation_policies``."""
    found = _queried(call, call.state.directory.policies.values())
    users = call.query.texts("user_ids")
    if users:
        found = [
            one for one in found if any(not set(level).isdisjoint(users) for level in one.levels)
        ]
    return classic_page(call.query, "escalation_policies", found, call.view().directory.policy)


def get_policy(call: Call) -> Answer:
    """``GET /escalation_policies/{id}``."""
    policy = call.state.directory.policies.get(call.path["id"])
    if policy is None:
        raise refusals.not_found()
    return Answer(body={"escalation_policy": call.view().directory.policy(policy)})


def list_priorities(call: Call) -> Answer:
    """``GET /priorities``, from the most to the least severe."""
    if not call.state.plan.priorities:
        raise refusals.lacks_ability("priorities")
    found = list(call.state.directory.priorities.values())
    return classic_page(call.query, "priorities", found, call.view().directory.priority)


def list_teams(call: Call) -> Answer:
    """``GET /teams``: this account has none."""
    nothing: list[Incident] = []
    return classic_page(call.query, "teams", nothing, call.view().incident)


def list_abilities(call: Call) -> Answer:
    """``GET /abilities``."""
    return Answer(body={"abilities": sorted(call.state.plan.abilities)})


def get_ability(call: Call) -> Answer:
    """``GET /abilities/{id}``: 204 if the account has it, else 402."""
    if call.path["id"] not in call.state.plan.abilities:
        raise refusals.lacks_ability(call.path["id"])
    return Answer(204)


def list_incident_types(call: Call) -> Answer:
    """``GET /incidents/types``."""
    view = call.view().directory
    types = call.state.directory.incident_types.values()
    return Answer(body={"incident_types": [view.incident_type(kind) for kind in types]})


def list_custom_fields(call: Call) -> Answer:
    """``GET /incidents/types/{type_id_or_name}/custom_fields``."""
    kind = call.state.directory.find_type(call.path["type_id_or_name"])
    if kind is None:
        raise refusals.not_found()
    view = call.view().directory
    return Answer(body={"fields": [view.custom_field(field, kind) for field in kind.fields]})


def list_base_custom_fields(call: Call) -> Answer:
    """``GET /incidents/custom_fields``, deprecated: only those of the base type."""
    view = call.view().directory
    kind = next(iter(call.state.directory.incident_types.values()), None)
    fields = [] if kind is None else [view.custom_field(field, kind) for field in kind.fields]
    return Answer(body={"fields": fields})


def list_workflows(call: Call) -> Answer:
    """``GET /incident_workflows``."""
    _check_workflows(call)
    view = call.view()
    found = _queried(call, call.state.directory.workflows.values())
    return classic_page(
        call.query,
        "incident_workflows",
        found,
        lambda item: view.directory.workflow(item, view.include),
    )


def get_workflow(call: Call) -> Answer:
    """``GET /incident_workflows/{id}``."""
    _check_workflows(call)
    workflow = call.state.directory.workflows.get(call.path["id"])
    if workflow is None:
        raise refusals.not_found()
    body = call.view().directory.workflow(workflow, frozenset({"steps"}))
    return Answer(body={"incident_workflow": body})


def list_triggers(call: Call) -> Answer:
    """``GET /incident_workflows/triggers``, by cursor."""
    _check_workflows(call)
    query = call.query
    if query.text("incident_id") and query.text("service_id"):
        raise refusals.invalid_input("incident_id and service_id may not be given together")
    found = list(call.state.directory.workflows.values())
    workflow_id, part = query.text("workflow_id"), query.text("workflow_name_contains") or ""
    if query.text("trigger_type") not in (None, "manual") or query.flag("is_disabled"):
        found = []
    found = [
        one for one in found if workflow_id in (None, one.id) and part.lower() in one.name.lower()
    ]
    return cursor_page(query, "triggers", found, call.view().directory.workflow_trigger)


def start_workflow(call: Call) -> Answer:
    """``POST /incident_workflows/{id}/instances``: each call starts one; none reports its end."""
    _check_workflows(call)
    if call.path["id"] not in call.state.directory.workflows:
        raise refusals.not_found()
    wanted = call.wrapped("incident_workflow_instance")
    incident = _incident_in(call, wanted.get("incident"))
    identifier = str(wanted.get("id") or call.state.ids.make("workflow instance"))
    call.state.workflow_runs.append(Run(identifier, call.path["id"], incident.id))
    instance = {
        "id": identifier,
        "type": "incident_workflow_instance",
        "incident": call.view().incident_reference(incident),
    }
    return Answer(201, {"incident_workflow_instance": instance})


def list_response_plays(call: Call) -> Answer:
    """``GET /response_plays``: removed from the schema, maybe still alive; needs ``From``."""
    if not call.state.plan.response_plays:
        raise refusals.not_found()
    call.actor()
    view, query = call.view().directory, (call.query.text("query") or "").lower()
    found = call.state.directory.response_plays.items()
    plays = [view.response_play(key, name) for key, name in found if query in name.lower()]
    return Answer(body={"response_plays": plays})


def get_response_play(call: Call) -> Answer:
    """``GET /response_plays/{id}``: removed from the schema, maybe still alive; needs ``From``."""
    name = call.state.directory.response_plays.get(call.path["id"])
    if not call.state.plan.response_plays or name is None:
        raise refusals.not_found()
    call.actor()
    play = call.view().directory.response_play(call.path["id"], name)
    return Answer(body={"response_play": play})


def run_response_play(call: Call) -> Answer:
    """``POST /response_plays/{id}/run``: removed from the schema, perhaps still alive."""
    known = call.path["id"] in call.state.directory.response_plays
    if not call.state.plan.response_plays or not known:
        raise refusals.not_found()
    call.actor()
    incident = _incident_in(call, call.wrapped("incident"))
    run = Run(call.state.ids.make("play run"), call.path["id"], incident.id)
    call.state.play_runs.append(run)
    return Answer(body={"status": "ok"})


def _queried(call: Call, items: Iterable[NamedItem]) -> list[NamedItem]:
    """Items with the query in their name, by name or in the order of ``sort_by``."""
    query = (call.query.text("query") or "").lower()
    descending = call.query.text("sort_by") == "name:desc"
    found = [item for item in items if query in item.name.lower()]
    return sorted(found, key=lambda item: item.name, reverse=descending)


def _check_workflows(call: Call) -> None:
    if not call.state.plan.workflows:
        raise refusals.lacks_ability("incident_workflows")


def _incident_in(call: Call, reference: object) -> Incident:
    identifier = reference.get("id") if isinstance(reference, dict) else None
    incident = call.state.find_incident(str(identifier))
    if incident is None:
        raise refusals.not_found()
    return incident
