"""Adds names and e-mails to the user references of log entries and incidents."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from pagerforce.errors import MalformedError, RefusedError, TransientError
from pagerforce.model.incident import Incident, LogEntry, Person
from pagerforce.model.ports import Flaw
from pagerforce.pagerduty.decode import without_future
from pagerforce.pagerduty.directory import Directory


class People:
    """Resolves the people of one batch. A person who cannot be resolved stays as referenced.

    Args:
        directory: looks up users.
        latest: later times of an incident are invalid.

    Attributes:
        flaws: the people who could not be resolved, and why.
    """

    def __init__(self, directory: Directory, latest: datetime) -> None:
        self._directory = directory
        self._latest = latest
        self._known: dict[str, Person | None] = {}
        self._completed: dict[int, tuple[Incident, Incident]] = {}
        self._is_down = False
        self.flaws: list[Flaw] = []

    async def complete_entry(self, entry: LogEntry) -> LogEntry:
        """The entry with complete people: its agent, its assignees and its incident's assignees."""
        is_user = entry.agent_type == "user"
        agent = await self._complete(entry.agent) if is_user else entry.agent
        assignees, current = entry.assignees, entry.current
        if assignees is not None:
            assignees = await self._complete_all(assignees)
        if current is not None:
            current = await self.complete_incident(current)
        if agent is entry.agent and assignees == entry.assignees and current is entry.current:
            return entry
        return replace(entry, agent=agent, assignees=assignees, current=current)

    async def complete_incident(self, incident: Incident) -> Incident:
        """The incident with its assignees completed."""
        # Entries with the same state of an incident share one object (pagerduty/decode.py).
        known = self._completed.get(id(incident))
        if known is None:
            dated = without_future(incident, self._latest)
            if dated is not incident:
                self.flaws.append(Flaw(f"incident {incident.id}", "has a time in the future"))
            people = await self._complete_all(incident.assignees)
            is_same = people == incident.assignees
            known = incident, dated if is_same else replace(dated, assignees=people)
            self._completed[id(incident)] = known
        return known[1]

    async def _complete_all(self, people: Iterable[Person]) -> tuple[Person, ...]:
        return tuple([await self._complete(person) for person in people])

    async def _complete(self, person: Person) -> Person:
        if person.id is None or (person.name and person.email):
            return person
        if person.id not in self._known:
            self._known[person.id] = await self._find(person.id)
        found = self._known[person.id]
        if found is None:
            return person
        return Person(person.id, found.name or person.name, found.email or person.email)

    async def _find(self, user_id: str) -> Person | None:
        if self._is_down:
            return None
        try:
            return await self._directory.find_user(user_id)
        except (RefusedError, MalformedError) as error:
            self.flaws.append(Flaw(f"user {user_id}", f"cannot be looked up: {error}"))
        except TransientError as error:
            # The log itself could be read: names are no reason to delay a page.
            self._is_down = True
            self.flaws.append(Flaw("users", f"cannot be looked up now: {error}"))
        return None
