"""The possible meanings of Salesforce's errors, and the form of the table's rows. Pure."""

from enum import StrEnum

from msgspec import Struct


class Meaning(StrEnum):
    """The reaction to an error. If an answer has several, the first in this order counts."""

    SESSION = "session"  # a new login, once; if that does not help, as ACCOUNT
    MOVED = "moved"  # the instance has moved: a new login, once; if that does not help, as FAST
    ACCOUNT = "account"  # nothing works until an operator acts: the side halts
    FULL = "full"  # no write works until an operator acts: writes halt
    QUOTA = "quota"  # the daily calls are used up: the side halts
    BROKEN = "broken"  # the server failed meanwhile: a write may have taken effect
    SLOW = "slow"  # ends within minutes or hours; nothing was changed
    LOCKED = "locked"  # an approval locks the record; nothing was changed
    FAST = "fast"  # ends within seconds; nothing was changed
    REFUSED = "refused"  # never works unchanged


class Row(Struct, frozen=True):
    """One row of the table.

    Attributes:
        source: the source of the meaning.
        codes: the codes of the row; none: any code.
        texts: one of them must be in the message, in any case; none: any message.
        advice: the advice for an operator; ``""`` if waiting is enough.
    """

    meaning: Meaning
    source: str
    codes: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    advice: str = ""

    def find(self, message: str) -> str | None:
        """The row's text that is in the message, ``""`` if the row has none; None: no match."""
        if not self.texts:
            return ""
        folded = message.casefold()
        return next((text for text in self.texts if text.casefold() in folded), None)


def row(meaning: Meaning, source: str, codes: str = "", *texts: str, advice: str = "") -> Row:
    """Builds a row from the form of the tables: codes separated by blanks."""
    return Row(meaning, source, frozenset(codes.split()), texts, advice)
