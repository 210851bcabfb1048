"""References and links in PagerDuty objects.

Fact: ``pagerduty.references-may-lack-links``.
"""

from dataclasses import dataclass

Json = dict[str, object]
"""A JSON object."""

_PATHS = {
    "user": ("users", "users"),
    "team": ("teams", "teams"),
    "service": ("services", "service-directory"),
    "escalation_policy": ("escalation_policies", "escalation_policies"),
    "priority": ("priorities", None),
    "incident": ("incidents", "incidents"),
    "incident_workflow": ("incident_workflows", "incident-workflows/workflows"),
    "response_play": ("response_plays", None),
}


@dataclass(frozen=True, slots=True)
class Links:
    """The URLs of the API and the web UI, without a final slash."""

    api_url: str = "https://api.pagerduty.com"
    web_url: str = "https://sandbox.pagerduty.com"

    def tag(self, kind: str, identifier: str, summary: str) -> Json:
        """The first fields of every object."""
        api_path, web_path = _PATHS[kind]
        return {
            "id": identifier,
            "type": kind,
            "summary": summary,
            "self": f"{self.api_url}/{api_path}/{identifier}",
            "html_url": None if web_path is None else f"{self.web_url}/{web_path}/{identifier}",
        }

    def reference(self, kind: str, identifier: str, summary: str) -> Json:
        """A reference to an object."""
        return {**self.tag(kind, identifier, summary), "type": f"{kind}_reference"}

    def entry_tag(self, kind: str, identifier: str, summary: str, incident_id: str | None) -> Json:
        """The first fields of a log entry, or of a reference to one."""
        query = "" if incident_id is None else f"?incident_id={incident_id}"
        page = f"{self.web_url}/incidents/{incident_id}/log_entries/{identifier}"
        return {
            "id": identifier,
            "type": kind,
            "summary": summary,
            "self": f"{self.api_url}/log_entries/{identifier}{query}",
            "html_url": None if incident_id is None else page,
        }
