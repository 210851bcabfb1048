"""The stream of change events: does the org offer it, may the user see all of it, how much is left."""

from collections.abc import Mapping

from msgspec import Struct

from pagerforce.config.checkline import CheckLine, ok, remark, todo
from pagerforce.config.load import Loaded
from pagerforce.errors import RefusedError
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.soql import Select
from pagerforce.salesforce.stream.channels import topic_text
from pagerforce.salesforce.stream.line import StreamLine
from pagerforce.salesforce.stream.probe import Probed, probe
from pagerforce.service.checks.asking import GAVE_UP, Asking, GaveUpError
from pagerforce.service.checks.sharing import view_all

_WHAT = "stream of {object}"
_ALLOCATION = "stream, delivered events"
_LIMIT = "DailyDeliveredPlatformEvents"
_SHORT = 0.1  # of the allocation

REFUSED = todo(
    "stream.refused",
    "stream",
    "{said}: polls keep poll_interval meanwhile. Correct this, or set salesforce.stream to off",
)
NO_EVENTS = remark(
    "stream.no_events",
    _WHAT,
    "not announced ({said}), so polls keep poll_interval. Choose {object} in Setup, Change Data"
    " Capture. If the edition has none of it, run this in the Developer Console: {topic}",
)
NOT_ALL = remark(
    "stream.not_all",
    _WHAT,
    "the integration user lacks View All Records on {object}: its change events may be silently"
    " missing. Give it to the user; polls find the changes all the same",
)
RIGHTS_UNKNOWN = remark(
    "stream.rights_unknown",
    _WHAT,
    "View All Records could not be verified ({reason}): without it change events are silently missing",
)
EVENTS_SHORT = remark(
    "stream.events_short",
    _ALLOCATION,
    "{edition}: only {left} of {allowed} a day are left, for all clients of the org. When they are"
    " used up the stream is down and polls keep poll_interval: see what else subscribes",
)
EVENTS_UNKNOWN = remark(
    "stream.events_unknown",
    _ALLOCATION,
    "{edition}: the org does not say how many are left ({said})",
)

ADVICE = (REFUSED, NO_EVENTS, NOT_ALL, RIGHTS_UNKNOWN, EVENTS_SHORT, EVENTS_UNKNOWN)


class StreamCheck(Struct, frozen=True):
    """One look at the stream; ``names``: the polled objects and comment objects."""

    loaded: Loaded
    client: SalesforceClient
    line: StreamLine
    names: tuple[str, ...]
    asking: Asking

    async def run(self) -> list[CheckLine]:
        """Everything, one request after the other."""
        lines: list[CheckLine] = []
        try:
            probed = await self.asking.ask("stream", self._probe)
            if isinstance(probed, CheckLine):
                return [probed]
            lines += self._offered(probed)
            lines += await self._rights(tuple(sorted(probed.by_events)))
            lines.append(await self.asking.ask(_ALLOCATION, self._allocation))
        except GaveUpError:
            lines.append(GAVE_UP.line(system="Salesforce"))
        return lines

    async def _probe(self) -> Probed:
        return await probe(self.line, self.names)

    def _offered(self, probed: Probed) -> list[CheckLine]:
        version = self.loaded.config.salesforce.api_version
        lines = [REFUSED.line(said=probed.end.reason)] if probed.end is not None else []
        lines += [
            NO_EVENTS.line(object=name, said=said, topic=topic_text(name, version))
            for name, said in probed.refused
        ]
        by_topic = sorted(probed.by_topic)
        return lines + [ok(f"{_WHAT.format(object=name)}: by its PushTopic") for name in by_topic]

    async def _rights(self, names: tuple[str, ...]) -> list[CheckLine]:
        """Change events follow View All Records alone; a subscription proves nothing."""
        if not names:
            return []
        seen = await self.asking.ask("stream, View All", lambda: view_all(self.client, names))
        if seen is None or isinstance(seen, CheckLine):
            reason = "no permission sets shown" if seen is None else seen.remedy
            return [RIGHTS_UNKNOWN.line(object=name, reason=reason) for name in names]
        return [
            ok(f"{_WHAT.format(object=name)}: by its change events")
            if name in seen
            else NOT_ALL.line(object=name)
            for name in names
        ]

    async def _allocation(self) -> CheckLine:
        edition = await self._edition()
        try:
            limits = await self.client.fetch_limits()
        except RefusedError as error:
            return EVENTS_UNKNOWN.line(edition=edition, said=error)
        found = limits.get(_LIMIT)
        allowed, left = (
            (found.get("Max"), found.get("Remaining"))
            if isinstance(found, Mapping)
            else (None, None)
        )
        if not isinstance(allowed, int) or not isinstance(left, int):
            return EVENTS_UNKNOWN.line(edition=edition, said=f"no {_LIMIT} in /limits")
        if left <= allowed * _SHORT:
            return EVENTS_SHORT.line(edition=edition, left=left, allowed=allowed)
        return ok(f"{_ALLOCATION}: {edition}: {left} of {allowed} left of the last 24 hours")

    async def _edition(self) -> str:
        """The org's edition, on which the allocation depends."""
        query = Select("Organization", ("OrganizationType",), limit=1).text()
        try:
            rows = await self.client.query_to_end(query)
        except RefusedError:
            return "edition unknown"
        return str(rows[0].get("OrganizationType")) if rows else "edition unknown"
