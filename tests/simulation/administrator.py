"""What an administrator does during a history, and the expected results.

A field that a rule reads is deleted and restored; a parent that a rule uses changes while its children
do not change. The platform can't merge Remedyforce's incidents, so no records are merged.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import anyio

from pagerforce.sandbox.salesforce import ApiError, SalesforceWorld, admin
from simulation.automation import WORDS
from simulation.ledger import INCIDENT, P
from simulation.promises import BrokenPromise, Promise
from simulation.scene import PARENT, Scene

CATEGORY, LOOKUP = f"{P}Category__c", f"{P}FKCategory__c"
CODE = f"{P}Abbreviation__c"
BUSY = 0.25
"""Number of other people's deeds for one deed of the administrator."""
ASKED_AGAIN = 310
"""Seconds after which a restored field is read again."""

RULES = f"""
[[rulesets.rules]]
name = "Words are noted"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "record.{WORDS}", op = "changed" }}]
actions = [{{ do = "pagerduty.add_note", text = "{{{{ record.Name }}}}: {{{{ record.{WORDS} }}}}" }}]

[[rulesets.rules]]
name = "The category's code is noted"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [
  {{ field = "event.type", op = "equals", value = "update" }},
  {{ field = "record.{PARENT}", op = "changed" }},
]
actions = [{{ do = "pagerduty.add_note", text = "{{{{ record.Name }}}} is {{{{ record.{PARENT} }}}}" }}]
"""


@dataclass(slots=True)
class Administrator:
    """``is_there`` False: nobody does anything. ``codes``: category -> (second, its code from then on)."""

    sf: SalesforceWorld
    dice: Random
    tell: Callable[[str], None]
    is_there: bool
    codes: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    number: int = 0
    is_gone: bool = False

    def act(self) -> None:
        """Now and then a deed; if the org refuses it, nothing is recorded."""
        if not self.is_there or self.dice.random() > BUSY:
            return
        self.number += 1
        deed = self.dice.choice(
            [self._recode, self._recode, self._write, self._write, self._toggle]
        )
        try:
            self.tell(f"a{self.number} {deed()}")
        except ApiError as error:
            self.tell(f"a{self.number} is refused: {error}")

    def leave(self) -> None:
        """The org has all its fields."""
        if self.is_gone:
            self._toggle()

    def _toggle(self) -> str:
        change = admin.restore_field if self.is_gone else admin.delete_field
        change(self.sf, INCIDENT, WORDS)
        self.is_gone = not self.is_gone
        return f"field of words is gone: {self.is_gone}"

    def _write(self) -> str:
        found = [r.id for r in self.sf.store.scan(INCIDENT) if not r.is_deleted]
        if not found:
            return "has nothing to write on"
        row_id = self.dice.choice(found)
        self.sf.update(INCIDENT, row_id, {WORDS: f"words {self.number}"})
        return f"words on {row_id}"

    def _recode(self) -> str:
        row_id = self.dice.choice([row.id for row in self.sf.store.scan(CATEGORY)])
        code = f"C{self.number}"
        self.sf.update(CATEGORY, row_id, {CODE: code})
        self.codes.setdefault(row_id, []).append((anyio.current_time(), code))
        return f"{row_id} is {code}"


def check_administration(scene: Scene, administrator: Administrator) -> None:
    """Both fields are stored with their current values, and each record's last code was reported."""
    if not administrator.is_there:
        return
    store = scene.ledger.sf.store
    for record_id, known in scene.state.records.items():
        row = store.newest(record_id)
        if row is None or row.is_deleted:
            continue
        category = row.values.get(LOOKUP)
        parent = store.newest(str(category)) if category else None
        wanted = {
            WORDS: row.values.get(WORDS),
            PARENT: parent.values.get(CODE) if parent is not None else None,
        }
        held = {name: known["fields"].get(name) for name in wanted}
        if held != wanted:
            raise BrokenPromise(Promise.CONVERGED, f"{record_id} has {wanted}, stored as {held}")
        _is_told(scene, record_id, administrator.codes.get(str(category), []))


def _is_told(scene: Scene, record_id: str, codes: list[tuple[float, str]]) -> None:
    """Whether the last code of a record's category is in an event, if the daemon knew the record before."""
    known_at = scene.watch.known_at.get(record_id)
    if not codes or known_at is None or codes[-1][0] <= known_at:
        return
    events = scene.of_record(record_id, "create", "update", "undelete")
    told = {event.record.get(PARENT) for event in events}
    if codes[-1][1] not in told:
        text = f"the category of {record_id} became {codes[-1][1]}; reported: {told}"
        raise BrokenPromise(Promise.NOTHING_LOST, text)
