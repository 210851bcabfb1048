"""Finds the incident of an earlier attempt. Fact: ``pagerduty.key-hidden-by-alerts``.

The key comes first. Only pagerforce uses it, so it identifies the incident on any service. An
incident that has received alerts shows no key of its own: then its title identifies it, or, if
somebody has changed the title, its trigger entry.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from pagerforce.errors import MalformedError
from pagerforce.model.incident import Incident
from pagerforce.model.value import format_whole_second
from pagerforce.pagerduty.actions.origin import Origins
from pagerforce.pagerduty.client import PagerDutyClient, Params, Raw
from pagerforce.pagerduty.decode import decode_incident, decode_rows
from pagerforce.pagerduty.open_incidents import OPEN_STATUSES

_MOST_LISTED = 1_000
_MOST_ASKED = 200
"""Trigger entries are read one by one; in a storm other pages wait meanwhile."""


class Wanted(Struct, frozen=True):
    """The known facts about an incident that may exist.

    Attributes:
        key: its incident key.
        titles: its possible original titles.
        service_id: its original service.
        since / until: the time range of its creation.
        tried_at: the approximate time of its creation.
    """

    key: str
    titles: frozenset[str]
    service_id: str
    since: datetime
    until: datetime
    tried_at: datetime


async def find_page(client: PagerDutyClient, origins: Origins, wanted: Wanted) -> Incident | None:
    """The incident, or None if there is none.

    Raises:
        RemoteError: the search has no result; an unreadable row may be the incident.
    """
    keyed = {"incident_key": wanted.key, "time_zone": "UTC"}
    window = {
        "since": format_whole_second(wanted.since),
        "until": format_whole_second(wanted.until),
        "time_zone": "UTC",
    }
    listed: list[tuple[Incident, Raw]] = []
    for params, is_old in (
        ({**keyed, "statuses[]": list(OPEN_STATUSES), "date_range": "all"}, True),
        ({**keyed, **window, "statuses[]": ["resolved"]}, False),
        # The key filter does not find an incident that has received alerts.
        ({**window, "service_ids[]": [wanted.service_id], "sort_by": "created_at:desc"}, False),
    ):
        listed = [x for x in await _list(client, params) if is_old or _is_new(x[0], wanted)]
        for incident, _ in listed:
            if _is_it(incident, wanted):
                return incident
    return await _find_by_origin(origins, listed, wanted)


async def _list(client: PagerDutyClient, params: Params) -> list[tuple[Incident, Raw]]:
    """The newest incidents of a list, each decoded and raw."""
    found: list[tuple[Incident, Raw]] = []
    offset = 0
    while offset < _MOST_LISTED:
        page = await client.fetch_incidents(params, offset)
        pairs, flaws = decode_rows(page.rows, lambda raw: (decode_incident(raw), raw), "incident")
        if flaws:
            # It may be the wanted incident: no conclusion is better than a duplicate.
            raise MalformedError(f"incidents.list: {flaws[0].where} {flaws[0].what}")
        found += pairs
        offset += len(page.rows)
        if not page.more or not page.rows:
            break
    return found


def _is_it(incident: Incident, wanted: Wanted) -> bool:
    """Compares key or title. PagerDuty may apply filters loosely, so each row is checked again."""
    is_there = incident.service is None or incident.service.id == wanted.service_id
    is_named = incident.title in wanted.titles and is_there
    return incident.incident_key == wanted.key or (incident.incident_key is None and is_named)


def _is_new(incident: Incident, wanted: Wanted) -> bool:
    return incident.created_at is None or incident.created_at >= wanted.since


async def _find_by_origin(
    origins: Origins, listed: Sequence[tuple[Incident, Raw]], wanted: Wanted
) -> Incident | None:
    """One without a key and with another title; those closest to the time of the attempt first."""
    nameless = [item for item in listed if item[0].incident_key is None]
    nameless.sort(key=lambda item: abs((item[0].created_at or wanted.tried_at) - wanted.tried_at))
    names = {wanted.key, *wanted.titles}
    for incident, raw in nameless[:_MOST_ASKED]:
        if await origins.names(raw) & names:
            return incident
    return None
