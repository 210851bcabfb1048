"""Endpoints of the log. Facts: docs/vendors/pagerduty.md#log-entries."""

from collections.abc import Iterable
from datetime import datetime

from pagerforce.sandbox.pagerduty import refusals
from pagerforce.sandbox.pagerduty.call import Answer, Call
from pagerforce.sandbox.pagerduty.journal import Entry
from pagerforce.sandbox.pagerduty.paging import classic_page
from pagerforce.sandbox.pagerduty.state import State

_OVERVIEW = frozenset(
    f"{kind}_log_entry"
    for kind in (
        "trigger",
        "acknowledge",
        "unacknowledge",
        "resolve",
        "assign",
        "escalate",
        "delegate",
        "annotate",
    )
)
"""The fields that ``is_overview`` keeps; the real subset is undocumented."""

_FIELD_CHANGE = "custom_field_value_change_log_entry"
_EDITABLE_CHANNELS = ("web_trigger", "mobile")


def list_entries(call: Call) -> Answer:
    """``GET /log_entries``: the whole account's log."""
    if call.query.texts("team_ids"):
        if "teams" not in call.state.plan.abilities:
            raise refusals.lacks_ability("teams")
        return _page(call, [])
    entries = _visible(call.state, *_bounds(call))
    if not call.state.knobs.field_changes_in_account_list:
        entries = [entry for entry in entries if entry.type != _FIELD_CHANGE]
    return _page(call, entries)


def list_incident_entries(call: Call) -> Answer:
    """``GET /incidents/{id}/log_entries``."""
    incident = call.incident()
    return _page(call, [one for one in _visible(call.state) if one.incident_id == incident.id])


def get_entry(call: Call) -> Answer:
    """``GET /log_entries/{id}``."""
    entry = _find(call)
    return Answer(body={"log_entry": call.view(call.state.knobs.account_zone).entry(entry)})


def update_channel(call: Call) -> Answer:
    """``PUT /log_entries/{id}/channel``: the only write to the log."""
    call.actor()
    entry = _find(call)
    channel = call.wrapped("channel")
    if channel.get("type") not in _EDITABLE_CHANNELS or channel.get("details") is None:
        raise refusals.invalid_input("channel needs a type of web_trigger or mobile, and details")
    if entry.channel.get("type") != channel["type"]:
        raise refusals.invalid_input("the channel's type cannot be changed")
    entry.channel["details"] = channel["details"]
    return Answer(202)


def _bounds(call: Call) -> tuple[datetime | None, datetime | None]:
    zone = call.state.knobs.account_zone
    return call.query.moment("since", zone), call.query.moment("until", zone)


def _visible(
    state: State, since: datetime | None = None, until: datetime | None = None
) -> list[Entry]:
    entries = state.journal.visible(state.now(), since, until)
    if not state.holds("newest-first-within-second"):
        entries.reverse()  # a sort keeps equal items in order
        entries.sort(key=lambda one: one.created_at, reverse=True)
    return [entry for entry in entries if entry.incident_id not in state.hidden]


def _find(call: Call) -> Entry:
    wanted = call.path["id"]
    found = next((entry for entry in _visible(call.state) if entry.id == wanted), None)
    if found is None:
        raise refusals.not_found()
    return found


def _page(call: Call, entries: Iterable[Entry]) -> Answer:
    since, until = _bounds(call)
    overview = call.query.flag("is_overview")
    found = []
    for entry in entries:
        late_enough = since is None or entry.created_at >= since
        early_enough = until is None or entry.created_at < until
        if until == entry.created_at and call.state.knobs.until_inclusive:
            early_enough = True
        if late_enough and early_enough and (not overview or entry.type in _OVERVIEW):
            found.append(entry)
    return classic_page(
        call.query, "log_entries", found, call.view(call.state.knobs.account_zone).entry
    )
