"""One action, one event: the result in the journal and on both sides."""

from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from rig import HISTORY, INCIDENT, P, Rig, open_rig

WINDOW = "Change_Window__c"
REMEDYFORCE = {"preset": "remedyforce-incident"}
MAPS = {"priority": {"P1": "1", "P2": "2", "default": "3"}, "strict": {"P1": "1"}}
SHORT = f"{P}shortDescription__c"
OBJECTS = (INCIDENT, HISTORY, WINDOW, "Case", "CaseComment", "Contact")


def rule(name, run_on, conditions, *actions, obj=INCIDENT, **keys):
    return {
        "name": name,
        "object": obj,
        "run_on": run_on,
        "conditions": conditions,
        "actions": list(actions),
        **keys,
    }


def is_(name, op, value=None):
    return {"field": name, "op": op} | ({} if value is None else {"value": value})


PAGE = rule(
    "page",
    "salesforce",
    [is_(f"record.{P}FKPriority__r.Name", "changed_to", "1")],
    {"do": "pagerduty.create_incident", "title": "{{ record.Name }}", "service": "PNET001"},
)


def toml(*rules, objects=(REMEDYFORCE,), mappings=()):
    return tomli_w.dumps(
        {
            "objects": list(objects),
            "service_mappings": list(mappings),
            "maps": MAPS,
            "rulesets": [{"name": "tried", "rules": list(rules)}],
        }
    )


def nothing(*_: Any) -> None:
    """No preparation, no check of its own."""


@dataclass(frozen=True)
class Case:
    """An action as a rule defines it, and its expected result.

    ``before`` happens and is seen by the daemon; ``meanwhile`` happens between the decision and the
    delivery. ``after`` asserts the state of the sandbox; if nothing was delivered, both sides
    must be as they were just before the delivery.
    """

    name: str
    action: dict[str, Any]
    outcome: str
    words: str = ""
    after: Callable[..., None] = nothing
    before: Callable[..., None] = nothing
    meanwhile: Callable[..., None] = nothing
    more: dict[str, Any] = field(default_factory=dict)


def table(*cases):
    """Arguments for ``parametrize``: the cases under their names, each name once."""
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    return {"argnames": "case", "argvalues": cases, "ids": names}


def picture(rig: Rig) -> dict[str, Any]:
    """Everything that an action can change on either side."""
    return {
        "incidents": rig.incidents(),
        "notes": [rig.notes_of(item["id"]) for item in rig.incidents()],
        "runs": [list(rig.pd.workflow_runs), list(rig.pd.play_runs)],
        "rows": {name: rig.sf.rows(name) for name in OBJECTS},
    }


async def decide(rig, daemon):
    """Lets both polls see what happened, and delivers nothing."""
    for _ in range(2):
        rig.advance(2)
        await daemon.poll()


async def conclude(rig, daemon, case, *where):
    """Decides, delivers, and compares the result with the case."""
    known = {item["action_id"] for item in await daemon.actions()}
    await decide(rig, daemon)
    case.meanwhile(rig, *where)
    before = picture(rig)
    await daemon.deliver()
    new = [item for item in await daemon.actions() if item["action_id"] not in known]
    (done,) = [item for item in new if item["action"] == case.action["do"]]
    assert done["outcome"] == case.outcome, done["reason"]
    assert case.words in (done["reason"] or ""), done["reason"]
    dead = [item["id"] for item in await daemon.dead_letters()]
    assert dead == ([done["action_id"]] if case.outcome == "dead_letter" else [])
    if case.outcome != "delivered":
        assert picture(rig) == before
    case.after(rig, *where)
    return done


@asynccontextmanager
async def staged(folder, *rules, **more):
    """A sandbox and a daemon with these rules."""
    async with open_rig(folder, toml(*rules, **more)) as rig, rig.daemon() as daemon:
        yield rig, daemon
