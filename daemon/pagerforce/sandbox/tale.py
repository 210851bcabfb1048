"""The script of the demo: acts of people and monitoring, and the effects that must follow."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio

from pagerforce.sandbox.running import RunningSandbox
from pagerforce.sandbox.story import Story

if TYPE_CHECKING:
    from pagerforce.sandbox.demo import Crew

RAJ = "raj.patel@example.com"
JANE, SAM = "PJANE01", "PSAMLE1"
_P = "BMCServiceDesk__"
INCIDENT, HISTORY = f"{_P}Incident__c", f"{_P}IncidentHistory__c"
BURST = 50

Row = dict[str, Any]
Look = Callable[[], str | None]


async def tell(story: Story, desk: RunningSandbox, crew: "Crew") -> None:
    """Plays the whole story."""
    tale = _Tale(story, desk, crew)
    await tale.before()
    await tale.page()
    await tale.talk()
    await tale.monitoring()
    await tale.burst()
    await tale.end()


class _Tale:
    def __init__(self, story: Story, desk: RunningSandbox, crew: "Crew") -> None:
        self.story, self.desk, self.crew = story, desk, crew
        self.pd, self.sf = desk.pagerduty, desk.salesforce
        self.record_id = self.incident_id = ""

    # Reading the sandbox -------------------------------------------------------------------------

    def id_of(self, kind: str, name: str) -> str:
        return self.sf.find_id(f"{_P}{kind}__c", Name=name)

    def name_of(self, kind: str, row_id: object) -> str:
        return str(self.sf.row(f"{_P}{kind}__c", str(row_id))["Name"]) if row_id else "none"

    def record(self, record_id: str) -> Row:
        return self.sf.row(INCIDENT, record_id)

    def status(self, record_id: str) -> str:
        return self.name_of("Status", self.record(record_id)[f"{_P}FKStatus__c"])

    def incidents_of(self, record_id: str) -> list[Row]:
        """Incidents that name the record in their title."""
        name = str(self.record(record_id)["Name"])
        return [item for item in self.pd.incidents() if name in str(item["title"])]

    def open_record(self, text: str, category: str, priority: str) -> str:
        return self.sf.insert(
            INCIDENT,
            {
                f"{_P}shortDescription__c": text,
                f"{_P}FKCategory__c": self.id_of("Category", category),
                f"{_P}FKPriority__c": self.id_of("Priority", priority),
                f"{_P}FKStatus__c": self.id_of("Status", "NEW"),
            },
            by=RAJ,
        )

    def set_priority(self, record_id: str, priority: str) -> None:
        values = {f"{_P}FKPriority__c": self.id_of("Priority", priority)}
        self.sf.update(INCIDENT, record_id, values, by=RAJ)

    # Chapters ------------------------------------------------------------------------------------

    async def before(self) -> None:
        """Records from before the first start cause no flood."""
        self.story.chapter("the first start")
        old_id = self.open_record("An old priority 1, being worked on", "Network", "1")
        old = self.pd.trigger("PNET001", "An old incident")
        self.story.deed(
            "before", f"record {self.record(old_id)['Name']} and incident {old['id']} are open"
        )
        await anyio.sleep(1.0)  # stamps are whole seconds: later changes get another one
        is_ready = await self.crew.start()
        self.story.fact(
            "the daemon is ready", "the daemon is ready: both sides were read" if is_ready else None
        )
        is_quiet = not self.incidents_of(old_id) and len(self.sf.rows(INCIDENT)) == 1
        self.story.fact(
            "the baseline is silent",
            "the old ones caused no page and no record" if is_quiet else None,
        )

    async def page(self) -> None:
        """Priority 1 pages the service of the category; the acknowledgement comes back."""
        self.story.chapter("a record is raised to priority 1")
        self.record_id = self.open_record("Core switch down", "Network", "3")
        name = self.record(self.record_id)["Name"]
        self.story.deed("Raj", f"opens record {name}, category Network, priority 3")
        await anyio.sleep(1.0)
        self.set_priority(self.record_id, "1")
        self.story.deed("Raj", f"raises {name} to priority 1")
        await self.story.effect("a page on the category's service", self._paged)
        if not self.incident_id:
            return
        self.pd.acknowledge(self.incident_id, by=JANE)
        self.story.deed("Jane", f"acknowledges {self.incident_id} in PagerDuty")
        await self.story.effect("the record's status follows", self._status_is("ACKNOWLEDGED"))
        await self.story.effect("the record's owner follows", self._owner_is_jane)

    def _paged(self) -> str | None:
        found = self.incidents_of(self.record_id)
        if len(found) != 1 or found[0]["service"]["id"] != "PNET001":
            return None
        self.incident_id = found[0]["id"]
        return f"opened incident {self.incident_id} on service Network: {found[0]['title']}"

    def _status_is(self, wanted: str) -> Look:
        def look() -> str | None:
            status = self.status(self.record_id)
            return f"set the record's status to {status}" if status == wanted else None

        return look

    def _owner_is_jane(self) -> str | None:
        owner = str(self.record(self.record_id)["OwnerId"])
        name = self.sf.row("User", owner)["Name"] if owner.startswith("005") else "a queue"
        return f"made {name} the record's owner" if name == "Jane Doe" else None

    async def talk(self) -> None:
        """Notes and comments are copied once, and a resolve closes the record."""
        if not self.incident_id:
            return
        self.story.chapter("notes both ways, then resolved")
        self.pd.annotate(self.incident_id, "Replacing the line card", by=JANE)
        self.story.deed("Jane", "writes a note: Replacing the line card")
        await self.story.effect("the note becomes a comment", lambda: self._comment("line card"))
        values = {
            f"{_P}FKIncident__c": self.record_id,
            f"{_P}FKAction__c": self.id_of("Action", "Notes"),
            f"{_P}note__c": "Second floor is back",
        }
        self.sf.insert(HISTORY, values, by=RAJ)
        self.story.deed("Raj", "comments in Remedyforce: Second floor is back")
        await self.story.effect("the comment becomes a note", lambda: self._note("Second floor"))
        self.pd.resolve(self.incident_id, by=JANE)
        self.story.deed("Jane", f"resolves {self.incident_id}")
        await self.story.effect("the record is closed", self._status_is("CLOSED"))

    def _comments(self, text: str) -> list[str]:
        rows = [row for row in self.sf.rows(HISTORY) if row[f"{_P}FKIncident__c"] == self.record_id]
        return [str(row[f"{_P}note__c"]) for row in rows if text in str(row[f"{_P}note__c"])]

    def _comment(self, text: str) -> str | None:
        found = self._comments(text)
        return f"copied the note as a comment: {found[0]}" if len(found) == 1 else None

    def _notes(self, text: str) -> list[str]:
        notes = self.pd.notes(self.incident_id)
        return [str(note["content"]) for note in notes if text in str(note["content"])]

    def _note(self, text: str) -> str | None:
        found = self._notes(text)
        return f"copied the comment as a note: {found[0]}" if len(found) == 1 else None

    async def monitoring(self) -> None:
        """An incident from monitoring gets its record; closing the record resolves it."""
        self.story.chapter("monitoring finds something")
        incident_id = str(self.pd.trigger("PDBA001", "Replication lag above 60 s")["id"])
        self.story.deed("monitoring", f"triggers {incident_id} on service Database")
        await self.story.effect(
            "a record for the incident", lambda: self._monitored("Replication lag")
        )
        rows = self._rows_about("Replication lag")
        if len(rows) != 1:
            return
        await anyio.sleep(1.0)
        values = {f"{_P}FKStatus__c": self.id_of("Status", "CLOSED")}
        self.sf.update(INCIDENT, str(rows[0]["Id"]), values, by=RAJ)
        self.story.deed("Raj", f"closes record {rows[0]['Name']}")

        def resolved() -> str | None:
            status = self.pd.incident(incident_id)["status"]
            return f"resolved {incident_id}" if status == "resolved" else None

        await self.story.effect("the incident is resolved", resolved)

    def _rows_about(self, text: str) -> list[Row]:
        return [r for r in self.sf.rows(INCIDENT) if text in str(r[f"{_P}shortDescription__c"])]

    def _monitored(self, text: str) -> str | None:
        rows = self._rows_about(text)
        if len(rows) != 1:
            return None
        category = self.name_of("Category", rows[0][f"{_P}FKCategory__c"])
        return f"created record {rows[0]['Name']}, category {category}, and linked it"

    async def burst(self) -> None:
        """Fifty at once, the daemon killed in the middle: nothing lost, nothing twice."""
        self.story.chapter(f"a burst of {BURST}, and a kill in the middle")
        ids = [self.open_record(f"Alarm {n + 1}", "Database", "3") for n in range(BURST)]
        await anyio.sleep(1.0)
        for record_id in ids:
            self.set_priority(record_id, "1")
        self.story.deed("Raj", f"raises {BURST} records to priority 1 at once")

        def some() -> str | None:
            count = self._paged_count(ids)
            return f"has opened {count} incidents so far" if count >= BURST // 3 else None

        await self.story.effect("the first incidents of the burst", some)
        await self.crew.kill()
        self.story.deed(
            "somebody", f"kills the daemon (SIGKILL) after {self._paged_count(ids)} incidents"
        )
        is_ready = await self.crew.start()
        self.story.fact(
            "the daemon starts again", "the daemon is back and ready" if is_ready else None
        )
        await self.story.effect(f"{BURST} incidents", lambda: self._all_paged(ids), patience=20.0)

    def _paged_count(self, ids: list[str]) -> int:
        return sum(bool(self.incidents_of(record_id)) for record_id in ids)

    def _all_paged(self, ids: list[str]) -> str | None:
        counts = [len(self.incidents_of(record_id)) for record_id in ids]
        is_whole = counts == [1] * len(ids)
        return f"opened {sum(counts)} incidents for {len(ids)} records" if is_whole else None

    async def end(self) -> None:
        """After a quiet moment, the state of both sides is compared with the story."""
        self.story.chapter("the end")
        await anyio.sleep(2.5)  # an echo or a doubled note would be visible now
        if self.incident_id:
            self.story.fact("the note was copied once", self._comment("line card"))
            self.story.fact("the comment was copied once", self._note("Second floor"))
        records = len(self.sf.rows(INCIDENT))
        expected = 1 + 1 + 1 + BURST
        self.story.fact(
            "no record came back as another",
            f"{records} records in Remedyforce, none doubled" if records == expected else None,
        )
        links = json.loads(await self.crew.ask("links", "list", "--json") or "[]")
        wanted = BURST + 2
        self.story.fact(
            f"{wanted} links",
            f"{len(links)} links in the database" if len(links) == wanted else None,
        )
        failed = json.loads(await self.crew.ask("failed", "list", "--json") or "[]")
        self.story.fact("no dead letters", "no dead letters" if not failed else None)
        seconds = await self.crew.stop()
        self.story.fact(
            "SIGTERM ends the daemon in order",
            f"SIGTERM: the daemon stopped within {seconds:.1f} s" if seconds is not None else None,
        )
