"""What an error of Salesforce may mean, and the form of the table's rows. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """What to do about an error. Of several in one answer the first of these counts."""

    SESSION = "session"  # log in anew, once; where that does not help, who we are is refused
    MOVED = "moved"  # the instance is another: log in anew, once; else it passes
    ACCOUNT = "account"  # nothing works before a person acts: the side halts
    FULL = "full"  # no write works before a person acts: writing halts
    QUOTA = "quota"  # the calls of a day are used up: the side halts
    BROKEN = "broken"  # it broke down while at it: a write may have taken effect
    SLOW = "slow"  # passes within minutes or hours, nothing was done
    LOCKED = "locked"  # somebody's approval holds the record, nothing was done
    FAST = "fast"  # passes within seconds, nothing was done
    REFUSED = "refused"  # never works as it is


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        source: where the meaning is known from.
        codes: the codes it is about; none in rows about any code.
        texts: one of them must be in the message, whatever its case; none: any message.
        advice: what a person can do; ``""`` where there is nothing to do but wait.
    """

    meaning: Meaning
    source: str
    codes: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    advice: str = ""

    def find(self, message: str) -> str | None:
        """The text of the row that a message holds, ``""`` where any does; None: it does not fit."""
        if not self.texts:
            return ""
        folded = message.casefold()
        return next((text for text in self.texts if text.casefold() in folded), None)


def row(meaning: Meaning, source: str, codes: str = "", *texts: str, advice: str = "") -> Row:
    """A row as the tables write it: codes with blanks between them."""
    return Row(meaning, source, frozenset(codes.split()), texts, advice)
