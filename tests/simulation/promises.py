"""The names of the promises, and the exception for a broken one."""

from enum import StrEnum


class Promise(StrEnum):
    """docs/guarantees.md, in the words of this package."""

    NOTHING_LOST = "nothing lost"
    RULED_ONCE = "evaluated exactly once"
    NO_SECOND_INCIDENT = "no second incident"
    NO_SECOND_RECORD = "no second record"
    NO_SECOND_NOTE = "no second note"
    NO_SECOND_COMMENT = "no second comment"
    AT_MOST_ONCE = "what cannot be looked for is sent at most once"
    IN_ORDER = "per-link order"
    NO_ECHO = "no echo"
    NO_REOPEN = "no reopen"
    NEWEST_WINS = "newest wins"
    CONVERGED = "converged"
    QUIET = "quiet"
    CONTAINED = "contained"


class BrokenPromise(BaseException):
    """An invariant is broken. No ``except Exception`` of the daemon may contain it."""

    def __init__(self, promise: Promise, text: str) -> None:
        super().__init__(f"{promise}: {text}")
        self.promise = promise
