"""``test``: a test incident on a service, followed until it is seen, evaluated and resolved."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import anyio
import msgspec
from msgspec import Struct
from pydantic import Field

from pagerforce.errors import (
    MalformedError,
    NotFoundError,
    PagerforceError,
    RemoteError,
    UnknownOutcomeError,
)
from pagerforce.model.value import Json
from pagerforce.pagerduty.client import PagerDutyClient
from pagerforce.service.control.desk import Desk, Name, Request, Running
from pagerforce.store import journal
from pagerforce.store.journal import Filter

_LOOK_SECONDS = 0.5
_RESOLVE_SECONDS = 60.0
_WAITING = ("pending", "in_flight")


class TrialRequest(Request):
    """``service``: id or name. ``timeout_seconds``: for each step."""

    service: Name
    urgency: Literal["low", "high"] = "low"
    timeout_seconds: Annotated[float, Field(ge=0, le=600)] = 120.0


class _Trial(Struct):
    """A test incident and its result so far."""

    desk: Desk
    incident: str
    began: float
    result: dict[str, Json] = msgspec.field(default_factory=dict)

    def took(self) -> float:
        return round(self.desk.home.clock.monotonic() - self.began, 1)


async def run_trial(desk: Desk, request: TrialRequest) -> Json:
    """Triggers, follows and resolves a test incident; it is resolved even if a step fails.

    ``{service, incident, number, html_url, steps: [{step, ok, seconds}], rules, actions, ok}``.

    Raises:
        NotFoundError: there is no such service.
        PagerforceError: no daemon runs, it runs in shadow mode, or a request to a side failed.
    """
    running = desk.running()
    if running.parts.rules.settings.is_shadow:
        raise PagerforceError("the daemon runs in shadow mode and writes to neither side: no test")
    side, email = (
        running.parts.pagerduty_side,
        running.parts.rules.loaded.config.pagerduty.from_email,
    )
    service = await side.directory.find_service(request.service)
    if service is None:
        raise NotFoundError(f"PagerDuty has no service with the id or name {request.service!r}")
    async with desk.change({"service": service.id, "urgency": request.urgency}):
        pass  # recorded before anybody is notified
    async with _incident(desk, side.client, email, service.id, request.urgency) as trial:
        await desk.tell(f"incident {trial.incident} triggered on {service.name or service.id}")
        ok = await _follow(trial, running, "seen and evaluated", "trigger", request.timeout_seconds)
    ok = (
        await _follow(trial, running, "resolved and seen", "resolve", request.timeout_seconds)
        and ok
    )
    steps = trial.result.pop("steps", [])
    return {
        "service": service.id,
        "incident": trial.incident,
        **trial.result,
        "steps": steps,
        "ok": ok,
    }


@asynccontextmanager
async def _incident(
    desk: Desk, client: PagerDutyClient, email: str, service_id: str, urgency: str
) -> AsyncIterator[_Trial]:
    """Opens an incident that is always resolved when the block ends."""
    made = await _trigger(desk, client, email, service_id, urgency)
    trial = _Trial(desk, str(made["id"]), desk.home.clock.monotonic())
    trial.result |= {"number": _scalar(made.get("incident_number"))}
    trial.result |= {"html_url": _scalar(made.get("html_url")), "steps": []}
    try:
        yield trial
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_RESOLVE_SECONDS):
            try:
                await client.send_update(trial.incident, {"status": "resolved"}, email)
            except RemoteError as error:
                raise PagerforceError(
                    f"test incident {trial.incident} could not be resolved ({error}): resolve it "
                    "in PagerDuty"
                ) from error


async def _trigger(
    desk: Desk, client: PagerDutyClient, email: str, service_id: str, urgency: str
) -> Mapping[str, object]:
    """Returns the created incident; after a lost answer it is found by its key."""
    key = f"pagerforce-test-{uuid.uuid4()}"
    details = f"Triggered by `pagerforce test`, run by {desk.caller.user}."
    wanted = {
        "type": "incident",
        "title": "[pagerforce test] nothing to do, it resolves by itself",
        "service": {"id": service_id, "type": "service_reference"},
        "urgency": urgency,
        "incident_key": key,
        "body": {"type": "incident_body", "details": details},
    }
    try:
        made = await client.send_incident(wanted, email)
    except UnknownOutcomeError:
        page = await client.fetch_incidents({"incident_key": key, "date_range": "all"})
        rows = [row for row in page.rows if isinstance(row, Mapping)]
        if not rows:
            raise
        made = rows[0]
    if not isinstance(made.get("id"), str):
        raise MalformedError(
            f"PagerDuty returned no id of the incident with key {key}: resolve it there"
        )
    return made


def _scalar(value: object) -> Json:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


async def _follow(
    trial: _Trial, running: Running, step: str, kind: str, timeout_seconds: float
) -> bool:
    """Waits until the poll has read it and all resulting actions are delivered."""
    entries: list[dict[str, Any]] = []
    with anyio.move_on_after(timeout_seconds):
        while not _is_through(entries, kind):
            await anyio.sleep(_LOOK_SECONDS)
            entries = await _entries(trial)
    ok = _is_through(entries, kind)
    problem = "" if ok else _problem(entries, kind, running)
    await trial.desk.tell(f"{step}: {'yes' if ok else problem} ({trial.took()} s)")
    steps = trial.result["steps"]
    done: Json = {"step": step, "ok": ok, "seconds": trial.took(), "problem": problem}
    trial.result["steps"] = [*(steps if isinstance(steps, list) else []), done]
    trial.result |= {"rules": _rules(entries), "actions": _actions(entries)}
    return ok and all(item["outcome"] != "dead_letter" for x in entries for item in x["actions"])


async def _entries(trial: _Trial) -> list[dict[str, Any]]:
    async with trial.desk.read() as tx:
        return await journal.read_log(tx, Filter(incident=trial.incident))


def _is_through(entries: list[dict[str, Any]], kind: str) -> bool:
    is_seen = any(entry["event"] == kind for entry in entries)
    actions = [action for entry in entries for action in entry["actions"]]
    return is_seen and all(action["outcome"] not in _WAITING for action in actions)


def _problem(entries: list[dict[str, Any]], kind: str, running: Running) -> str:
    if not any(entry["event"] == kind for entry in entries):
        why = running.parts.pagerduty.state.problem
        return f"not seen by the poll in time{': ' + why if why else ''}"
    waiting = [a for entry in entries for a in entry["actions"] if a["outcome"] in _WAITING]
    return f"{len(waiting)} actions still wait: pagerforce why {waiting[0]['action_id']}"


def _rules(entries: list[dict[str, Any]]) -> Json:
    return [
        {"event": entry["event"], "ruleset": rule["ruleset"], "rule": rule["rule"]}
        for entry in entries
        for rule in entry["rules"]
        if rule["matched"]
    ]


def _actions(entries: list[dict[str, Any]]) -> Json:
    return [{"event": entry["event"], **a} for entry in entries for a in entry["actions"]]
