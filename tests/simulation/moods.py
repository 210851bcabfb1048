"""How an automated org treats its callers during a history: temporary refusals, answers that get lost."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pagerforce.sandbox.faults import Fault, FaultKind, Faults
from pagerforce.sandbox.salesforce import SalesforceWorld, admin
from pagerforce.sandbox.salesforce.troubles import Trouble

LOCKS = (
    "row_lock",
    "row_lock_in_trigger",
    "row_lock_in_nested_triggers",
    "row_lock_in_flow",
    "record_currently_unavailable",
    "record_currently_unavailable_in_flow",
)
LIMITS = (
    "apex_cpu_limit",
    "apex_soql_limit",
    "apex_async_limit",
    "concurrent_requests_limit",
    "long_transactions_limit",
    "server_unavailable",
)
LOGINS = ("login_rate_exceeded", "token_request_in_process", "token_retry")
PAGES = ("no_longer_exists", "page_instead_of_answer", "maintenance_page", "url_not_reset")
MOVED = "http://127.0.0.2:7002"
KINDS = ("lock", "limit", "login", "page", "window", "move")
"""Beside ``lost``, which every automated org has."""
TOKEN_PATH = "/services/oauth2/token"


@dataclass(slots=True)
class Moods:
    """What an automated org does to its callers; kinds that are listed more often are more likely."""

    sf: SalesforceWorld
    faults: Faults
    dice: Random
    tell: Callable[[str], None]
    kinds: list[str]

    def strike(self) -> float:
        """Starts one; returns the seconds until it must be ended, 0 if it ends by itself."""
        kind = self.dice.choice(self.kinds)
        self.tell(f"weather: the org has a mood: {kind}")
        return float(getattr(self, f"_{kind}")())

    def end(self) -> None:
        """The org accepts everything again; if it moved, it stays there."""
        self.sf.troubles.clear()

    def _trouble(self, names: tuple[str, ...]) -> int:
        name, count = self.dice.choice(names), self.dice.randrange(1, 4)
        self.sf.troubles.add(Trouble(name, count=count))
        return 0

    def _lost(self) -> int:
        """The write is stored, maybe rewritten; its answer is lost."""
        kind = self.dice.choice([FaultKind.DROP_AFTER, FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
        method = self.dice.choice(["POST", "POST", "POST", "PATCH"])
        self.faults.add(Fault(kind, method=method, path="sobjects"))
        return 0

    def _lock(self) -> int:
        return self._trouble(LOCKS)

    def _limit(self) -> int:
        return self._trouble(LIMITS)

    def _login(self) -> int:
        name = self.dice.choice(LOGINS)
        self.faults.add(Fault(FaultKind.ERROR_BEFORE, answer=name, path=TOKEN_PATH))
        self.sf.expire_tokens()
        return 0

    def _page(self) -> int:
        kind = self.dice.choice([FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER])
        path = "^/services/data/"
        self.faults.add(Fault(kind, answer=self.dice.choice(PAGES), path=path))
        return 0

    def _window(self) -> int:
        name = self.dice.choice(["read_only_maintenance", "org_in_maintenance"])
        operation = "write" if name == "read_only_maintenance" else "any"
        self.sf.troubles.add(Trouble(name, operation, count=None))
        return self.dice.randrange(5, 120)

    def _move(self) -> int:
        self.kinds[:] = [kind for kind in self.kinds if kind != "move"]
        old = self.dice.choice(["redirect", "drop", "gone", "not_reset"])
        admin.move_instance(self.sf, MOVED, old=old)
        return 0
