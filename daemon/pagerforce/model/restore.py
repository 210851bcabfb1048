"""What is in doubt after a restore, until both sides were read again (``store/restored.py``)."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from pagerforce.model.event import Event
from pagerforce.model.ids import Side


class Turn(StrEnum):
    """The side to read again next."""

    NEW = "new"  # as the restore left it
    PAGERDUTY = "pagerduty"
    SALESFORCE = "salesforce"
    AGAIN = "again"
    DONE = "done"


class Doubt(Struct, frozen=True):
    """What is in doubt after a restore.

    Attributes:
        turn: the side to read next.
        since: time of the backup, in PagerDuty's clock as far as it is known.
        until: per side, the end of the doubt, in its own clock.
        start: PagerDuty's cursor in the backup.
    """

    turn: Turn
    since: datetime
    until: dict[Side, datetime]
    start: datetime

    @property
    def is_over(self) -> bool:
        """Whether both sides were read again."""
        return self.turn is Turn.DONE

    def covers_time(self, side: Side, at: datetime) -> bool:
        """Whether a change of a side happened before that side was read again."""
        until = self.until.get(side)
        return until is None or at <= until

    def covers(self, event: Event) -> bool:
        """Whether the actions of an event may have been carried out already.

        A record's change is the difference to a snapshot as old as the backup, whatever its time.
        """
        is_difference = event.source is Side.SALESFORCE and self.turn in (
            Turn.PAGERDUTY,
            Turn.SALESFORCE,
        )
        return is_difference or self.covers_time(event.source, event.at)
