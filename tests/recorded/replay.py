"""PagerDuty as a recording: entries in the API's own order, and the incident returned with them.

The daemon's own parts read it through the real client; only the network is replaced.
"""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx

FOLDER = Path(__file__).parent / "pagerduty"
PEOPLE = {
    "PUSER01": ("Ada", "ada@example.com"),
    "PUSER02": ("Bob", "bob@example.com"),
    "PUSER03": ("Cyd", "cyd@example.com"),
    "PUSER09": ("Integration", "integration@example.com"),
}


def names():
    return sorted(
        path.name.removesuffix(".expected.json") for path in FOLDER.glob("*.expected.json")
    )


def time_of(entry):
    return datetime.fromisoformat(entry["created_at"]).astimezone(UTC)


class Recording:
    """A case: what is returned when, and the expected result.

    ``now``: PagerDuty's clock, moved by the test. ``is_included``: whether entries include the current
    incident, as the API does on request.
    """

    def __init__(self, name, *, is_included):
        self.entries = json.loads((FOLDER / f"{name}.json").read_text())["log_entries"]
        self.expected = json.loads((FOLDER / f"{name}.expected.json").read_text())
        self.prelude = self.expected.get("prelude", [])
        self.is_included = is_included
        self.sent = []
        self.is_over = False
        self.now = self.times()[0] - timedelta(seconds=60)

    def times(self):
        """The seconds with an event, oldest first."""
        return sorted({time_of(entry) for entry in (*self.entries, *self.prelude)})

    @property
    def incident(self):
        """The current incident; None before it exists."""
        return self.expected["incident"] if self.is_over else self.expected["before"]

    def visible(self):
        """The current content of the log, newest first."""
        is_held_back = self.expected.get("after_write", False) and not self.sent
        entries = [*([] if is_held_back else self.entries), *self.prelude]
        return [entry for entry in entries if time_of(entry) <= self.now]

    def transport(self):
        return httpx.MockTransport(self._answer)

    def _answer(self, request):
        status, body = self._route(request.method, request.url, request)
        headers = {"Date": format_datetime(self.now, usegmt=True)}
        return httpx.Response(status, json=body, headers=headers)

    def _route(self, method, url, request):
        path = url.path.removesuffix("/")
        if method == "PUT" and path.startswith("/incidents/"):
            self.sent.append(json.loads(request.content)["incident"])
            self.is_over = True
            return 200, {"incident": self.incident}
        if path == "/log_entries":
            return 200, page("log_entries", self._between(url.params), url.params)
        if path == "/incidents":
            is_open = self.incident is not None and self.incident["status"] != "resolved"
            return 200, page("incidents", [self.incident] if is_open else [], url.params)
        if path.startswith("/incidents/"):
            found = self.incident
            return (404, {}) if found is None else (200, {"incident": found})
        if path == "/users":
            return 200, page("users", [user(key) for key in PEOPLE], url.params)
        if path.startswith("/users/") and path.rpartition("/")[2] in PEOPLE:
            return 200, {"user": user(path.rpartition("/")[2])}
        if path == "/services":
            return 200, page("services", [], url.params)
        return 404, {"error": {"message": "Not Found", "code": 2100}}

    def _between(self, params):
        since, until = (datetime.fromisoformat(params[key]) for key in ("since", "until"))
        found = [entry for entry in self.visible() if since <= time_of(entry) <= until]
        if self.is_included and self.incident is not None:
            found = [{**entry, "incident": self.incident} for entry in found]
        return found


def user(user_id):
    name, email = PEOPLE[user_id]
    return {"id": user_id, "type": "user", "name": name, "summary": name, "email": email}


def page(key, rows, params):
    offset = int(params.get("offset", 0))
    limit = int(params.get("limit", 25))
    shown = rows[offset : offset + limit]
    return {key: shown, "limit": limit, "offset": offset, "more": len(rows) > offset + limit}
