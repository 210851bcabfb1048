"""The original texts of an incident, from its trigger entry, which nobody can change.

An incident with alerts shows no key of its own, and its title may have been changed since. The log
keeps the original of both. Fact: ``pagerduty.trigger-entry-keeps-event``.
"""

from collections.abc import Mapping

from pagerforce.errors import RefusedError
from pagerforce.pagerduty.client import PagerDutyClient, Raw

_NAMES = ("incident_key", "subject", "summary", "description")
_MOST_KEPT = 2_000


class Origins:
    """Reads trigger entries, each once: they never change."""

    def __init__(self, client: PagerDutyClient) -> None:
        self._client = client
        self._known: dict[str, frozenset[str]] = {}

    async def names(self, incident: Raw) -> frozenset[str]:
        """The original key and titles of an incident, as far as its trigger entry has them.

        Args:
            incident: as listed by the API.

        Raises:
            RemoteError: PagerDuty could not be reached.
        """
        first = incident.get("first_trigger_log_entry")
        entry_id = first.get("id") if isinstance(first, Mapping) else None
        if not isinstance(entry_id, str):
            return frozenset()
        found = self._known.get(entry_id)
        return await self._ask(entry_id) if found is None else found

    async def _ask(self, entry_id: str) -> frozenset[str]:
        try:
            entry = await self._client.fetch_log_entry(entry_id)
        except RefusedError:
            return frozenset()  # not visible yet or to this key, or gone with its incident
        channel = entry.get("channel")
        values = [channel.get(name) for name in _NAMES] if isinstance(channel, Mapping) else []
        names = frozenset(value for value in values if isinstance(value, str) and value)
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[entry_id] = names
        return names
