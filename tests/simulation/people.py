"""What people and monitoring do on both sides; each deed leaves a text that no other has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from pagerforce.sandbox.pagerduty.world import PagerDutyWorld
from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.world import SalesforceWorld
from simulation.ledger import HISTORY, INCIDENT, INTEGRATION, P

JANE, SAM = "PJANE01", "PSAMLE1"
MAILS = {JANE: "jane.doe@example.com", SAM: "sam.lee@example.com"}
RAJ, OURS = "raj.patel@example.com", "integration@example.com"
SERVICES = ("PNET001", "PDBA001")
CATEGORIES = ("Network", "Database", "Printing")
SHARED_ACCOUNT = 0.03
"""The share of comments that a person writes with the integration's account. That is much more than in
life, where nobody should; each such comment near a lost answer may leave a doubt."""


@dataclass(slots=True)
class People:
    """Chooses a deed by weight and does it.

    Attributes:
        delay_row: called before each write in Salesforce; may open a long transaction for it.
        repeated: collects what was written again word for word.
        done: counts the deeds that were accepted.
        flourish: what is written behind a deed's words.
        reopened / merged: incidents to which that was done; no entry tells of it.
    """

    pd: PagerDutyWorld
    sf: SalesforceWorld
    dice: Random
    tell: Callable[[str], None]
    delay_row: Callable[[], None]
    repeated: set[str]
    flourish: Callable[[int], str] = lambda _: ""
    number: int = 0
    done: int = 0
    reopened: set[str] = field(default_factory=set)
    merged: set[str] = field(default_factory=set)
    _ids: dict[tuple[str, str], str] = field(default_factory=dict)

    def act(self) -> None:
        """One deed; what the sandbox refuses (a closed record, a locked row) is none."""
        self.number += 1
        what = None
        while what is None:
            (name,) = self.dice.choices(list(DEEDS), list(DEEDS.values()))
            try:
                what = getattr(self, f"_{name}")()
            except ApiError as error:
                self.tell(f"d{self.number} {name} is refused: {error}")
                self.sf.leave_late()
                return
        self.done += 1
        self.tell(f"d{self.number} {name}: {what}")

    # Whom and what ----------------------------------------------------------------------------

    @property
    def token(self) -> str:
        return f"d{self.number}."

    def id_of(self, kind: str, name: str) -> str:
        key = kind, name
        if key not in self._ids:
            self._ids[key] = self.sf.find_id(f"{P}{kind}__c", Name=name)
        return self._ids[key]

    def _one(self, found: list[str]) -> str | None:
        """Mostly one of the latest: that is where people meet."""
        if not found:
            return None
        return self.dice.choice(found[-3:] if self.dice.random() < 0.7 else found)

    def _incidents(self, *states: str) -> list[str]:
        found = self.pd.state.incidents.values()
        return [item.id for item in found if not states or item.status in states]

    def _records(self, *, is_open: bool | None = None, is_deleted: bool = False) -> list[str]:
        found = (row for row in self.sf.store.scan(INCIDENT) if row.is_deleted is is_deleted)
        return [row.id for row in found if is_open in (None, row.values[f"{P}state__c"])]

    def _person(self) -> str:
        return self.dice.choice([JANE, SAM])

    def _anyone(self) -> str:
        """Now and then somebody who uses the integration's own account: still a person."""
        return INTEGRATION if self.dice.random() < 0.1 else self._person()

    def _change(self, record_id: str, by: str, **values: object) -> None:
        fields = {f"{P}{key}__c": value for key, value in values.items()}
        self.delay_row()
        self.sf.update(INCIDENT, record_id, fields, by=by)

    # In PagerDuty -----------------------------------------------------------------------------

    def _monitoring(self) -> str:
        made = self.pd.trigger(
            self.dice.choice(SERVICES), f"{self.token} trouble{self.flourish(self.number)}"
        )
        return str(made["id"])

    def _alert_again(self) -> str | None:
        found = [
            (item.service_id, item.alerts[0].key)
            for item in self.pd.state.incidents.values()
            if item.is_open and item.alerts
        ]
        if not found:
            return None
        service, key = self.dice.choice(found)
        return str(self.pd.trigger(service, f"{self.token} again", key)["id"])

    def _by_hand(self) -> str:
        made = self.pd.create(
            self.dice.choice(SERVICES),
            f"{self.token} by hand{self.flourish(self.number)}",
            by=self._person(),
        )
        return str(made["id"])

    def _acknowledge(self) -> str | None:
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            self.pd.acknowledge(incident, by=self._anyone())
        return incident

    def _ack_runs_out(self) -> str | None:
        if incident := self._one(self._incidents("acknowledged")):
            self.pd.unacknowledge(incident)
        return incident

    def _resolve(self) -> str | None:
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            self.pd.resolve(incident, by=self.dice.choice([self._anyone(), None]))
        return incident

    def _reopen(self) -> str | None:
        found = [item for item in self._incidents("resolved") if not self._is_merged(item)]
        if incident := self._one(found):
            self.pd.reopen(incident, by=self._person())
            self.reopened.add(incident)
        return incident

    def _is_merged(self, incident_id: str) -> bool:
        return self.pd.state.incidents[incident_id].merged_into is not None

    def _note(self) -> str | None:
        if incident := self._one(self._incidents()):
            self.pd.annotate(
                incident, f"{self.token} note{self.flourish(self.number)}", by=self._anyone()
            )
        return incident

    def _repeat(self) -> str | None:
        """A person who uses the integration's account writes the same words as it did."""
        found = [
            (incident.id, note.content)
            for incident in self.pd.state.incidents.values()
            for note in incident.notes
            if note.user_id == INTEGRATION
            and note.content.startswith("[Raj Patel]")
            and note.content not in self.repeated
        ]
        if not found:
            return None
        incident_id, content = self.dice.choice(found)
        self.repeated.add(content)
        self.pd.annotate(incident_id, content, by=INTEGRATION)
        return f"{content!r} on {incident_id}"

    def _priority(self) -> str | None:
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            self.pd.set_priority(incident, f"P{self.dice.randrange(1, 6)}", by=self._person())
        return incident

    def _urgency(self) -> str | None:
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            self.pd.set_urgency(incident, self.dice.choice(["high", "low"]), by=self._person())
        return incident

    def _reassign(self) -> str | None:
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            whom = [JANE, SAM] if self.dice.random() < 0.4 else [self._person()]
            self.pd.reassign(incident, whom, by=self._person())
        return incident

    def _escalate(self) -> str | None:
        """By a person, or by the timer."""
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            by = self.dice.choice([self._person(), None])
            self.pd.escalate(incident, self.dice.choice([1, 2, 3]), by=by)
        return incident

    def _delegate(self) -> str | None:
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            self.pd.delegate(incident, self.dice.choice(["PEPNET1", "PEPDBA1"]), by=SAM)
        return incident

    def _acknowledge_twice(self) -> str | None:
        """Acknowledged, handed on and acknowledged again, mostly within the same second."""
        if incident := self._one(self._incidents("triggered")):
            self.pd.acknowledge(incident, by=self._person())
            self.pd.escalate(incident, self.dice.choice([1, 3]), by=self._person())
            if self.dice.random() < 0.7:
                self.pd.acknowledge(incident, by=self._person())
        return incident

    def _priorities(self) -> str | None:
        """Several changes of the priority within one second: the last one stands."""
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            for _ in range(self.dice.randrange(2, 6)):
                self.pd.set_priority(incident, f"P{self.dice.randrange(1, 6)}", by=self._person())
        return incident

    def _snooze(self) -> str | None:
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            self.pd.snooze(incident, 600, by=self._person())
        return incident

    def _retitle(self) -> str | None:
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            self.pd.set_title(incident, f"{self.token} new title")
        return incident

    def _move(self) -> str | None:
        if incident := self._one(self._incidents("triggered", "acknowledged")):
            self.pd.move_service(incident, self.dice.choice(SERVICES))
        return incident

    def _merge(self) -> str | None:
        is_open = self._incidents("triggered", "acknowledged")
        mergeable = [item for item in is_open if self.pd.state.incidents[item].is_mergeable]
        if len(is_open) < 2 or not mergeable:
            return None
        source = self.dice.choice(mergeable)
        target = self.dice.choice([item for item in is_open if item != source])
        self.pd.merge(target, [source], by=self._person())
        self.merged |= {source, target}
        return f"{source} into {target}"

    def _odd_entry(self) -> str | None:
        if incident := self._one(self._incidents()):
            kind = self.dice.choice(["notify", "status_update", "never_heard_of"])
            self.pd.add_entry(incident, f"{kind}_log_entry", "odd", by=self._person())
        return incident

    # In Salesforce ----------------------------------------------------------------------------

    def _record(self) -> str:
        values = {
            f"{P}shortDescription__c": f"{self.token} record{self.flourish(self.number)}",
            f"{P}FKCategory__c": self.id_of("Category", self.dice.choice(CATEGORIES[:2])),
            f"{P}FKPriority__c": self.id_of("Priority", self.dice.choice("1135")),
            f"{P}FKStatus__c": self.id_of("Status", "NEW"),
        }
        self.delay_row()
        return self.sf.insert(INCIDENT, values, by=RAJ)

    def _grade(self) -> str | None:
        if record := self._one(self._records(is_open=True)):
            level = self.dice.choice("11245")
            self._change(record, RAJ, FKPriority=self.id_of("Priority", level))
        return record and f"{record} to {level}"

    def _begin_work(self) -> str | None:
        if record := self._one(self._records(is_open=True)):
            self._change(record, RAJ, FKStatus=self.id_of("Status", "IN PROGRESS"))
        return record

    def _close(self) -> str | None:
        if record := self._one(self._records(is_open=True)):
            self._change(record, RAJ, FKStatus=self.id_of("Status", "CLOSED"))
        return record

    def _open_again(self) -> str | None:
        if record := self._one(self._records(is_open=False)):
            self._change(record, RAJ, FKStatus=self.id_of("Status", "ASSIGNED"))
        return record

    def _describe(self) -> str | None:
        if record := self._one(self._records(is_open=True)):
            self._change(
                record, RAJ, shortDescription=f"{self.token} described{self.flourish(self.number)}"
            )
        return record

    def _take(self) -> str | None:
        if record := self._one(self._records(is_open=True)):
            person = MAILS[self._person()]
            self.delay_row()
            self.sf.update(INCIDENT, record, {"OwnerId": self.sf.user_id(person)}, by=person)
        return record

    def _comment(self) -> str | None:
        if record := self._one(self._records(is_open=True)):
            by = OURS if self.dice.random() < SHARED_ACCOUNT else RAJ
            self.delay_row()
            self.sf.insert(
                HISTORY,
                {
                    f"{P}FKIncident__c": record,
                    f"{P}FKAction__c": self.id_of("Action", "Notes"),
                    f"{P}note__c": f"{self.token} comment{self.flourish(self.number)}",
                },
                by=by,
            )
        return record

    def _delete(self) -> str | None:
        if record := self._one(self._records()):
            self.delay_row()
            self.sf.delete(INCIDENT, record, by=RAJ)
        return record

    def _undelete(self) -> str | None:
        if record := self._one(self._records(is_deleted=True)):
            self.delay_row()
            self.sf.undelete(INCIDENT, record, by=RAJ)
        return record


DEEDS = {
    "monitoring": 6,
    "alert_again": 2,
    "by_hand": 1,
    "acknowledge": 7,
    "ack_runs_out": 2,
    "resolve": 5,
    "reopen": 2,
    "note": 9,
    "repeat": 2,
    "priority": 4,
    "urgency": 1,
    "reassign": 2,
    "escalate": 3,
    "delegate": 2,
    "acknowledge_twice": 2,
    "priorities": 1,
    "snooze": 1,
    "retitle": 2,
    "move": 1,
    "merge": 2,
    "odd_entry": 2,
    "record": 8,
    "grade": 7,
    "begin_work": 5,
    "close": 5,
    "open_again": 2,
    "describe": 4,
    "take": 3,
    "comment": 9,
    "delete": 1,
    "undelete": 2,
}
"""Every deed and how often it is done, as a weight."""
