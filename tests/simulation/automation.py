"""What an administrator built into the org of a history, drawn from the seed by dice of its own.

Two in five histories have such an org: several kinds of automation together, rules that write what it
rewrites, and moods, among them always answers that get lost after the work was done. Where the object of
its records has no external id, nothing but ``salesforce.actions.search`` keeps a record from being made twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from pagerforce.sandbox.salesforce import SalesforceWorld
from pagerforce.sandbox.salesforce.automation import DuplicateRule
from pagerforce.sandbox.salesforce.field_kinds import picklist, text
from pagerforce.sandbox.salesforce.flows import Flow
from pagerforce.sandbox.salesforce.rich_text import RichText
from simulation.ledger import HISTORY, INCIDENT, P
from simulation.moods import KINDS

AUTOMATED = 0.4
SHORT, PRIORITY, NOTE, CONTACT = (
    f"{P}{name}__c" for name in ("shortDescription", "FKPriority", "note", "contactType")
)
HOURS, DUE, REGIONS = f"{P}TotalWorkTime__c", f"{P}dueDateTime__c", "Regions__c"
WORDS = "Words__c"
"""A field of the customer's own, which an administrator deletes and restores."""
CALLED_EVENT = f'{CONTACT} = "Event"'
ADMINISTERED = 0.4
FEWEST, MOST = 3, 7
"""Kinds of automation of an automated org."""

RULES = f"""
[[rulesets.rules]]
name = "Numbers and choices"
object = "{INCIDENT}"
run_on = "pagerduty"
conditions = [{{ field = "event.type", op = "equals", value = "priority_change" }}]
actions = [
  {{ do = "salesforce.set_field", field = "{HOURS}", value = 7.25 }},
  {{ do = "salesforce.set_field", field = "{REGIONS}", value = "APAC;EMEA" }},
]
"""
"""What rules write besides, of types whose values an org stores in its own way."""
GIVEN = f'{CALLED_EVENT}, {HOURS} = 2.5, {DUE} = "2026-03-04T15:45:10Z", {REGIONS} = "AMER;EMEA"'
"""What a new record is given besides."""


@dataclass(frozen=True, slots=True)
class Org:
    """How the org of a history is built.

    Attributes:
        names: the kinds of automation that it has; none: it is as it was installed.
        byte_limit: most bytes of a comment; 0: no such limit.
        has_key: records have an external id. Without one they are looked for after a lost answer.
        is_administered: somebody deletes and restores a field, and changes parents.
        moods: what it does to its callers, each as likely as it is there often.
    """

    names: tuple[str, ...] = ()
    flows: tuple[Flow, ...] = ()
    rich: RichText | None = None
    byte_limit: int = 0
    has_key: bool = True
    is_administered: bool = False
    moods: tuple[str, ...] = ()

    @property
    def is_automated(self) -> bool:
        return bool(self.names)

    @property
    def rewrites(self) -> bool:
        """Whether texts or ranks are not stored as they are sent."""
        return bool(REWRITING.intersection(self.names))

    def rules(self, written: str) -> str:
        """The rules of a history in this org."""
        if not self.is_automated:
            return written
        preset = 'preset = "remedyforce-incident"'
        keyless = f'{preset}\nexternal_id_field = ""'
        written = written if self.has_key else written.replace(preset, keyless)
        return written.replace(CALLED_EVENT, GIVEN) + RULES


def _flow(kind: str, place: tuple[str, str], value: object = None, on: str = "both") -> Flow:
    return Flow(kind, *place, value, on)  # type: ignore[arg-type]


RANKS: list[object] = ["1", "2", "3", "4", "5"]
FLOWS = {
    "prefixed titles": (_flow("prefix", (INCIDENT, SHORT), "[Desk] "),),
    "upper case": (_flow("upper", (INCIDENT, SHORT), on="insert"),),
    "raised priority": (_flow("raise", (INCIDENT, PRIORITY), RANKS, "insert"),),
    "default priority": (_flow("default", (INCIDENT, PRIORITY), "3", "insert"),),
    "default owner": (_flow("default", (INCIDENT, "OwnerId"), "Service Desk", "insert"),),
    "trimmed blanks": (_flow("trim", (INCIDENT, "*")), _flow("trim", (HISTORY, "*"))),
    "line ends": (_flow("crlf", (HISTORY, NOTE)),),
    "prefixed comments": (_flow("prefix", (HISTORY, NOTE), "From the desk: "),),
    "rounding": (_flow("round", (INCIDENT, HOURS), 0), _flow("day", (INCIDENT, DUE))),
    "picklist order": (_flow("order", (INCIDENT, REGIONS)),),
}
OTHERS = ("rich text", "byte limit", "duplicates alert")
REWRITING = frozenset(
    {"prefixed titles", "upper case", "raised priority", "prefixed comments", "rich text"}
)


def draw_org(dice: Random) -> Org:
    """The org of a seed."""
    if dice.random() > AUTOMATED:
        return Org()
    names = dice.sample([*FLOWS, *OTHERS], dice.randrange(FEWEST, MOST))
    if not REWRITING.intersection(names):
        names.append(dice.choice(sorted(REWRITING)))
    rich = RichText(dice.choice(["br", "blank", "kept"]), wraps=dice.random() < 0.5)
    limit = dice.choice([60, 100, 255])
    moods = [kind for kind in KINDS if dice.random() < (0.15 if kind == "move" else 0.5)]
    return Org(
        tuple(names),
        tuple(flow for name in names for flow in FLOWS.get(name, ())),
        rich if "rich text" in names else None,
        limit if "byte limit" in names else 0,
        has_key=dice.random() < 0.4,
        moods=(*["lost"] * max(3, len(moods)), *moods),
        is_administered=dice.random() < ADMINISTERED,
    )


def build(org: Org, sf: SalesforceWorld, tell: Callable[[str], None]) -> None:
    """Puts it up."""
    if not org.is_automated:
        return
    incident = sf.schema.get(INCIDENT)
    regions = picklist(REGIONS, "EMEA", "APAC", "AMER", multiple=True, restricted=True)
    fields = {**incident.fields, REGIONS.lower(): regions, WORDS.lower(): text(WORDS)}
    sf.schema.objects[INCIDENT.lower()] = replace(incident, fields=fields)
    sf.automation.flows.extend(org.flows)
    if org.rich is not None:
        sf.automation.rich_texts[HISTORY, NOTE] = org.rich
    if org.byte_limit:
        sf.automation.byte_limits[HISTORY, NOTE] = org.byte_limit
    if "duplicates alert" in org.names:
        sf.automation.duplicates.append(DuplicateRule(INCIDENT, (CONTACT,)))
    tell(f"org: {', '.join(org.names)}; moods: {', '.join(org.moods)}")
    tell(f"org: records have an external id: {org.has_key}; administered: {org.is_administered}")


def flourish(org: Org, dice: Random, number: int) -> str:
    """What people write behind the words of deed ``number``: what an org stores in its own way."""
    if not org.is_automated:
        return ""
    return dice.choice(["", "", *FLOURISHES]).replace("words", f"words {number}:")


# No two pieces of all texts are alike: a comment in parts is judged by the text of each part.
FLOURISHES = (
    ' & "more" <here>',
    "\nin two lines",
    "  two  blanks ",
    " 日本語のノート 二番目の文 三つ目の言葉",
    "".join(f" words {number}" for number in range(1, 17)),
    " it's <b>bold</b>",
)
