"""``pagerduty.create_incident``: the page. Facts: pagerduty.md section 6.

The incident key is deterministic and unique to the action. PagerDuty refuses a second open incident
with it on the same service, but not one after the first is resolved: after a lost answer both are
looked for before anything is sent again, whatever became of its key, its title and its service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from pagerforce.errors import RefusedError, TransientError, UnknownOutcomeError
from pagerforce.model.action import OVERTAKEN, ActionSpec, Task
from pagerforce.model.incident import Incident
from pagerforce.model.keys import IncidentKey
from pagerforce.model.lengths import cut
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, Expectation, IncidentMade, Skipped, Verdict
from pagerforce.pagerduty.actions.advice import is_too_long
from pagerforce.pagerduty.actions.desk import Desk, Writer, text, verbatim
from pagerforce.pagerduty.actions.handler import Handler
from pagerforce.pagerduty.actions.lost_page import Wanted, find_page
from pagerforce.pagerduty.actions.origin import Origins
from pagerforce.pagerduty.actions.service_choice import carried_service, choose_service
from pagerforce.pagerduty.actions.specs import URGENCIES
from pagerforce.pagerduty.client import Raw
from pagerforce.pagerduty.decode import decode_incident
from pagerforce.pagerduty.refusals import DuplicateKeyError

MAX_TITLE = 1024
"""The REST API documents no limit for a title; this is the one of an alert's summary in the Events
API, which becomes the title. No page may fail for want of a shorter title."""
SAFE_TITLE = 255
"""What a title is cut to where PagerDuty refuses a longer one."""

_CLOCK_MARGIN = timedelta(hours=1)
_LONGEST_LOOK_BACK = timedelta(days=30)
"""``since`` may reach back six months; no attempt is older than this."""


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be created, every name resolved, and by whom."""

    service_id: str
    key: str
    body: Raw
    writer: Writer
    remark: str


