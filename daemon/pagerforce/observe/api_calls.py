"""The allowed values of the labels ``operation`` and ``code`` of ``pagerforce_api_requests_total``.

Any other value counts as ``other``, so that no answer of a server can create new series.
"""

from collections.abc import Mapping
from http import HTTPStatus

from pagerforce.model.ids import Side

OTHER = "other"

OPERATIONS: Mapping[Side, Mapping[str, str]] = {
    Side.PAGERDUTY: {
        "abilities.list": "200",
        "escalation_policies.get": "200",
        "escalation_policies.list": "200",
        "incident_workflows.get": "200",
        "incident_workflows.list": "200",
        "incident_workflows.start": "201",
        "incidents.create": "201",
        "incidents.get": "200",
        "incidents.list": "200",
        "incidents.log_entries": "200",
        "incidents.update": "200",
        "incidents.update_many": "200",
        "log_entries.get": "200",
        "log_entries.list": "200",
        "notes.create": "201",
        "notes.list": "200",
        "priorities.get": "200",
        "priorities.list": "200",
        "response_plays.get": "200",
        "response_plays.list": "200",
        "response_plays.run": "200",
        "services.get": "200",
        "services.list": "200",
        "services.time": "200",
        "status_updates.create": "200",
        "users.get": "200",
        "users.list": "200",
        "users.me": "200",
    },
    Side.SALESFORCE: {
        "composite": "200",
        "create": "201",
        "create_many": "200",
        "delete": "204",
        "describe": "200",
        "limits": "200",
        "login": "200",
        "query": "200",
        "stream": "200",
        "update": "200",
        "update_many": "200",
        "updated": "200",
        "upsert": "201",
    },
}
"""Every operation of pagerforce's clients, with the code of its usual success."""

NO_ANSWER = "error"
"""``wire.transport.NO_ANSWER_CODE``: the request went out and no answer came."""

TROUBLE_CODES = ("401", "403", "429", "500", "503", NO_ANSWER)
"""Codes that alerts use: each operation has them from the start, so that a rate sees the first."""

CODES = frozenset({str(status.value) for status in HTTPStatus} | {NO_ANSWER})


def operation_label(system: Side, operation: str) -> str:
    """The operation, or ``other`` if it is not one of pagerforce's."""
    return operation if operation in OPERATIONS[system] else OTHER


def code_label(code: str) -> str:
    """The status, or ``other`` if it is not registered."""
    return code if code in CODES else OTHER
