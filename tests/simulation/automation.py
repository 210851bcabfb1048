"""What an administrator built into the org of a history: drawn from the seed, behind ``--automation``.

More than a third of the histories have some: flows that rewrite what is written, rich text, an org with
moods (locks in all wordings, maintenance, limits, logins refused for now), and rarely one that moves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pagerforce.model.ids import Side
from pagerforce.sandbox.faults import Fault, FaultKind, Faults
from pagerforce.sandbox.salesforce import SalesforceWorld, admin
from pagerforce.sandbox.salesforce.flows import Flow
from pagerforce.sandbox.salesforce.rich_text import RichText
from pagerforce.sandbox.salesforce.troubles import Trouble
from simulation.ledger import HISTORY, INCIDENT, P
from simulation.network import URLS

AUTOMATED = 0.5
SHORT, PRIORITY, NOTE = (f"{P}{name}__c" for name in ("shortDescription", "FKPriority", "note"))
LOCKS = (
    "row_lock_in_trigger",
    "row_lock_in_nested_triggers",
    "row_lock_in_flow",
    "record_currently_unavailable",
    "record_currently_unavailable_in_flow",
)
LIMITS = ("apex_cpu_limit", "apex_soql_limit", "apex_async_limit", "concurrent_requests_limit")
LOGINS = ("login_rate_exceeded", "token_request_in_process", "token_retry")
PAGES = ("no_longer_exists", "page_instead_of_answer", "maintenance_page", "url_not_reset")
MOVED = "http://127.0.0.2:7002"
MOODS = ("lock", "lock", "limit", "login", "page", "window")
TOKEN_PATH = "/services/oauth2/token"


def _flows(dice: Random) -> list[Flow]:
    ranks: list[object] = ["1", "2", "3", "4", "5"]
    offered = [
        Flow("prefix", INCIDENT, SHORT, "[Desk] "),
        Flow("upper", INCIDENT, SHORT, on="insert"),
        Flow("raise", INCIDENT, PRIORITY, ranks, on="insert"),
        Flow("default", INCIDENT, PRIORITY, "3", on="insert"),
        Flow("default", INCIDENT, "OwnerId", "Service Desk", on="insert"),
        Flow("trim", INCIDENT, "*"),
        Flow("trim", HISTORY, "*"),
        Flow("crlf", HISTORY, NOTE),
        Flow("prefix", HISTORY, NOTE, "From the desk: "),
    ]
    return dice.sample(offered, dice.randrange(1, 5))


@dataclass(slots=True)
class Moods:
    """What an automated org does to its callers: ``kinds`` of it, each as likely as it is there often."""

    sf: SalesforceWorld
    faults: Faults
    dice: Random
    tell: Callable[[str], None]
    kinds: list[str]

    def strike(self) -> float:
        """Brings one on; gives the seconds after which it is to be ended, 0 where it ends by itself."""
        kind = self.dice.choice(self.kinds)
        self.tell(f"weather: the org has a mood: {kind}")
        return float(getattr(self, f"_{kind}")())

    def end(self) -> None:
        """The org is in a good mood; where it went, it stays."""
        self.sf.troubles.clear()

    def _trouble(self, names: tuple[str, ...]) -> int:
        name, count = self.dice.choice(names), self.dice.randrange(1, 4)
        self.sf.troubles.add(Trouble(name, count=count))
        return 0

    def _lost(self) -> int:
        """What was written is there, maybe rewritten; its answer is not."""
        kind = self.dice.choice([FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
        self.faults.add(Fault(kind, method="POST", path="sobjects"))
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
        self.kinds.remove("move")
        old = self.dice.choice(["redirect", "drop", "gone", "not_reset"])
        admin.move_instance(self.sf, MOVED, old=old)
        return 0


def automate(
    sf: SalesforceWorld, faults: dict[Side, Faults], dice: Random, tell: Callable[[str], None]
) -> Moods | None:
    """Builds what the seed draws; gives what such an org does to its callers."""
    if dice.random() > AUTOMATED:
        return None
    sf.instance_url = URLS[Side.SALESFORCE]
    if dice.random() < 0.8:
        sf.automation.flows.extend(_flows(dice))
    if dice.random() < 0.5:
        breaks = dice.choice(["br", "blank"])
        sf.automation.rich_texts[HISTORY, NOTE] = RichText(breaks, wraps=dice.random() < 0.5)
    for flow in sf.automation.flows:
        tell(f"org: {flow.kind} on {flow.object.removeprefix(P)}.{flow.field.removeprefix(P)}")
    for place, rich in sf.automation.rich_texts.items():
        tell(f"org: {place[1].removeprefix(P)} is rich text, {rich}")
    kinds = ["lost"] * 3
    if dice.random() < 0.7:
        kinds += MOODS
    if dice.random() < 0.15:
        kinds.append("move")
    return Moods(sf, faults[Side.SALESFORCE], dice, tell, kinds)