class CreateIncident(Handler):
    """Creates an incident, or finds the one an earlier attempt created."""

    def __init__(self, spec: ActionSpec, desk: Desk) -> None:
        super().__init__(spec, desk)
        self._origins = Origins(desk.client)

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:
        writer, _ = await self._writer(task, await self._assignee(args))
        title = cut(text(args.get("title")), MAX_TITLE)
        return (Expectation("incident", _key(task), {"title": title}, writer.user_id),)

    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:
        order = await self._order(task, args)
        if task.is_uncertain:
            found = await self._look_up(task, order)
            if found is not None:
                return _adopt(found)
        if task.is_overtaken:
            return Skipped(OVERTAKEN)
        try:
            raw, order = await self._send(order)
        except DuplicateKeyError as error:
            found = await self._look_up(task, order)
            if found is not None:
                return _adopt(found)
            message = "PagerDuty has an incident with this key but does not show it yet"
            raise TransientError(message, status=error.status, code=error.code) from error
        try:
            incident = decode_incident(raw)
        except ValueError as error:
            message = f"incidents.create: the incident in the answer {error}"
            raise UnknownOutcomeError(message) from error
        return Delivered(f"created {incident.id}{order.remark}", (IncidentMade(incident),))

    async def _send(self, order: _Order) -> tuple[Raw, _Order]:
        """Creates it, with a shorter title where this one is refused; what came of which order."""
        client, email = self._desk.client, order.writer.email
        try:
            return await client.send_incident(order.body, email), order
        except DuplicateKeyError:
            raise
        except RefusedError as error:
            title = str(order.body["title"])
            shorter = cut(title, SAFE_TITLE)
            if shorter == title or not is_too_long(error):
                raise
        remark = f"{order.remark}, title cut to {SAFE_TITLE} characters"
        order = replace(order, body={**order.body, "title": shorter}, remark=remark)
        return await client.send_incident(order.body, email), order

    async def _order(self, task: Task, args: Mapping[str, Json]) -> _Order:
        desk = self._desk
        if wanted := text(args.get("service")):
            service_id = (await desk.service(wanted)).id
        else:
            # The mappings may need Salesforce; a page that can do without must not wait for it.
            service_id = carried_service(task, desk.config) or choose_service(
                task, desk.config, await desk.mappings.resolve()
            )
        assignee = await self._assignee(args)
        writer, remark = await self._writer(task, assignee)
        title = _title(args)
        shown = cut(title, MAX_TITLE)
        if shown != title:
            remark += f", title cut to {MAX_TITLE} characters"
        body: dict[str, object] = {
            "type": "incident",
            "title": shown,
            "service": {"id": service_id, "type": "service_reference"},
            "incident_key": _key(task),
        }
        if urgency := _urgency(args):
            body["urgency"] = urgency
        if wanted := text(args.get("priority")):
            priority = await desk.priority(wanted)
            body["priority"] = {"id": priority.id, "type": "priority_reference"}
        if details := verbatim(args.get("body")):
            body["body"] = {"type": "incident_body", "details": details}
        if assignee is not None:
            body["assignments"] = [{"assignee": {"id": assignee, "type": "user_reference"}}]
        elif wanted := text(args.get("escalation_policy")):
            policy = await desk.escalation_policy(wanted)
            body["escalation_policy"] = {"id": policy.id, "type": "escalation_policy_reference"}
        return _Order(service_id, _key(task), body, writer, remark)

    async def _assignee(self, args: Mapping[str, Json]) -> str | None:
        users = await self._desk.user_ids(args.get("assignees"))
        if len(users) > 1:
            raise RefusedError(
                "PagerDuty takes one assignee for a new incident: name one, or an escalation "
                "policy, then retry it"
            )
        return users[0] if users else None

    async def _writer(self, task: Task, assignee: str | None) -> tuple[Writer, str]:
        """As whom to create it, and a remark.

        An incident whose creator is its assignee is acknowledged from the start and wakes nobody:
        the integration user then stands in for the person.
        """
        writer = await self._desk.writer_of(task)
        if assignee is None or writer.user_id != assignee:
            return writer, ""
        stand_in = await self._desk.integration()
        if stand_in.user_id != assignee:
            return stand_in, ""
        return stand_in, ", acknowledged from the start: its assignee is the integration user"

    async def _look_up(self, task: Task, order: _Order) -> Incident | None:
        """The incident that an earlier attempt made, if it did."""
        tried_at = task.first_attempt_at or task.event_at
        since = max(tried_at - _CLOCK_MARGIN, task.now - _LONGEST_LOOK_BACK)
        if task.doubt_since is not None:
            since = min(since, task.doubt_since - _CLOCK_MARGIN)
        wanted = Wanted(
            key=order.key,
            titles=_titles(order),
            service_id=order.service_id,
            since=since,
            until=task.now + timedelta(days=1),
            tried_at=tried_at,
        )
        return await find_page(self._desk.client, self._origins, wanted)


def _key(task: Task) -> str:
    if task.record_id is None:
        raise ValueError(f"{task.do} came without a record")
    return str(IncidentKey(task.object, task.record_id, task.key))


def _titles(order: _Order) -> frozenset[str]:
    """The titles under which an attempt may have made it."""
    title = str(order.body["title"])
    return frozenset((title, cut(title, SAFE_TITLE)))


def _adopt(incident: Incident) -> Delivered:
    return Delivered(f"found {incident.id} by its incident key", (IncidentMade(incident),))


def _title(args: Mapping[str, Json]) -> str:
    title = text(args.get("title"))
    if not title:
        raise RefusedError("the title is empty: correct the rule or the record, then retry it")
    return title


def _urgency(args: Mapping[str, Json]) -> str:
    urgency = text(args.get("urgency")).lower()
    if urgency and urgency not in URGENCIES:
        raise RefusedError(f"the urgency is {urgency!r}: make it high or low, then retry it")
    return urgency
