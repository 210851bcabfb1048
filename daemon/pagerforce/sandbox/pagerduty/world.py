"""The sandbox's PagerDuty account, with what people and monitoring do in it.

Every method that changes an incident writes the log entries of the real account, at the clock's
whole second, and returns a separate copy of the API's JSON. People are given by user id;
``by=None`` is the service itself.
"""

from collections.abc import Mapping, Sequence

from pagerforce.sandbox.clock import SandboxClock
from pagerforce.sandbox.pagerduty import edits, lifecycle
from pagerforce.sandbox.pagerduty.directory import Directory, Plan
from pagerforce.sandbox.pagerduty.entries import Story, record, record_notification, service_actor
from pagerforce.sandbox.pagerduty.journal import Entry, EntryOrder
from pagerforce.sandbox.pagerduty.links import Json
from pagerforce.sandbox.pagerduty.state import Actor, Agent, Incident, Knobs, Run, State
from pagerforce.sandbox.pagerduty.view import View


class PagerDutyWorld:
    """One account.

    Attributes:
        state: the account's state; the endpoints use the same one.
    """

    def __init__(self, clock: SandboxClock, directory: Directory | None = None) -> None:
        self.state = State(clock=clock, directory=directory or Directory())

    @property
    def plan(self) -> Plan:
        """The features of the account's plan."""
        return self.state.plan

    @property
    def knobs(self) -> Knobs:
        """Differences between real accounts."""
        return self.state.knobs

    @property
    def workflow_runs(self) -> Sequence[Run]:
        """The workflows that were started, in order."""
        return tuple(self.state.workflow_runs)

    @property
    def play_runs(self) -> Sequence[Run]:
        """The response plays that were run, in order."""
        return tuple(self.state.play_runs)

    # Knobs

    def hide_new_entries(self, seconds: float) -> None:
        """New entries keep their time, but become visible this many seconds later; 0 ends it."""
        self.state.journal.hide_seconds = seconds

    def order_entries(self, order: EntryOrder) -> None:
        """Sets the order of lists of entries."""
        self.state.journal.order = order

    def hide_incident(self, incident_id: str) -> None:
        """Hides an incident and its entries from the API, as a lost permission does."""
        self.state.hidden.add(self._incident(incident_id).id)

    # Reading

    def incident(self, incident_id: str) -> Json:
        """An incident by id or number.

        Raises:
            LookupError: there is none.
        """
        return self._show(self._incident(incident_id))

    def incidents(self) -> list[Json]:
        """All incidents, oldest first."""
        return [self._show(incident) for incident in self.state.incidents.values()]

    def notes(self, incident_id: str) -> list[Json]:
        """An incident's notes, oldest first."""
        return [View(self.state).note(note) for note in self._incident(incident_id).notes]

    def entries(self, incident_id: str | None = None) -> list[Json]:
        """All log entries, or those of an incident, oldest first, with hidden ones, in full."""
        view = View(self.state, include=frozenset({"channels"}))
        entries = self.state.journal.entries.values()
        return [view.entry(one) for one in entries if incident_id in (None, one.incident_id)]

    # Monitoring

    def trigger(
        self,
        service_id: str,
        title: str,
        incident_key: str | None = None,
        urgency: str = "high",
        details: Mapping[str, object] | None = None,
        *,
        severity: str = "critical",
    ) -> Json:
        """Monitoring reports trouble; an event with the key of an open incident joins that one."""
        if service_id not in self.state.directory.services:
            raise LookupError(f"there is no service {service_id}")
        key = incident_key or self.state.ids.make_key("dedup key")
        event = lifecycle.MonitoringEvent(
            service_id, title, key, urgency, severity, dict(details or {})
        )
        return self._show(lifecycle.open_by_event(self.state, event))

    def find_open(self, service_id: str, incident_key: str) -> Json | None:
        """The open incident of a service with this key, if there is one."""
        found = self.state.find_open(service_id, incident_key)
        return None if found is None else self._show(found)

    # People

    def create(
        self,
        service_id: str,
        title: str,
        *,
        by: str,
        urgency: str = "high",
        body: str | None = None,
    ) -> Json:
        """A person opens an incident in the UI."""
        new = lifecycle.NewIncident(title, service_id, urgency, body=body, made_by_hand=True)
        return self._show(lifecycle.open_by_user(self.state, new, self._person(by)))

    def acknowledge(self, incident_id: str, by: str | None = None) -> Json:
        """A person or monitoring acknowledges; a person who was not assigned is assigned."""
        incident = self._open(incident_id)
        lifecycle.acknowledge(self.state, incident, self._actor(incident, by, "api"))
        return self._show(incident)

    def unacknowledge(self, incident_id: str) -> Json:
        """The acknowledgement times out."""
        incident = self._open(incident_id)
        lifecycle.unacknowledge(self.state, incident, service_actor(incident, "timeout"))
        return self._show(incident)

    def resolve(
        self,
        incident_id: str,
        by: str | None = None,
        resolution: str | None = None,
        *,
        channel: str = "auto",
    ) -> Json:
        """A person or the service resolves it: ``channel`` auto, timeout or api."""
        incident = self._open(incident_id)
        lifecycle.resolve(self.state, incident, self._actor(incident, by, channel), resolution)
        return self._show(incident)

    def reopen(self, incident_id: str, by: str, status: str = "triggered") -> Json:
        """A person reopens a resolved incident; no entry."""
        incident = self._incident(incident_id)
        if incident.is_open:
            raise ValueError(f"incident {incident_id} is not resolved")
        lifecycle.reopen(self.state, incident, self._person(by), status=status)
        return self._show(incident)

    def merge(self, target_id: str, source_ids: Sequence[str], by: str) -> Json:
        """A person merges incidents into an open one, which is returned."""
        target = self._open(target_id)
        sources = [self._incident(source_id) for source_id in source_ids]
        lifecycle.merge(self.state, target, sources, self._person(by))
        return self._show(target)

    def reassign(self, incident_id: str, user_ids: Sequence[str], by: str | None = None) -> Json:
        """A person or the service assigns it to users."""
        incident = self._open(incident_id)
        edits.assign(self.state, incident, tuple(user_ids), self._actor(incident, by))
        return self._show(incident)

    def escalate(self, incident_id: str, level: int | None = None, by: str | None = None) -> Json:
        """Escalates to a level of the policy, by default the next; without ``by``: by timeout."""
        incident = self._open(incident_id)
        wanted = level or incident.level + 1
        edits.escalate(self.state, incident, wanted, self._actor(incident, by, "timeout"))
        return self._show(incident)

    def delegate(self, incident_id: str, policy_id: str, by: str) -> Json:
        """A person delegates it to another escalation policy."""
        incident = self._open(incident_id)
        edits.delegate(self.state, incident, policy_id, self._person(by))
        return self._show(incident)

    def annotate(self, incident_id: str, content: str, by: str) -> Json:
        """A person adds a note, which is returned."""
        incident = self._incident(incident_id)
        note = edits.annotate(self.state, incident, content, self._person(by))
        return View(self.state).note(note)

    def set_priority(self, incident_id: str, name: str | None, by: str) -> Json:
        """A person sets the priority by name, or clears it."""
        incident = self._incident(incident_id)
        priority = None if name is None else self.state.directory.find_priority(name)
        if priority is None and name is not None:
            raise LookupError(f"there is no priority {name}")
        edits.set_priority(self.state, incident, priority, self._person(by))
        return self._show(incident)

    def set_urgency(self, incident_id: str, urgency: str, by: str | None = None) -> Json:
        """A person or the service sets the urgency."""
        incident = self._incident(incident_id)
        edits.set_urgency(self.state, incident, urgency, self._actor(incident, by))
        return self._show(incident)

    def snooze(self, incident_id: str, seconds: int, by: str) -> Json:
        """A person snoozes it; acknowledges it first if needed."""
        incident = self._open(incident_id)
        if incident.status == "triggered":
            lifecycle.acknowledge(self.state, incident, self._person(by))
        edits.snooze(self.state, incident, seconds, self._person(by))
        return self._show(incident)

    def set_title(self, incident_id: str, title: str) -> Json:
        """A person changes the title; no entry."""
        incident = self._incident(incident_id)
        edits.set_title(self.state, incident, title, Actor(None, "website"))
        return self._show(incident)

    def move_service(self, incident_id: str, service_id: str) -> Json:
        """A person moves it to another service; no entry."""
        if service_id not in self.state.directory.services:
            raise LookupError(f"there is no service {service_id}")
        incident = self._incident(incident_id)
        edits.move_service(self.state, incident, service_id)
        return self._show(incident)

    def set_conference_bridge(self, incident_id: str, number: str, url: str) -> Json:
        """A person sets the conference bridge; no entry."""
        incident = self._incident(incident_id)
        bridge = {"conference_number": number, "conference_url": url}
        edits.set_conference_bridge(self.state, incident, bridge)
        return self._show(incident)

    def set_custom_field(self, incident_id: str, name: str, value: object, by: str) -> Json:
        """A person sets a custom field."""
        incident = self._incident(incident_id)
        field = self.state.directory.find_field(name)
        if field is None:
            raise LookupError(f"there is no custom field {name}")
        edits.set_custom_value(self.state, incident, field, value, self._person(by))
        return self._show(incident)

    def custom_action(self, incident_id: str, name: str, by: str) -> Json:
        """A person runs a custom incident action; returns the entry."""
        incident = self._incident(incident_id)
        actor = self._person(by)
        return self._entry(edits.run_custom_action(self.state, incident, name, actor))

    def notify(self, incident_id: str, user_id: str, times: int = 1) -> list[Json]:
        """The account notifies a user this many times; returns the entries."""
        incident = self._incident(incident_id)
        made = [record_notification(self.state, incident, user_id) for _ in range(times)]
        return [self._entry(entry) for entry in made]

    def add_entry(
        self,
        incident_id: str,
        entry_type: str,
        summary: str,
        by: str | None = None,
        *,
        channel: Mapping[str, object] | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> Json:
        """Writes an entry of any type, known or not; by nobody if ``by`` is not given."""
        incident = self._incident(incident_id)
        actor = Actor(None, "auto") if by is None else self._person(by)
        story = Story(entry_type, summary, dict(channel or {}), fields=dict(fields or {}))
        return self._entry(record(self.state, incident, actor, story))

    def add_raw_entry(self, incident_id: str, row: Mapping[str, object]) -> None:
        """Puts a row into the lists unchanged, even if malformed."""
        incident = self._incident(incident_id)
        entry = record(self.state, incident, Actor(None, "auto"), Story("raw_log_entry", ""))
        entry.raw = dict(row)

    def _incident(self, incident_id: str) -> Incident:
        found = self.state.find_incident(incident_id, hidden_too=True)
        if found is None:
            raise LookupError(f"there is no incident {incident_id}")
        return found

    def _open(self, incident_id: str) -> Incident:
        incident = self._incident(incident_id)
        if not incident.is_open:
            raise ValueError(f"incident {incident_id} is resolved")
        return incident

    def _person(self, user_id: str) -> Actor:
        if user_id not in self.state.directory.users:
            raise LookupError(f"there is no user {user_id}")
        return Actor(Agent("user", user_id), "website")

    def _actor(self, incident: Incident, by: str | None, channel: str = "auto") -> Actor:
        return service_actor(incident, channel) if by is None else self._person(by)

    def _show(self, incident: Incident) -> Json:
        return View(self.state).incident(incident)

    def _entry(self, entry: Entry) -> Json:
        return View(self.state, include=frozenset({"channels"})).entry(entry)
