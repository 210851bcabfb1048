"""Asks one side for one thing after the other, and turns what fails into lines.

PagerDuty wants its calls one by one, and neither side is to be pressed for a check: nothing here
runs in parallel. A side that fails to answer three times in a row is not asked any further.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pagerforce.config.checkline import CheckLine, todo
from pagerforce.errors import ConfigError, PagerforceError, RefusedError, RemoteError

T = TypeVar("T")
_PATIENCE = 3

PLAN = todo(
    "asking.plan",
    "{what}",
    "{said}: take what needs it out of the configuration, or have the plan extended",
)
FORBIDDEN = todo("asking.forbidden", "{what}", "{said}: give our user or key the right to this")
REFUSED = todo("asking.refused", "{what}", "{said}")
FAILED = todo("asking.failed", "{what}", "could not be asked for: {said}; run check again")
GAVE_UP = todo(
    "asking.gave_up",
    "the rest of {system}",
    "was not checked: it failed to answer three times in a row; run check again",
)

ADVICE = (PLAN, FORBIDDEN, REFUSED, FAILED, GAVE_UP)


class GaveUpError(PagerforceError):
    """A side fails to answer; it is not asked any further."""


class Asking:
    """The questions to one side.

    Args:
        tell: told what is asked for.
    """

    def __init__(self, tell: Callable[[str], Awaitable[None]] | None = None) -> None:
        self._failures = 0
        self._tell = tell

    async def ask(self, what: str, task: Callable[[], Awaitable[T]]) -> T | CheckLine:
        """The answer, or the line that says why there is none.

        Args:
            what: what the line is about.
            task: makes the request.

        Raises:
            GaveUpError: the side was silent several times; ``failure`` is its last line.
        """
        if self._tell is not None:
            await self._tell(what)
        try:
            found = await task()
        except ConfigError as error:
            return REFUSED.line(what=what, said="; ".join(map(str, error.problems)))
        except RefusedError as error:
            self._failures = 0
            return refusal(what, error)
        except RemoteError as error:
            self._failures += 1
            if self._failures >= _PATIENCE:
                raise GaveUpError from error
            return FAILED.line(what=what, said=error)
        self._failures = 0
        return found


def refusal(what: str, error: RefusedError) -> CheckLine:
    """What is to be done about a refusal."""
    advice = {402: PLAN, 403: FORBIDDEN}.get(error.status, REFUSED)
    return advice.line(what=what, said=error)
