"""A seeded script of what people and monitoring do on both sides, with the expected results.

Each deed is stored with its expected result. A deed that would contradict an unfinished one (a second
status while the first has not arrived) waits: another test covers who wins then. Everything else
happens at any moment, also while the daemon is dead.

The script leaves out one thing that nobody can detect: a person sets a field back to the very value
that pagerforce has just replaced, before that write is known to be done. Salesforce shows only the
current record, which then looks as if the write had never arrived
(``tests/pipeline/test_unknown_outcomes.py`` has the case, as one that is expected to fail).
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kills.automation import CASE, plain
from rig import HISTORY, INCIDENT, INTEGRATION, JANE, RAJ, P

_STATUS, _PRIORITY = CHANGED = (f"{P}FKStatus__c", f"{P}FKPriority__c")
_NAMES = {RAJ: "Raj Patel", INTEGRATION: "Integration"}
_BOT = "PINTEG1"
_TELLABLE = timedelta(seconds=2)
_PEOPLE = {JANE: "Jane Doe", _BOT: "Integration"}


@dataclass
class Group:
    """One trouble: an incident and its records, with the expected final values.

    ``status``, ``priority``, ``case``: of the incident, of the Remedyforce record, of the case; None
    if nothing is expected. ``changed_at``: when one of them last changed. ``replaced``: what PagerDuty's
    last change replaced in Salesforce; no person sets that back. ``texts``: the expected notes or
    comments per incident or record.
    """

    kind: str
    title: str
    incident: str | None = None
    records: dict[str, str] = field(default_factory=dict)
    status: str = "triggered"
    record_status: str | None = None
    case_status: str | None = None
    priority: str | None = None
    changed_at: datetime | None = None
    replaced: set[str] = field(default_factory=set)
    texts: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.status == "resolved"

    @property
    def objects(self) -> tuple[str, ...]:
        both = (INCIDENT, CASE)
        return {"page": (INCIDENT,), "case": (CASE,), "monitored": both}[self.kind]

    @property
    def is_complete(self) -> bool:
        """Whether incident and records exist, as far as could be seen."""
        return self.incident is not None and len(self.records) == len(self.objects)

    def expect(self, where: str, text: str) -> None:
        self.texts.setdefault(where, []).append(text)


class Script:
    """Performs deeds, one at a time, and remembers them."""

    def __init__(self, desk, rng: random.Random, tell, heard) -> None:
        """``tell`` takes a line of history; ``heard`` returns the changes that the daemon has seen."""
        self.pd, self.sf = desk.pagerduty, desk.salesforce
        self.groups: list[Group] = []
        self.deeds: Counter[str] = Counter()
        self.human_entries: set[str] = set()
        self.human_comments: list[str] = []
        self.human_records: list[str] = []
        self.human_changes: Counter[tuple[str, str]] = Counter()
        self._rng = rng
        self._tell = tell
        self._heard = heard
        self._ids = {
            kind: {row["Name"]: row["Id"] for row in self.sf.rows(f"{P}{kind}__c")}
            for kind in ("Status", "Priority", "Category", "Action")
        }
        self._names = {
            row_id: name
            for kind in ("Status", "Priority")
            for name, row_id in self._ids[kind].items()
        }

    def act(self) -> None:
        """Performs one deed, or none if the chosen one is not possible now."""
        self._look()
        going = [group for group in self.groups if not group.is_over]
        if len(going) < 3 or (len(going) < 8 and self._rng.random() < 0.15):
            self._begin(self._rng.choice(("page", "case", "monitored")))
            return
        deed = self._rng.choices(
            (self._note, self._comment, self._priority, self._status, self._finish),
            (4, 4, 4, 4, 1),
        )[0]
        self._do(deed, self._rng.choice(going))

    def provoke(self, operation: str) -> None:
        """Performs a deed that leads to this request, if one is possible now."""
        self._look()
        if operation in ("incidents.create", "upsert"):
            self._begin("page" if operation == "incidents.create" else "monitored")
            return
        deeds = {
            "notes.create": (self._comment,),
            "create": (self._note,),
            "incidents.update": (self._status_here, self._priority_here),
            "update": (self._acknowledge, self._priority_there),
        }
        going = [group for group in self.groups if not group.is_over]
        self._rng.shuffle(going)
        any(self._do(deed, group) for deed in deeds.get(operation, ()) for group in going)

    def _do(self, deed, group: Group) -> bool:
        if not group.is_complete:
            return False
        before = len(self.pd.state.journal.entries)
        done = deed(group)
        if done:
            self.deeds[done.partition(" ")[0]] += 1
            self._tell(f"{done} [{group.title}]")
        self._keep_entries(before)
        return bool(done)

    def _keep_entries(self, before: int) -> None:
        self.human_entries |= set(list(self.pd.state.journal.entries)[before:])

    def _begin(self, kind: str) -> None:
        group = Group(kind, f"{kind} {len(self.groups)}")
        before = len(self.pd.state.journal.entries)
        if kind == "page":
            values = {
                f"{P}shortDescription__c": group.title,
                f"{P}FKCategory__c": self._ids["Category"]["Network"],
                _PRIORITY: self._ids["Priority"]["3"],
                _STATUS: self._ids["Status"]["NEW"],
            }
            group.records[INCIDENT] = self.sf.insert(INCIDENT, values, by=RAJ)
            group.record_status = "NEW"
            self.human_records.append(group.records[INCIDENT])
        elif kind == "case":
            values = {"Subject": group.title, "Priority": "High"}
            group.records[CASE] = self.sf.insert(CASE, values, by=RAJ)
            group.case_status = "New"
            self.human_records.append(group.records[CASE])
        else:
            group.incident = self.pd.trigger("PDBA001", group.title)["id"]
            group.record_status, group.case_status = "NEW", "New"
            self._keep_entries(before)
        self.groups.append(group)
        self.deeds[kind] += 1
        self._tell(f"{kind} [{group.title}]")

    def _look(self) -> None:
        """Finds what the daemon has created for groups that are not complete yet."""
        for group in self.groups:
            if group.is_complete:
                continue
            if group.incident is None:
                found = [
                    x["id"]
                    for x in self.pd.incidents()
                    if plain(x["title"]).endswith(f": {group.title}")
                ]
                group.incident = found[0] if found else None
            else:
                for name, column in ((INCIDENT, f"{P}shortDescription__c"), (CASE, "Subject")):
                    rows = [r["Id"] for r in self.sf.rows(name) if plain(r[column]) == group.title]
                    group.records |= {name: rows[0]} if rows else {}

    # Deeds: each returns what it did, or "" -------------------------------------------------------

    def _text(self, known: list[str]) -> str:
        """Mostly new words; sometimes exactly the same again, as another note."""
        if known and self._rng.random() < 0.15:
            return known[-1]
        return f"word {self._rng.randrange(10**6)}"

    def _note(self, group: Group) -> str:
        by = self._rng.choice((JANE, JANE, JANE, _BOT))
        text = self._text([x for x in group.texts.get(group.incident, []) if x[0] != "["])
        self.pd.annotate(group.incident, text, by=by)
        group.expect(group.incident, text)
        for record_id in group.records.values():
            group.expect(record_id, f"[PagerDuty - {_PEOPLE[by]}] {text}")
        return f"note {text!r} by {by}"

    def _comment(self, group: Group) -> str:
        by = self._rng.choice((RAJ, RAJ, RAJ, INTEGRATION))
        name = self._rng.choice(group.objects)
        record_id = group.records[name]
        text = self._text([x for x in group.texts.get(record_id, []) if x[0] != "["])
        if name == CASE:
            values = {"ParentId": record_id, "CommentBody": text}
            made = self.sf.insert("CaseComment", values, by=by)
        else:
            values = {f"{P}FKIncident__c": record_id, f"{P}note__c": text}
            values[f"{P}FKAction__c"] = self._ids["Action"]["Notes"]
            made = self.sf.insert(HISTORY, values, by=by)
        self.human_comments.append(made)
        group.expect(record_id, text)
        group.expect(group.incident, f"[{_NAMES[by]}] {text}")
        return f"comment {text!r} on {name} by {by}"

    def _priority(self, group: Group) -> str:
        is_here = self._rng.random() < 0.5
        return self._priority_here(group) if is_here else self._priority_there(group)

    def _priority_there(self, group: Group) -> str:
        number = self._other_priority(group)
        if number:
            row = self.sf.row(INCIDENT, group.records[INCIDENT])
            group.replaced = {self._names.get(row[_PRIORITY], "")}
            self.pd.set_priority(group.incident, f"P{number}", by=JANE)
        return f"priority P{number} in PagerDuty" if number else ""

    def _priority_here(self, group: Group) -> str:
        number = self._other_priority(group)
        if number:
            self._change(group, _PRIORITY, self._ids["Priority"][number])
        return f"priority {number} in Salesforce" if number else ""

    def _other_priority(self, group: Group) -> str:
        """A priority that neither side has; "" if none may be set now."""
        if INCIDENT not in group.records or not self._take(group):
            return ""
        row = self.sf.row(INCIDENT, group.records[INCIDENT])
        stands = {self._names.get(row[_PRIORITY]), (group.priority or "")[1:]} | group.replaced
        number = self._rng.choice([x for x in "12345" if x not in stands])
        group.priority = f"P{number}"
        return number

    def _take(self, group: Group) -> bool:
        """Whether status or priority may be changed now: no change of them is unfinished.

        Salesforce shows only the current record: a value that changes again before the daemon reads it
        was never visible. Both sides date to the second: of two changes within one second nobody knows
        which was newer.
        """
        now = self.sf.clock.now()
        if group.changed_at and now - group.changed_at < _TELLABLE:
            return False
        mine = {key: n for key, n in self.human_changes.items() if key[0] in group.records.values()}
        is_free = not self.open_wishes(group) and not (Counter(mine) - self._heard())
        if is_free:
            group.changed_at = now
        return is_free

    def _change(self, group: Group, name: str, value: str) -> None:
        record_id = group.records[INCIDENT]
        self.sf.update(INCIDENT, record_id, {name: value}, by=RAJ)
        self.human_changes[record_id, name] += 1

    def _status(self, group: Group) -> str:
        is_here = self._rng.random() < 0.5
        return self._status_here(group) if is_here else self._acknowledge(group)

    def _acknowledge(self, group: Group) -> str:
        if group.status != "triggered" or not self._take(group):
            return ""
        group.replaced = {group.record_status or ""}
        self.pd.acknowledge(group.incident, by=JANE)
        group.status = "acknowledged"
        group.record_status = "ACKNOWLEDGED"
        group.case_status = "Working"
        return "acknowledge in PagerDuty"

    def _status_here(self, group: Group) -> str:
        if group.kind == "case" or not self._take(group):
            return ""
        names = {"ACKNOWLEDGED", "IN PROGRESS", "ASSIGNED"}
        others = sorted(names - group.replaced - {group.record_status})
        name = self._rng.choice(others)
        self._change(group, _STATUS, self._ids["Status"][name])
        group.record_status = name
        if name == "ACKNOWLEDGED":
            group.status = "acknowledged"
        return f"status {name} in Salesforce"

    def _finish(self, group: Group) -> str:
        if not self._take(group):
            return ""
        is_here = self._rng.random() < 0.5
        if is_here:
            self.pd.resolve(group.incident, by=JANE)
            group.record_status, group.case_status = "CLOSED", "Closed"
        elif self.missing_texts(group):
            return ""  # a note still on its way would be refused by the closed record
        elif group.kind == "case":
            self.sf.update(CASE, group.records[CASE], {"Status": "Closed"}, by=RAJ)
            group.case_status = "Closed"
        else:
            self._change(group, _STATUS, self._ids["Status"]["CLOSED"])
            group.record_status = "CLOSED"
        group.status = "resolved"
        return "resolve in PagerDuty" if is_here else "close in Salesforce"

    # Actual against expected values --------------------------------------------------------------

    def open_wishes(self, group: Group) -> list[str]:
        """Expected status and priority values that have not arrived."""
        if not group.is_complete:
            return [f"{group.title}: {group.incident} with {sorted(group.records)} only"]
        incident = self.pd.incident(group.incident)
        pairs = [("incident status", incident["status"], group.status)]
        if INCIDENT in group.records:
            row = self.sf.row(INCIDENT, group.records[INCIDENT])
            pairs.append(("record status", self._names.get(row[_STATUS]), group.record_status))
            if group.priority:
                stands = (incident["priority"] or {}).get("summary")
                pairs.append(("incident priority", stands, group.priority))
                stands = self._names.get(row[_PRIORITY])
                pairs.append(("record priority", stands, group.priority[1:]))
        if CASE in group.records:
            row = self.sf.row(CASE, group.records[CASE])
            pairs.append(("case status", row["Status"], group.case_status))
        return [
            f"{group.title}: {what} is {is_} instead of {wanted}"
            for what, is_, wanted in pairs
            if is_ != wanted
        ]

    def texts_at(self, group: Group, where: str) -> Counter[str]:
        """The notes or comments of an incident or a record."""
        if where == group.incident:
            return Counter(plain(note["content"]) for note in self.pd.notes(where))
        if where == group.records.get(CASE):
            rows = [r["CommentBody"] for r in self.sf.rows("CaseComment") if r["ParentId"] == where]
        else:
            rows = [
                r[f"{P}note__c"] for r in self.sf.rows(HISTORY) if r[f"{P}FKIncident__c"] == where
            ]
        return Counter(plain(text) for text in rows)

    def missing_texts(self, group: Group) -> list[str]:
        places = [place for place in (group.incident, *group.records.values()) if place]
        return [
            f"{group.title}: {text!r} at {where}, {count} times"
            for where in places
            for text, count in (
                Counter(group.texts.get(where, ())) - self.texts_at(group, where)
            ).items()
        ]

    def extra_texts(self, group: Group) -> list[str]:
        places = [place for place in (group.incident, *group.records.values()) if place]
        return [
            f"{group.title}: {text!r} at {where}, {count} times too often"
            for where in places
            for text, count in (
                self.texts_at(group, where) - Counter(group.texts.get(where, ()))
            ).items()
        ]

    def is_settled(self) -> bool:
        self._look()
        return not any(self.open_wishes(x) or self.missing_texts(x) for x in self.groups)
