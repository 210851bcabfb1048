"""Unreadable rows of the outbox: the parts that are needed to set them aside."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from pagerforce.model.ids import ActionId
from pagerforce.model.outbox import Action, ActionState
from pagerforce.model.value import parse_instant
from pagerforce.store.database import Row
from pagerforce.store.outbox import ActionRow, to_action

T = TypeVar("T")


class DamagedAction(Struct, frozen=True):
    """An unreadable row of the outbox. ``action`` has the values that settling it needs."""

    action: Action
    error: Exception


def read_row(row: Row, now: datetime) -> Action | DamagedAction:
    """An action from a row of ``outbox.COLUMNS``.

    ``now``: start of its first attempt, if even that can't be read.
    """
    try:
        return to_action(row)
    except Exception as error:  # noqa: BLE001 (an unreadable row must not hide the others)
        return DamagedAction(_stand_in(row, now), error)


def _stand_in(columns: Row, now: datetime) -> Action:
    """The row without the values that may be garbage: arguments, targets and places."""
    row = ActionRow._make(columns)
    created_at = _or_none(parse_instant, row.created_at) or now
    return Action(
        id=ActionId(str(row.id)),
        seq=int(row.seq),
        part=int(row.part),
        event_seq=int(row.event_seq),
        ruleset=str(row.ruleset),
        rule=str(row.rule),
        position=int(row.position),
        do=str(row.do),
        object=str(row.object),
        written={},
        args=None,
        lane=str(row.lane),
        is_page=bool(row.is_page),
        target=None,
        state=ActionState.PENDING,
        reason=None,
        attempts=int(row.attempts),
        is_uncertain=bool(row.is_uncertain),
        first_attempt_at=_or_none(parse_instant, row.first_attempt_at) or created_at,
        incident_id=None,
        record_id=None,
        created_at=created_at,
        depth=int(row.depth),
        retried_at=_or_none(parse_instant, row.retried_at),
    )


def _or_none(parse: Callable[[str], T], text: str | None) -> T | None:
    try:
        return parse(text) if text else None
    except ValueError:
        return None
