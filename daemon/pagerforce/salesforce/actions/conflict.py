"""Whether a value may be written over what stands in a record now. Pure.

``conflict`` of docs/configuration.md: newest wins is judged on a field only if it differs from the
snapshot: the event's time against the record's LastModifiedDate; a tie goes to the person.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from pagerforce.model.value import Scalar
from pagerforce.salesforce.schema import FieldInfo
from pagerforce.salesforce.values import is_same_value


class Ruling(Enum):
    """What becomes of one field."""

    WRITE = auto()
    ALREADY_THERE = auto()
    NEWER_STANDS = auto()
    SALESFORCE_WINS = auto()


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the judgement needs of one field.

    Attributes:
        wanted / current: what we would write, what stands there.
        known: the snapshot's value; ``is_known`` False where the snapshot lacks the field.
        winner: ``newest``, ``pagerduty`` or ``salesforce``.
        event_at: when what we act upon happened.
        modified_at: the record's LastModifiedDate.
        changed_at: when somebody changed this field, where a poll has brought that into the
            snapshot already; None: nobody did.
    """

    field: FieldInfo
    wanted: Scalar
    current: Scalar
    known: Scalar
    is_known: bool
    winner: str
    event_at: datetime
    modified_at: datetime
    changed_at: datetime | None = None

    @property
    def is_differing(self) -> bool:
        """Whether the field is not as the snapshot has it."""
        return not is_same_value(self.field, self.current, self.known if self.is_known else None)

    @property
    def is_contested(self) -> bool:
        """Whether somebody edited the field in Salesforce and no poll has seen that."""
        return self.is_known and self.is_differing

    @property
    def edited_at(self) -> datetime | None:
        """When somebody edited the field since we last wrote it, as far as can be told."""
        return self.modified_at if self.is_differing else self.changed_at


def judge(situation: Situation) -> Ruling:
    """Rules on one field.

    Where the snapshot lacks the field, nobody knows whether it was changed: an empty field is
    taken as untouched, any other value as somebody's.
    """
    field, current = situation.field, situation.current
    if is_same_value(field, current, situation.wanted):
        return Ruling.ALREADY_THERE
    edited_at = situation.edited_at
    if edited_at is None or situation.winner == "pagerduty":
        return Ruling.WRITE
    if situation.winner == "salesforce" and situation.is_differing:
        return Ruling.SALESFORCE_WINS
    # An edit that a poll has seen is settled; only one later than the event stands in its way.
    return Ruling.WRITE if situation.event_at > edited_at else Ruling.NEWER_STANDS


def explain(ruling: Ruling, situation: Situation) -> str:
    """Why a field was not written, without its values."""
    name = situation.field.name
    match ruling:
        case Ruling.ALREADY_THERE:
            return f"{name} already has this value"
        case Ruling.SALESFORCE_WINS:
            return f"{name} was changed in Salesforce, and conflict = salesforce lets that stand"
        case _:
            edited_at = situation.edited_at or situation.modified_at
            edited, told = (
                at.isoformat(timespec="seconds") for at in (edited_at, situation.event_at)
            )
            return f"{name}: a newer value in Salesforce stands (modified {edited}, event {told})"
