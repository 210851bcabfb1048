"""Whether a value may overwrite the current value in a record. Pure.

Implements ``conflict`` of docs/configuration.md. *Newest wins* is applied to a field only if it
differs from the snapshot: it compares the event's time with the record's LastModifiedDate. In a tie
the person wins.
"""

from datetime import datetime
from enum import Enum, auto

from msgspec import Struct

from pagerforce.model.value import Scalar
from pagerforce.salesforce.schema import FieldInfo
from pagerforce.salesforce.values import is_same_value


class Ruling(Enum):
    """The decision on one field."""

    WRITE = auto()
    ALREADY_THERE = auto()
    NEWER_STANDS = auto()
    SALESFORCE_WINS = auto()


class Situation(Struct, frozen=True):
    """The facts for the decision on one field.

    Attributes:
        wanted / current: the value to write, and the current value.
        known: the snapshot's value; ``is_known``: False if the snapshot lacks the field.
        winner: ``newest``, ``pagerduty`` or ``salesforce``.
        event_at: the time of the event that caused the action.
        modified_at: the record's LastModifiedDate.
        changed_at: when somebody changed this field, if the snapshot already has that change from
            a poll; None: nobody did.
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
        """Whether the field differs from the snapshot."""
        return not is_same_value(self.field, self.current, self.known if self.is_known else None)

    @property
    def is_contested(self) -> bool:
        """Whether somebody edited the field in Salesforce and no poll has shown that yet."""
        return self.is_known and self.is_differing

    @property
    def edited_at(self) -> datetime | None:
        """When somebody edited the field since pagerforce's last write, as far as known."""
        return self.modified_at if self.is_differing else self.changed_at


def judge(situation: Situation) -> Ruling:
    """Decides on one field.

    If the snapshot lacks the field, nobody knows whether it was changed: an empty field counts as
    unchanged, any other value as somebody's edit.
    """
    field, current = situation.field, situation.current
    if is_same_value(field, current, situation.wanted):
        return Ruling.ALREADY_THERE
    edited_at = situation.edited_at
    if edited_at is None or situation.winner == "pagerduty":
        return Ruling.WRITE
    if situation.winner == "salesforce" and situation.is_differing:
        return Ruling.SALESFORCE_WINS
    # An edit that a poll has shown is settled; only a later one than the event prevents the write.
    return Ruling.WRITE if situation.event_at > edited_at else Ruling.NEWER_STANDS


def explain(ruling: Ruling, situation: Situation) -> str:
    """Why a field was not written, without its values."""
    name = situation.field.name
    match ruling:
        case Ruling.ALREADY_THERE:
            return f"{name} already has this value"
        case Ruling.SALESFORCE_WINS:
            return f"{name} was changed in Salesforce, and conflict = salesforce keeps that change"
        case _:
            edited_at = situation.edited_at or situation.modified_at
            edited, told = (
                at.isoformat(timespec="seconds") for at in (edited_at, situation.event_at)
            )
            return f"{name}: Salesforce has a newer value (modified {edited}, event {told})"
