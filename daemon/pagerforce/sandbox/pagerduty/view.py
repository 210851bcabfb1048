"""Shows incidents, log entries, notes and alerts as the API does.

``include[]`` decides between references and full objects; times are in the requested zone. Facts:
docs/vendors/pagerduty.md#log-entries and #incidents, and the schema.
"""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

from pagerforce.sandbox.pagerduty.directory_view import DirectoryView
from pagerforce.sandbox.pagerduty.journal import Entry
from pagerforce.sandbox.pagerduty.links import Json, Links
from pagerforce.sandbox.pagerduty.stamps import write_stamp
from pagerforce.sandbox.pagerduty.state import Alert, Incident, Note, ResponderRequest, State


@dataclass(frozen=True, slots=True)
class View:
    """Creates the JSON of one answer.

    Attributes:
        state: the account.
        links: the URLs of the API and the UI.
        include: the values of ``include[]``; unknown ones have no effect.
        zone: the zone of times.
    """

    state: State
    links: Links = field(default_factory=Links)
    include: frozenset[str] = frozenset()
    zone: tzinfo = UTC

    @property
    def directory(self) -> DirectoryView:
        """Shows users, services and so on."""
        return DirectoryView(self.state.directory, self.links)

    def stamp(self, moment: datetime) -> str:
        """An instant in the requested zone."""
        stamp = write_stamp(moment, self.zone)
        if self.state.holds("whole-seconds"):
            return stamp
        return f"{stamp[:19]}.250{stamp[19:]}"

    def incident_reference(self, incident: Incident) -> Json:
        """An incident, as a reference."""
        return self.links.reference("incident", incident.id, _summary(incident))

    def incident(self, incident: Incident) -> Json:
        """An incident, as it is now."""
        shown = {
            **self.links.tag("incident", incident.id, _summary(incident)),
            "incident_number": incident.number,
            "title": incident.title,
            "created_at": self.stamp(incident.created_at),
            "updated_at": self.stamp(incident.updated_at),
            "status": incident.status,
            "incident_key": None if incident.alerts else incident.incident_key,
            "urgency": incident.urgency,
            "assigned_via": incident.assigned_via,
            "incident_type": {"name": incident.type_name},
            "teams": [],
            "pending_actions": [
                {"type": action.type, "at": self.stamp(action.at)} for action in incident.pending
            ],
            **self._status(incident),
            **self._related(incident),
            **self._alert_facts(incident),
        }
        if "conference_bridge" in self.include:
            shown["conference_bridge"] = incident.conference_bridge
        if "body" in self.include:
            shown["body"] = {"type": "incident_body", "details": incident.body}
        if "custom_fields" in self.include:
            shown["custom_fields"] = self.custom_values(incident)
        return shown

    def _status(self, incident: Incident) -> Json:
        changed_at = incident.last_status_change_at
        if incident.status == "triggered":  # the schema has this condition
            changed_at = incident.updated_at
        agent = incident.last_status_change_by
        merged: Json | None = None
        if incident.merged_into is not None:
            target = self.state.incidents[incident.merged_into]
            merged = {"type": "merge_resolve_reason", "incident": self.incident_reference(target)}
        return {
            "resolved_at": None
            if incident.resolved_at is None
            else self.stamp(incident.resolved_at),
            "last_status_change_at": self.stamp(changed_at),
            "last_status_change_by": (
                None if agent is None else self._agent(agent.type, agent.id, "agents")
            ),
            "resolve_reason": merged,
            "assignments": [
                {
                    "at": self.stamp(item.at),
                    "assignee": self._agent("user", item.user_id, "assignees"),
                }
                for item in incident.assignments
            ],
            "acknowledgements": [
                {
                    "at": self.stamp(item.at),
                    "acknowledger": self._agent(item.agent.type, item.agent.id, "acknowledgers"),
                }
                for item in incident.acknowledgements
            ],
        }

    def _related(self, incident: Incident) -> Json:
        show, data = self.directory, self.state.directory
        service = show.service_ref(incident.service_id)
        if "services" in self.include:
            service = show.service(data.services[incident.service_id])
        policy = show.policy_reference(incident.policy_id)
        if "escalation_policies" in self.include:
            policy = show.policy(data.policies[incident.policy_id])
        priority: Json | None = None
        if incident.priority_id is not None and self.state.plan.priorities:
            priority = show.priority_reference(incident.priority_id)
            if "priorities" in self.include:
                priority = show.priority(data.priorities[incident.priority_id])
        return {
            "service": service,
            "escalation_policy": policy,
            "priority": priority,
            "first_trigger_log_entry": self._first_entry(incident),
        }

    def _first_entry(self, incident: Incident) -> Json:
        entry = self.state.journal.entries[incident.first_entry_id]
        if "first_trigger_log_entries" in self.include:
            return replace(self, include=frozenset()).entry(entry)
        kind = f"{entry.type}_reference"
        return self.links.entry_tag(kind, entry.id, entry.summary, incident.id)

    def _alert_facts(self, incident: Incident) -> Json:
        alerts = incident.alerts
        resolved = sum(alert.resolved_at is not None for alert in alerts)
        return {
            "alert_counts": {
                "all": len(alerts),
                "triggered": len(alerts) - resolved,
                "resolved": resolved,
            },
            "alert_grouping": None,
            "is_mergeable": incident.is_mergeable,
            "incidents_responders": self._responders(incident),
            "responder_requests": [
                self.responder_request(incident, request) for request in incident.responder_requests
            ],
        }

    def _responders(self, incident: Incident) -> list[Json]:
        return [
            {
                "state": "pending",
                "user": self.directory.user_reference(user_id),
                "incident": self.incident_reference(incident),
                "updated_at": self.stamp(request.at),
                "message": request.message,
                "requester": self.directory.user_reference(request.requester_id),
                "requested_at": self.stamp(request.at),
            }
            for request in incident.responder_requests
            for user_id in request.user_ids
        ]

    def responder_request(self, incident: Incident, request: ResponderRequest) -> Json:
        """A responder request."""
        targets = [("user_reference", user_id) for user_id in request.user_ids]
        targets += [("escalation_policy_reference", policy_id) for policy_id in request.policy_ids]
        return {
            "incident": self.incident_reference(incident),
            "requester": self.directory.user_reference(request.requester_id),
            "requested_at": self.stamp(request.at),
            "message": request.message,
            "responder_request_targets": [
                {"responder_request_target": {"type": kind, "id": identifier}}
                for kind, identifier in targets
            ],
        }

    def entry(self, entry: Entry) -> Json:
        """A log entry. Its incident, if included, shows the current state."""
        if entry.raw is not None:
            return {**entry.raw}
        shown: Json = {
            **self.links.entry_tag(entry.type, entry.id, entry.summary, entry.incident_id),
            "created_at": self.stamp(entry.created_at),
            "agent": None,
            "channel": deepcopy(entry.channel),
            "teams": [],
            "contexts": [],
            "event_details": {},
        }
        if "channels" not in self.include:
            shown["channel"] = {"type": entry.channel["type"]}
        if entry.agent_type is not None and entry.agent_id is not None:
            shown["agent"] = self.directory.agent_reference(entry.agent_type, entry.agent_id)
        if entry.service_id is not None:
            shown["service"] = self.directory.service_ref(entry.service_id)
            if "services" in self.include:
                service = self.state.directory.services[entry.service_id]
                shown["service"] = self.directory.service(service)
        if entry.incident_id is not None:
            shown["incident"] = self._incident_of(entry.incident_id)
        return {**shown, **self._extras(entry)}

    def _incident_of(self, incident_id: str) -> Json:
        incident = self.state.incidents[incident_id]
        if "incidents" in self.include and self.state.knobs.has_incidents_in_entries:
            # only the incident itself is included: its references stay references
            return replace(self, include=frozenset()).incident(incident)
        return self.incident_reference(incident)

    def _extras(self, entry: Entry) -> Json:
        extras: Json = deepcopy(dict(entry.fields))
        if entry.assignees is not None:
            extras["assignees"] = [self.directory.user_reference(one) for one in entry.assignees]
        if entry.user_id is not None:
            extras["user"] = self.directory.user_reference(entry.user_id)
        if entry.linked_incident_id is not None:
            linked = self.state.incidents[entry.linked_incident_id]
            extras["linked_incident"] = self.incident_reference(linked)
        return extras

    def note(self, note: Note) -> Json:
        """A note."""
        return {
            "id": note.id,
            "user": self.directory.user_reference(note.user_id),
            "channel": {"summary": "The PagerDuty website or APIs"},
            "content": note.content,
            "created_at": self.stamp(note.created_at),
            "updated_at": self.stamp(note.updated_at),
        }

    def alert(self, alert: Alert) -> Json:
        """An alert."""
        incident = self.state.incidents[alert.incident_id]
        path = f"alerts/{alert.id}"
        kind = "trigger_log_entry_reference"
        summary = self.state.journal.entries[alert.entry_id].summary
        return {
            "id": alert.id,
            "type": "alert",
            "summary": alert.summary,
            "self": f"{self.links.api_url}/incidents/{incident.id}/{path}",
            "html_url": f"{self.links.web_url}/{path}",
            "created_at": self.stamp(alert.created_at),
            "status": "triggered" if alert.resolved_at is None else "resolved",
            "alert_key": alert.key,
            "severity": alert.severity,
            "suppressed": False,
            "service": self.directory.service_ref(alert.service_id),
            "incident": self.incident_reference(incident),
            "first_trigger_log_entry": self.links.entry_tag(
                kind, alert.entry_id, summary, incident.id
            ),
            "body": {"type": "alert_body", "contexts": [], "details": alert.details},
        }

    def custom_values(self, incident: Incident) -> list[Json]:
        """The values of an incident's custom fields; null if there is none."""
        kind = self.state.directory.find_type(incident.type_name)
        return [
            {
                "id": item.id,
                "type": "field_value",
                "name": item.name,
                "display_name": item.display_name,
                "description": None,
                "data_type": item.data_type,
                "field_type": item.field_type,
                "value": incident.custom_values.get(item.name),
            }
            for item in (kind.fields if kind is not None else ())
        ]

    def _agent(self, kind: str, identifier: str, included_as: str) -> Json:
        if included_as in self.include or (kind == "user" and "users" in self.include):
            return self.directory.agent(kind, identifier)
        return self.directory.agent_reference(kind, identifier)


def _summary(incident: Incident) -> str:
    return f"[#{incident.number}] {incident.title}"
