"""What must be true once everything is at rest: the ledger against the daemon's journal."""

import re
from dataclasses import dataclass

from simulation.administrator import Administrator, check_administration
from simulation.agreement import Agreement
from simulation.changes import Changes
from simulation.copies import Copies
from simulation.ledger import Ledger
from simulation.people import People
from simulation.promises import BrokenPromise, Promise
from simulation.scene import Scene, Tally
from simulation.state import State, StoredAction
from simulation.watch import Watch

_EXPLAINED = (
    r"This incident is closed",  # the package's own validation; an operator decides
    r"must not be sent twice|is not sent again",  # a workflow whose outcome is unknown: docs/guarantees.md, 2
)

ONCE = ("salesforce.create_record", "salesforce.add_comment")
"""Actions that may end in doubt after a lost answer."""


@dataclass(frozen=True, slots=True)
class Checks:
    """One pass over everything; raises at the first promise that is broken."""

    ledger: Ledger
    people: People
    watch: Watch
    administrator: Administrator

    def run(self, state: State) -> Tally:
        codes = frozenset(code for given in self.administrator.codes.values() for _, code in given)
        scene = Scene(self.ledger, self.people, self.watch, state, codes)
        _Outbox(scene).nothing_waits()
        Changes(scene).run()
        Copies(scene).run()
        Agreement(scene).run()
        _Outbox(scene).nothing_twice()
        _Outbox(scene).count_doubts()
        check_administration(scene, self.administrator)
        return scene.tally


@dataclass(frozen=True, slots=True)
class _Outbox:
    """The results of the actions."""

    scene: Scene

    def nothing_twice(self) -> None:
        self._workflows()
        self._races()

    def nothing_waits(self) -> None:
        for action in self.scene.state.all_actions():
            if action.state in ("pending", "in_flight"):
                raise BrokenPromise(Promise.QUIET, f"{action} still waits")
            is_dead = action.state == "dead_letter" and not action.in_doubt
            if is_dead and not self._is_explained(action):
                raise BrokenPromise(Promise.CONTAINED, f"dead letter without need: {action}")

    def count_doubts(self) -> None:
        """Counts actions that write once, and how often their outcome was unknown."""
        for action in self.scene.state.all_actions():
            if action.do in ONCE:
                self.scene.tally.lost_answers += action.lost_answers
                self.scene.tally.doubts += action.in_doubt
                if action.in_doubt:
                    self.scene.ledger.tell(f"in doubt: {action}")

    def _is_explained(self, action: StoredAction) -> bool:
        is_gone = action.record_id is not None and self.scene.was_deleted(action.record_id)
        return is_gone or any(re.search(pattern, action.reason) for pattern in _EXPLAINED)

    def _workflows(self) -> None:
        runs = len(self.scene.ledger.pd.workflow_runs)
        asked = sum(
            action.do == "pagerduty.run_workflow" for action in self.scene.state.all_actions()
        )
        if runs > asked:
            raise BrokenPromise(Promise.AT_MOST_ONCE, f"{runs} runs for {asked} actions")

    def _races(self) -> None:
        """An incident that a crossing write reopened was resolved again, or is reported as a reopening."""
        for incident_id in self.scene.watch.raced:
            incident = self.scene.ledger.pd.state.incidents[incident_id]
            is_theirs = incident_id in self.scene.people.reopened
            if incident.is_open and not is_theirs and not self._is_told(incident_id):
                raise BrokenPromise(Promise.NO_REOPEN, f"{incident_id} was left open")

    def _is_told(self, incident_id: str) -> bool:
        """If the answer was lost as well, a person could have reopened it before: it stays open."""
        is_lost = any(
            action.incident_id == incident_id
            and action.do == "pagerduty.acknowledge"
            and (action.was_unknown or action.was_cut_off)
            for action in self.scene.state.all_actions()
        )
        return is_lost and any(
            event.incident_id == incident_id and event.type == "reopen"
            for event in self.scene.state.events.values()
        )
