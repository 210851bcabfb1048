"""Endpoints that list, show, open and change incidents. Facts: docs/vendors/pagerduty.md#incidents."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from pagerforce.sandbox.pagerduty import refusals
from pagerforce.sandbox.pagerduty.call import Answer, Call
from pagerforce.sandbox.pagerduty.incident_changes import apply_change, read_change, read_new
from pagerforce.sandbox.pagerduty.lifecycle import open_by_user
from pagerforce.sandbox.pagerduty.paging import classic_page
from pagerforce.sandbox.pagerduty.refusals import RefusalError
from pagerforce.sandbox.pagerduty.stamps import months_before
from pagerforce.sandbox.pagerduty.state import Incident

DEFAULT_MONTHS = 1
MAX_MONTHS = 6
MAX_BULK = 250
"""The most items of one bulk PUT; more items get a 413."""

_STATUSES = ("triggered", "acknowledged", "resolved")
_URGENCIES = ("high", "low")
_SORT_KEYS: dict[str, Callable[[Incident], tuple[bool, object]]] = {
    "incident_number": lambda incident: (False, incident.number),
    "created_at": lambda incident: (False, incident.created_at),
    "resolved_at": lambda incident: (incident.resolved_at is None, incident.resolved_at or 0),
    "urgency": lambda incident: (False, incident.urgency == "high"),
}


def list_incidents(call: Call) -> Answer:
    """``GET /incidents``."""
    fits = _read_filter(call)
    found = [incident for incident in _in_window(call) if fits(incident)]
    view = call.view()
    # custom fields can be included for one incident only (`pagerduty.list-without-custom-fields`)
    plain = replace(view, include=view.include - {"custom_fields"})
    return classic_page(call.query, "incidents", _sorted(call, found), plain.incident)


def get_incident(call: Call) -> Answer:
    """``GET /incidents/{id}``, by id or number."""
    return Answer(body={"incident": call.view().incident(call.incident())})


def create_incident(call: Call) -> Answer:
    """``POST /incidents``."""
    actor = call.actor()
    incident = open_by_user(call.state, read_new(call.state, call.wrapped("incident")), actor)
    return Answer(201, {"incident": call.view().incident(incident)})


def update_incident(call: Call) -> Answer:
    """``PUT /incidents/{id}``."""
    actor, incident = call.actor(), call.incident()
    change = read_change(call.state, incident, call.wrapped("incident"), actor)
    apply_change(call.state, incident, change, actor)
    return Answer(body={"incident": call.view().incident(incident)})


def update_incidents(call: Call) -> Answer:
    """``PUT /incidents``: all of them, or none."""
    actor = call.actor()
    items = call.wrapped_list("incidents")
    if len(items) > MAX_BULK:
        raise RefusalError(413, 2001, f"No more than {MAX_BULK} incidents may be given")
    changes = []
    for item in items:
        incident = call.state.find_incident(str(item.get("id")))
        if incident is None:
            raise RefusalError(400, 1004, "Invalid ID")
        staying = {**item, "service": None}  # `pagerduty.service-moves-alone`
        changes.append((incident, read_change(call.state, incident, staying, actor)))
    for incident, change in changes:
        apply_change(call.state, incident, change, actor)
    view = call.view()
    return Answer(body={"incidents": [view.incident(incident) for incident, _ in changes]})


def _in_window(call: Call) -> list[Incident]:
    """Incidents created in the requested window: by default the last month, at most six."""
    state = call.state
    seen = [item for item in state.incidents.values() if item.id not in state.hidden]
    date_range = call.query.text("date_range")
    if date_range == "all":
        return seen
    if date_range:
        raise refusals.invalid_input("date_range must be all")
    zone = call.zone(state.knobs.account_zone)
    until = call.query.moment("until", zone) or state.now()
    since = call.query.moment("since", zone) or months_before(until, DEFAULT_MONTHS)
    _check_window(since, until)
    return [item for item in seen if since <= item.created_at <= until]


def _check_window(since: datetime, until: datetime) -> None:
    if since > until or since < months_before(until, MAX_MONTHS):
        raise RefusalError(
            400, 2005, "Invalid Query Date Range", f"The range may be {MAX_MONTHS} months at most"
        )


def _read_filter(call: Call) -> Callable[[Incident], bool]:
    """The requested filters: different kinds AND together, values of one kind OR."""
    query = call.query
    statuses = _checked(query.texts("statuses"), _STATUSES, "statuses[]")
    urgencies = _checked(query.texts("urgencies"), _URGENCIES, "urgencies[]")
    services, users, teams = (query.texts(f"{kind}_ids") for kind in ("service", "user", "team"))
    _check_ability(call, "urgencies", needed=bool(urgencies))
    _check_ability(call, "teams", needed=bool(teams))
    key = query.text("incident_key")  # an empty one is no filter at all

    def fits(incident: Incident) -> bool:
        assignees = {item.user_id for item in incident.assignments}
        return (
            (not statuses or incident.status in statuses)
            and (not urgencies or incident.urgency in urgencies)
            and (not services or incident.service_id in services)
            and (not users or not assignees.isdisjoint(users))
            and not teams  # this account has no teams, so no incident has one
            and (not key or incident.matches_key(key))
            and (not key or call.state.holds("incident-found-by-key"))
        )

    return fits


def _sorted(call: Call, incidents: list[Incident]) -> list[Incident]:
    text = call.query.text("sort_by")
    terms = text.split(",") if text else ["created_at"]
    if len(terms) > 2:
        raise refusals.invalid_input("sort_by takes two fields at most")
    for term in reversed(terms):
        name, _, direction = term.partition(":")
        if name not in _SORT_KEYS or direction not in ("", "asc", "desc"):
            raise refusals.invalid_input("sort_by is invalid")
        _check_ability(call, "urgencies", needed=name == "urgency")
        incidents = sorted(incidents, key=_SORT_KEYS[name], reverse=direction == "desc")
    return incidents


def _check_ability(call: Call, name: str, *, needed: bool) -> None:
    if needed and name not in call.state.plan.abilities:
        raise refusals.lacks_ability(name)


def _checked(values: list[str], known: tuple[str, ...], name: str) -> list[str]:
    if not set(values) <= set(known):
        raise refusals.invalid_input(f"{name} must be one of {', '.join(known)}")
    return values
