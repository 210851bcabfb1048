"""``log`` and ``why``: the events, the rules that were evaluated, and the actions."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from pagerforce.errors import NotFoundError, PagerforceError
from pagerforce.model.outbox import Action, ActionState
from pagerforce.model.value import Json, parse_instant
from pagerforce.service.control.desk import Desk, Name, Request
from pagerforce.store import journal, letters, operators, outbox, pauses
from pagerforce.store.database import Transaction
from pagerforce.store.journal import Filter

PAGE = 200  # entries of one answer; commands ask for page after page
_PAGE_SIZE = 4_000_000  # characters of the stored entries
LEVELS = ("error", "warning", "info", "debug")  # the most severe first


class LogRequest(Request):
    """Asks for a page of the journal. ``level``: entries of this level and more severe ones."""

    incident: Name | None = None
    record: Name | None = None
    since: Name | None = None
    level: Literal["error", "warning", "info", "debug"] = "debug"
    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    audit: bool = False


class ActionId(Request):
    """Names one action."""

    id: Name


async def log(desk: Desk, request: LogRequest) -> Json:
    """Returns a page of entries, oldest first, and where the next page begins.

    ``{"entries": [...], "after": number, "more": whether there are more now}``.
    """
    wanted = Filter(
        incident=request.incident,
        record=request.record,
        since=None if request.since is None else _since(request.since),
        after_seq=request.after,
        limit=PAGE,
        size=_PAGE_SIZE,
    )
    async with desk.read() as tx:
        if request.audit:
            entries = await operators.read_operators(tx, wanted)
        else:
            entries = await journal.read_log(tx, wanted)
    after = entries[-1]["seq"] if entries else request.after
    shown = [_leveled(entry) for entry in entries]
    deepest = LEVELS.index(request.level)
    kept = [item for item in shown if LEVELS.index(item["level"]) <= deepest]
    # The size limit may have cut the page short: only the next one shows whether it was the last.
    return {"entries": kept, "after": after, "more": bool(entries)}


def _since(text: str) -> Any:  # noqa: ANN401 (a datetime)
    try:
        return parse_instant(text.upper())
    except ValueError as error:
        raise PagerforceError(f"{text!r} is not an RFC 3339 time") from error


def _leveled(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "seq"} | {"level": level_of(entry)}


def level_of(entry: Mapping[str, Any]) -> str:
    """Returns the level of a journal entry, as the guide defines it. Pure.

    error: an action is a dead letter. warning: an action is tried again or waits after a failed
        attempt, or an operator was refused. info: a rule matched, an action was taken, or an
        operator did
    something. debug: everything else: no rule matched, or it is an echo.
    """
    if entry["event"] == "operator":
        return "warning" if entry["outcome"] == operators.REFUSED else "info"
    outcomes = {action["outcome"] for action in entry["actions"]}
    if "dead_letter" in outcomes:
        return "error"
    waiting = (a for a in entry["actions"] if a["outcome"] in ("pending", "in_flight"))
    if any(action["reason"] for action in waiting):
        return "warning"
    is_ruled = any(rule["matched"] for rule in entry["rules"])
    return "info" if is_ruled or entry["actions"] else "debug"


async def why(desk: Desk, request: ActionId) -> Json:
    """Returns the full history of one action, from the change that caused it to the last answer.

    Raises:
        NotFoundError: there is no such action.
    """
    async with desk.read() as tx:
        action = await outbox.find_action(tx, request.id)
        if action is None:
            raise NotFoundError(f"there is no action {request.id}")
        found = await journal.read_log(tx, Filter(after_seq=action.event_seq - 1, limit=1))
        entry = next((item for item in found if item["seq"] == action.event_seq), None)
        if entry is None:
            raise NotFoundError(f"the event of action {request.id} can't be read")
        row = await letters.read_timing(tx, action.id)
        attempts = await letters.read_attempts(tx, action.id)
        waits = await _waits(tx, action)
    rules = [
        rule
        for rule in entry["rules"]
        if (rule["ruleset"], rule["rule"]) == (action.ruleset, action.rule)
    ]
    return {
        "action_id": action.id,
        "action": action.do,
        "outcome": action.state.value,
        "reason": action.reason,
        "waits_for": waits,
        "incident": action.incident_id or entry["incident"],
        "object": action.object,
        "record": action.record_id or entry["record"],
        **row,
        "event": _event(entry),
        "rule": rules[0] if rules else {"ruleset": action.ruleset, "rule": action.rule},
        "decision": {
            "position": action.position,
            "written": action.written,
            "arguments": action.args,
            "lane": action.lane,
        },
        "attempts": [_attempt(item) for item in attempts],
    }


def _event(entry: Mapping[str, Any]) -> dict[str, Json]:
    event = entry["recorded"]["event"]
    old, new = event.get("old_record") or {}, event.get("record") or {}
    return {
        "id": event.get("id"),
        "source": entry["source"],
        "event": entry["event"],
        "at": entry["at"],
        "seen_at": entry["recorded"]["seen_at"],
        "actor": event.get("actor"),
        "incident": entry["incident"],
        "object": entry["object"],
        "record": entry["record"],
        "changed": {
            name: {"from": old.get(name), "to": new.get(name)}
            for name in event.get("changed", [])
            if name in new or name in old
        }
        or sorted(event.get("changed", [])),
    }


def _attempt(item: Mapping[str, Any]) -> dict[str, Json]:
    requests = [
        {"system": system, "operation": operation, "answer": answer}
        for system, operation, answer in item["requests"]
    ]
    return {**item, "requests": requests}


async def _waits(tx: Transaction, action: Action) -> str | None:
    """Says what a waiting action waits for; None if it does not wait."""
    if action.state not in (ActionState.PENDING, ActionState.IN_FLIGHT):
        return None
    if action.state is ActionState.IN_FLIGHT:
        return "the answer to the running attempt"
    pause = await pauses.find_pause(tx, action.lane)
    if pause is not None:
        return f"its link's pause, until {pause.until:%Y-%m-%dT%H:%M:%SZ}: {pause.reason}"
    first = await letters.find_before(tx, action)
    if first is not None:
        return f"the action before it on the same link: {first}"
    timing = await letters.read_timing(tx, action.id)
    return f"its next attempt, at {timing['next_at']}"
