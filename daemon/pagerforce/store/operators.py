"""The journal of operators: who ran or was refused which command, and when."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from pagerforce.store.codec import to_stamp, to_text
from pagerforce.store.database import Transaction
from pagerforce.store.journal import Filter
from pagerforce.store.unreadable import attempt

DONE, REFUSED = "done", "refused"


class OperatorAction(Struct, frozen=True):
    """One call of an operator. ``outcome`` is ``done`` or ``refused``.

    ``arguments`` hold ids and names, never customer text.
    """

    uid: int
    user: str
    roles: Sequence[str]
    command: str
    arguments: Mapping[str, object] = msgspec.field(default_factory=dict)
    outcome: str = DONE
    reason: str | None = None
    incident_id: str | None = None
    object: str | None = None
    record_id: str | None = None


async def record_operator(tx: Transaction, action: OperatorAction, now: datetime) -> None:
    """Adds a call to the journal of operators."""
    await tx.run(
        'INSERT INTO operator_action (at, uid, "user", roles, command, arguments, outcome, reason, '
        "incident_id, object, record_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            to_stamp(now),
            action.uid,
            action.user,
            to_text(list(action.roles)),
            action.command,
            to_text(action.arguments),
            action.outcome,
            action.reason,
            action.incident_id,
            action.object,
            action.record_id,
        ),
    )


async def read_operators(tx: Transaction, wanted: Filter) -> list[dict[str, Any]]:
    """The calls of operators, oldest first, in the form of the command ``log``, plus ``seq``."""
    where, values = ["seq > ?"], [wanted.after_seq]
    given: list[object] = list(values)
    if wanted.incident:
        where.append("incident_id = ?")
        given.append(wanted.incident)
    if wanted.record:
        where.append("substr(record_id, 1, 15) = ?")
        given.append(wanted.record[:15])
    if wanted.since:
        where.append("at >= ?")
        given.append(to_stamp(wanted.since))
    rows = await tx.rows(
        'SELECT seq, at, uid, "user", roles, command, arguments, outcome, reason, incident_id, object, '
        f"record_id FROM operator_action WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?",
        [*given, wanted.limit],
    )
    return [_entry(tx, row) for row in rows]


def _entry(tx: Transaction, row: Sequence[Any]) -> dict[str, Any]:
    seq, at, uid, user, roles, command, arguments, outcome, reason, incident, name, record = row
    return {
        "seq": seq,
        "at": at,
        "event": "operator",
        "incident": incident,
        "object": name,
        "record": record,
        "rules": [],
        "actions": [],
        "operator": {"uid": uid, "user": user, "roles": _parsed(tx, seq, roles, list) or []},
        "command": command,
        "arguments": _parsed(tx, seq, arguments, dict) or {},
        "outcome": outcome,
        "reason": reason,
    }


def _parsed(tx: Transaction, seq: int, text: str, kind: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - JSON
    return attempt(tx, "operator_action", seq, lambda: kind(json.loads(text)))
