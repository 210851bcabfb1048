"""PagerDuty's actions in tests: their statuses, people, and the contents of verdicts."""

from pagerforce.model.verdict import (
    Delivered,
    NoteMade,
    Rejected,
)
from pagerforce.sandbox.faults import FaultKind

BOT, JANE, SAM = "PINTEG1", "PJANE01", "PSAMLE1"
CREATE = "pagerduty.create_incident"
ACKNOWLEDGE = "pagerduty.acknowledge"
RESOLVE = "pagerduty.resolve"
PRIORITY = "pagerduty.set_priority"
REASSIGN = "pagerduty.reassign"
NOTE = "pagerduty.add_note"
PAGE = {"title": "INC-1: disk full", "service": "PNET001"}
LOST = [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER]


def reason(verdict, kind=Rejected):
    assert isinstance(verdict, kind), verdict
    return verdict.reason


def note_id(verdict):
    assert isinstance(verdict, Delivered), verdict
    (effect,) = verdict.effects
    assert isinstance(effect, NoteMade)
    return effect.id
