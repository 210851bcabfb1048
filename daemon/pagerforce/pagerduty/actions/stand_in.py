"""Who can't be written as: people whom PagerDuty refuses as the requester of a change.

With ``act_as = "actor"``, and with ``assign_to = "actor"`` of an action, a change goes out as the person
whose doing it was. PagerDuty refuses that for
want of rights, or because the person was removed since. That must not stop a page: the integration user
stands in, for a while, and it is said once per person.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pagerforce.errors import RefusedError
from pagerforce.model.ports import Clock
from pagerforce.observe.log import get_log

_LOG = get_log("pagerduty")
_FOR = timedelta(hours=1)
_MOST = 10_000
# Requester not found, requester not authorized, access denied, a requester is needed, user not found.
_CODES = frozenset({"1008", "1018", "2010", "2011", "2013"})


def is_about_requester(error: RefusedError) -> bool:
    """Whether a refusal may be about who asks rather than about what is asked for."""
    said = str(error).lower()
    names_requester = "requester" in said or ("from" in said and "header" in said)
    return error.code in _CODES or error.status == 403 or names_requester


@dataclass(slots=True)
class StandIns:
    """People for whom the integration user stands in; shared by all handlers.

    Attributes:
        count: told of each person once an hour.
    """

    clock: Clock
    count: Callable[[], None]
    _since: dict[str, datetime] = field(default_factory=dict)

    def refuse(self, user_id: str) -> None:
        """PagerDuty does not let this person do it; they are tried again after an hour."""
        if len(self._since) >= _MOST:
            self._since.pop(next(iter(self._since)))
        self._since[user_id] = self.clock.now()
        self.count()
        _LOG.warning("requester_refused", user=user_id)

    def is_refused(self, user_id: str | None) -> bool:
        """Whether the integration user writes in this person's place."""
        since = self._since.get(user_id or "")
        return since is not None and abs(self.clock.now() - since) < _FOR
