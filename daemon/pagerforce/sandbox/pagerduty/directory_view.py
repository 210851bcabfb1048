"""Shows users, services, policies, priorities and workflows as the API does.

Facts: docs/vendors/pagerduty.md#reference-data-and-actions, and the schema.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime

from pagerforce.sandbox.pagerduty.directory import (
    CustomField,
    Directory,
    EscalationPolicy,
    IncidentType,
    Priority,
    Service,
    User,
    Workflow,
)
from pagerforce.sandbox.pagerduty.links import Json, Links
from pagerforce.sandbox.pagerduty.stamps import write_stamp

_CREATED = write_stamp(datetime(2024, 1, 1, tzinfo=UTC))
"""The creation time of everything in the directory: long ago."""


@dataclass(frozen=True, slots=True)
class DirectoryView:
    """Creates the JSON of the directory's objects, full or as references."""

    directory: Directory
    links: Links

    def user_reference(self, user_id: str) -> Json:
        """A user, as a reference."""
        return self.links.reference("user", user_id, self.directory.users[user_id].name)

    def user(self, user: User) -> Json:
        """A user, in full."""
        return {
            **self.links.tag("user", user.id, user.name),
            "name": user.name,
            "email": user.email,
            "time_zone": user.time_zone,
            "color": "green",
            "role": user.role,
            "avatar_url": f"{self.links.web_url}/avatars/blank.png",
            "description": None,
            "invitation_sent": False,
            "job_title": None,
            "teams": [],
            "contact_methods": [],
            "notification_rules": [],
        }

    def agent_reference(self, kind: str, identifier: str) -> Json:
        """A user or service, as a reference."""
        return self.user_reference(identifier) if kind == "user" else self.service_ref(identifier)

    def agent(self, kind: str, identifier: str) -> Json:
        """A user or service, in full."""
        if kind == "user":
            return self.user(self.directory.users[identifier])
        return self.service(self.directory.services[identifier])

    def service_ref(self, service_id: str) -> Json:
        """A service, as a reference."""
        return self.links.reference("service", service_id, self.directory.services[service_id].name)

    def service(self, service: Service, include: AbstractSet[str] = frozenset()) -> Json:
        """A service, in full."""
        policy = self.policy_reference(service.policy_id)
        if "escalation_policies" in include:
            policy = self.policy(self.directory.policies[service.policy_id])
        return {
            **self.links.tag("service", service.id, service.name),
            "name": service.name,
            "description": service.description,
            "created_at": _CREATED,
            "status": service.status,
            "auto_resolve_timeout": service.auto_resolve_timeout or None,
            "acknowledgement_timeout": service.acknowledgement_timeout or None,
            "escalation_policy": policy,
            "incident_urgency_rule": {"type": "constant", "urgency": "high"},
            "support_hours": None,
            "scheduled_actions": [],
            "teams": [],
            "integrations": [],
            "addons": [],
            "alert_creation": "create_alerts_and_incidents",
        }

    def policy_reference(self, policy_id: str) -> Json:
        """An escalation policy, as a reference."""
        name = self.directory.policies[policy_id].name
        return self.links.reference("escalation_policy", policy_id, name)

    def policy(self, policy: EscalationPolicy) -> Json:
        """An escalation policy, in full."""
        services = self.directory.services.values()
        return {
            **self.links.tag("escalation_policy", policy.id, policy.name),
            "name": policy.name,
            "description": "",
            "num_loops": 0,
            "on_call_handoff_notifications": "if_has_services",
            "escalation_rules": [
                {
                    "id": f"{policy.id}L{number}",
                    "escalation_delay_in_minutes": policy.delay_minutes,
                    "targets": [self.user_reference(user_id) for user_id in level],
                }
                for number, level in enumerate(policy.levels, start=1)
            ],
            "services": [self.service_ref(s.id) for s in services if s.policy_id == policy.id],
            "teams": [],
        }

    def priority_reference(self, priority_id: str) -> Json:
        """A priority, as a reference; its summary is its name."""
        name = self.directory.priorities[priority_id].name
        return self.links.reference("priority", priority_id, name)

    def priority(self, priority: Priority) -> Json:
        """A priority, in full."""
        return {
            **self.links.tag("priority", priority.id, priority.name),
            "name": priority.name,
            "description": priority.description,
        }

    def workflow(self, workflow: Workflow, include: AbstractSet[str] = frozenset()) -> Json:
        """An incident workflow."""
        steps: Json = {"steps": []} if "steps" in include else {}
        return {
            **self.links.tag("incident_workflow", workflow.id, workflow.name),
            "name": workflow.name,
            "description": workflow.description,
            "created_at": _CREATED,
            "is_enabled": True,
            "team": None,
            **steps,
        }

    def response_play(self, play_id: str, name: str) -> Json:
        """A response play."""
        return {
            **self.links.tag("response_play", play_id, name),
            "name": name,
            "description": None,
            "team": None,
            "subscribers": [],
            "responders": [],
            "runnability": "services",
        }

    def workflow_trigger(self, workflow: Workflow) -> Json:
        """The manual trigger that every workflow of the sandbox has, on all services."""
        reference = self.links.tag("incident_workflow", workflow.id, workflow.name)
        path = f"incident_workflows/triggers/{workflow.id}T"
        return {
            "id": f"{workflow.id}T",
            "type": "workflow_trigger",
            "summary": None,
            "self": f"{self.links.api_url}/{path}",
            "html_url": None,
            "trigger_type": "manual",
            "trigger_type_name": "Manual Trigger",
            "trigger_url": f"{self.links.api_url}/{path}/start",
            "is_subscribed_to_all_services": True,
            "services": [],
            "workflow": {**reference, "type": "workflow_reference", "name": workflow.name},
            "permissions": {"restricted": False},
        }

    def incident_type(self, kind: IncidentType) -> Json:
        """An incident type."""
        return {
            "id": kind.id,
            "type": "incident_type",
            "name": kind.name,
            "display_name": kind.display_name,
            "description": None,
            "enabled": True,
            "parent": None,
            "created_at": _CREATED,
            "updated_at": _CREATED,
        }

    def custom_field(self, field: CustomField, kind: IncidentType) -> Json:
        """The definition of a custom field."""
        return {
            "id": field.id,
            "type": "field",
            "summary": field.name,
            "self": f"{self.links.api_url}/incidents/types/{kind.id}/custom_fields/{field.id}",
            "enabled": True,
            "name": field.name,
            "display_name": field.display_name,
            "description": None,
            "data_type": field.data_type,
            "field_type": field.field_type,
            "default_value": None,
            "incident_type": kind.display_name,
            "namespace": "incidents",
            "field_options": [],
            "created_at": _CREATED,
            "updated_at": _CREATED,
        }
