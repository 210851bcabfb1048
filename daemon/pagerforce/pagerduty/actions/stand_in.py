"""People whom PagerDuty refuses as the requester of a change.

With ``act_as = "actor"``, or ``assign_to = "actor"`` in an action, a change is written in the name
of the person who made it. PagerDuty refuses that if the person lacks the right or was removed. That
must not stop a page: for an hour the integration user writes instead, and one warning per person
says so.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from pagerforce.errors import RefusedError
from pagerforce.model.ports import Clock
from pagerforce.observe.log import get_log

_LOG = get_log("pagerduty")
_FOR = timedelta(hours=1)
_MOST = 10_000
# Requester not found, requester not authorized, access denied, a requester is needed, user not found.
_CODES = frozenset({"1008", "1018", "2010", "2011", "2013"})


def is_about_requester(error: RefusedError) -> bool:
    """Whether a refusal may be about the requester and not about the request."""
    said = str(error).lower()
    names_requester = "requester" in said or ("from" in said and "header" in said)
    return error.code in _CODES or error.status == 403 or names_requester


class StandIns(Struct):
    """People for whom the integration user writes; shared by all handlers.

    Attributes:
        count: called once an hour for each person.
    """

    clock: Clock
    count: Callable[[], None]
    _since: dict[str, datetime] = msgspec.field(default_factory=dict)

    def refuse(self, user_id: str) -> None:
        """Marks a person as refused by PagerDuty; they are tried again after an hour."""
        if len(self._since) >= _MOST:
            self._since.pop(next(iter(self._since)))
        self._since[user_id] = self.clock.now()
        self.count()
        _LOG.warning("requester_refused", user=user_id)

    def is_refused(self, user_id: str | None) -> bool:
        """Whether the integration user writes instead of this person."""
        since = self._since.get(user_id or "")
        return since is not None and abs(self.clock.now() - since) < _FOR
