"""The initial account of every sandbox."""

from pagerforce.sandbox.clock import SandboxClock
from pagerforce.sandbox.pagerduty.directory import (
    ApiKey,
    CustomField,
    Directory,
    EscalationPolicy,
    IncidentType,
    Priority,
    Service,
    User,
    Workflow,
)
from pagerforce.sandbox.pagerduty.world import PagerDutyWorld

ACCOUNT_KEY = "sandbox-account-key"
"""An account key: writes need the ``From`` header."""

READ_ONLY_KEY = "sandbox-read-only-key"
"""An account key that may only read."""

USER_KEY = "sandbox-user-key"
"""Jane Doe's own key."""


def seeded_world(clock: SandboxClock) -> PagerDutyWorld:
    """An account with two services, two people on call, and the integration's user."""
    return PagerDutyWorld(clock, _directory())


def _directory() -> Directory:
    users = (
        User("PINTEG1", "integration@example.com", "Integration"),
        User("PJANE01", "jane.doe@example.com", "Jane Doe"),
        User("PSAMLE1", "sam.lee@example.com", "Sam Lee"),
    )
    policies = (
        EscalationPolicy("PEPNET1", "Network on call", [("PJANE01",), ("PSAMLE1",)]),
        EscalationPolicy("PEPDBA1", "Database on call", [("PSAMLE1",), ("PJANE01",)]),
    )
    services = (
        Service("PNET001", "Network", "PEPNET1"),
        Service("PDBA001", "Database", "PEPDBA1"),
    )
    priorities = [Priority(f"PPRIO0{number}", f"P{number}") for number in range(1, 6)]
    ticket = CustomField("PFIELD1", "ticket", "Ticket")
    base_type = IncidentType("PTYPE01", "incident_default", "Base Incident", [ticket])
    workflow = Workflow("PWFLOW1", "Bridge call", "Opens a conference bridge")
    keys = (ApiKey(ACCOUNT_KEY), ApiKey(READ_ONLY_KEY, read_only=True), ApiKey(USER_KEY, "PJANE01"))
    return Directory(
        users={user.id: user for user in users},
        policies={policy.id: policy for policy in policies},
        services={service.id: service for service in services},
        priorities={priority.id: priority for priority in priorities},
        workflows={workflow.id: workflow},
        response_plays={"PPLAY01": "Major incident"},
        incident_types={base_type.id: base_type},
        keys={key.key: key for key in keys},
    )
