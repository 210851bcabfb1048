"""Rows of the outbox that can't be read: what of them is needed to set them back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pagerforce.model.ids import ActionId
from pagerforce.model.value import parse_instant
from pagerforce.store.database import Row
from pagerforce.store.outbox import Action, ActionState, to_action

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DamagedAction:
    """A row of the outbox that could not be read. ``action`` bears what is needed to settle it."""

    action: Action
    error: Exception


def read_row(row: Row, now: datetime) -> Action | DamagedAction:
    """An action from a row of ``outbox.COLUMNS``.

    ``now``: since when it is tried, where not even that can be read.
    """
    try:
        return to_action(row)
    except Exception as error:  # noqa: BLE001 (one row that can't be read must not hide the others)
        return DamagedAction(_stand_in(row, now), error)


def _stand_in(row: Row, now: datetime) -> Action:
    """The row without what may be garbage: arguments, targets and places."""
    created_at = _or_none(parse_instant, row[21]) or now
    return Action(
        id=ActionId(str(row[0])),
        seq=int(row[1]),
        part=int(row[2]),
        event_seq=int(row[3]),
        ruleset=str(row[4]),
        rule=str(row[5]),
        position=int(row[6]),
        do=str(row[7]),
        object=str(row[8]),
        written={},
        args=None,
        lane=str(row[11]),
        is_page=bool(row[12]),
        target=None,
        state=ActionState.PENDING,
        reason=None,
        attempts=int(row[16]),
        is_uncertain=bool(row[17]),
        first_attempt_at=_or_none(parse_instant, row[18]) or created_at,
        incident_id=None,
        record_id=None,
        created_at=created_at,
        depth=int(row[22]),
        retried_at=_or_none(parse_instant, row[24]),
    )


def _or_none(parse: Callable[[str], T], text: str | None) -> T | None:
    try:
        return parse(text) if text else None
    except ValueError:
        return None
