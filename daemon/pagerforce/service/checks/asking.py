"""Sends the requests of a check to one side, one after the other; failures become lines.

PagerDuty asks for calls one by one, and a check must not put load on either side: nothing runs in
parallel. A side that does not answer three times in a row gets no further requests.
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
    "{said}: remove what needs this from the configuration, or extend the plan",
)
FORBIDDEN = todo(
    "asking.forbidden", "{what}", "{said}: give the integration user or the key this right"
)
REFUSED = todo("asking.refused", "{what}", "{said}")
FAILED = todo("asking.failed", "{what}", "the request failed: {said}; run check again")
GAVE_UP = todo(
    "asking.gave_up",
    "the rest of {system}",
    "was not checked: no answer three times in a row; run check again",
)

ADVICE = (PLAN, FORBIDDEN, REFUSED, FAILED, GAVE_UP)


class GaveUpError(PagerforceError):
    """A side does not answer; it gets no further requests."""


class Asking:
    """The requests to one side.

    Args:
        tell: called with the subject of each request before it is sent.
    """

    def __init__(self, tell: Callable[[str], Awaitable[None]] | None = None) -> None:
        self._failures = 0
        self._tell = tell

    async def ask(self, what: str, task: Callable[[], Awaitable[T]]) -> T | CheckLine:
        """Returns the answer, or the line that says why there is none.

        Args:
            what: the subject of the line.
            task: sends the request.

        Raises:
            GaveUpError: the side did not answer several times; its cause is the last error.
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
    """Returns the line that says how to fix a refusal."""
    advice = {402: PLAN, 403: FORBIDDEN}.get(error.status, REFUSED)
    return advice.line(what=what, said=error)
