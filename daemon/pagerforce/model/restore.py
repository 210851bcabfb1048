"""What a restore leaves in doubt, until both sides have been read again (``store/restored.py``)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pagerforce.model.event import Event
from pagerforce.model.ids import Side


class Turn(StrEnum):
    """Which side is to be read again."""

    NEW = "new"  # as the restore has left it
    PAGERDUTY = "pagerduty"
    SALESFORCE = "salesforce"
    AGAIN = "again"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a restore left in doubt.

    Attributes:
        turn: the side to read next.
        since: when the backup was made, in PagerDuty's clock as far as it is known.
        until: per side, since when nothing is in doubt, in its own clock.
        start: where PagerDuty's cursor stood in the backup.
    """

    turn: Turn
    since: datetime
    until: dict[Side, datetime]
    start: datetime

    @property
    def is_over(self) -> bool:
        """Whether both sides have been read again."""
        return self.turn is Turn.DONE

    def covers_time(self, side: Side, at: datetime) -> bool:
        """Whether something of a side happened before it was read again."""
        until = self.until.get(side)
        return until is None or at <= until

    def covers(self, event: Event) -> bool:
        """Whether what follows from an event may have been done already.

        A record's change is the difference to a snapshot as old as the backup, whatever its time.
        """
        is_difference = event.source is Side.SALESFORCE and self.turn in (
            Turn.PAGERDUTY,
            Turn.SALESFORCE,
        )
        return is_difference or self.covers_time(event.source, event.at)
