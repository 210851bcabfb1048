"""``simulate``: shows what rules would do about recorded events, without any write."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from pagerforce.errors import PagerforceError
from pagerforce.model.value import Json, parse_instant
from pagerforce.service.control.checking import Job, Trial, run_checker
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.control.roles import missing

MOST_FILES = 20


class RulesFile(Request):
    """A rules file as the caller sent it."""

    name: Annotated[str, Field(max_length=4096)]
    content: str


class SimulateRequest(Request):
    """``rules``: the rules to try, instead of those in force.

    ``has_events``: lines of events follow the form, newest first; they replace the journal's.
    """

    rules: Annotated[tuple[RulesFile, ...], Field(max_length=MOST_FILES)] = ()
    since: Annotated[str, Field(max_length=100)] | None = None
    has_events: bool = False


async def simulate_rules(desk: Desk, request: SimulateRequest) -> Json:
    """Returns how often each rule fires, its actions, and the difference to the rules in force.

    Callers who may not read the log see values and texts only of events that they sent, not of the
    journal's.

    Raises:
        ConfigError: the rules to try are wrong.
        TooMuchError: they or the events need too much time or memory.
    """
    texts = [(item.name, item.content) for item in request.rules]
    trial = Trial(
        await desk.loaded(),
        since=None if request.since is None else parse_since(request.since),
        lines=desk.lines if request.has_events else None,
        shows_values=request.has_events or may_read_log(desk),
    )
    found = await run_checker(desk, desk.home.turns.common, Job(texts or None, trial=trial))
    return found.report


def may_read_log(desk: Desk) -> bool:
    """Whether this caller may see values and texts of recorded events."""
    return not missing(desk.caller.roles, "log")


def parse_since(text: str) -> datetime:
    """Parses an RFC 3339 time from a caller; raises ``PagerforceError``."""
    try:
        return parse_instant(text.upper())
    except ValueError as error:
        raise PagerforceError(f"{text!r} is not an RFC 3339 time") from error
