"""``pagerduty.create_incident``: the page. Fact: ``pagerduty.key-free-after-resolve``.

The incident key is deterministic and unique to the action. PagerDuty refuses a second open incident
with this key on the same service, but accepts it after the first is resolved. So after a lost
answer open and resolved incidents are searched before anything is sent again, whatever happened to
the key, the title and the service meanwhile.
"""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.errors import RefusedError, TransientError, UnknownOutcomeError
from pagerforce.model.action import (
    OVERTAKEN,
    ActionSpec,
    Cost,
    Param,
    ParamKind,
    TargetKind,
    Task,
    Thing,
)
from pagerforce.model.durations import SIDES_APART
from pagerforce.model.expectation import Expectation, PageExpected
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident
from pagerforce.model.keys import IncidentKey
from pagerforce.model.lengths import cut
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, IncidentMade, Skipped, Verdict
from pagerforce.pagerduty.actions.handler import Handler
from pagerforce.pagerduty.actions.lost_page import Wanted, find_page
from pagerforce.pagerduty.actions.niceties import SAFE_TITLE, Page, without_refused
from pagerforce.pagerduty.actions.origin import Origins
from pagerforce.pagerduty.actions.params import POLICY
from pagerforce.pagerduty.actions.service_choice import carried_service, choose_service
from pagerforce.pagerduty.actions.stand_in import is_about_requester
from pagerforce.pagerduty.actions.tools import (
    PagerDutyTools,
    UnknownNameError,
    Writer,
    text,
    verbatim,
)
from pagerforce.pagerduty.client import Raw
from pagerforce.pagerduty.decode import decode_incident
from pagerforce.pagerduty.rate import RateClass
from pagerforce.pagerduty.refusals import DuplicateKeyError

MAX_TITLE = 1024
"""The REST API documents no limit for a title; this is the limit of an alert's summary in the
Events API, which becomes the title. No page may fail because its title is too long."""
T = TypeVar("T")

_MOST_TRIES = 10
_LONGEST_LOOK_BACK = timedelta(days=30)
"""``since`` may reach back six months; no attempt is older than this."""


class _Creation(Struct, frozen=True):
    """The incident to create, with all names resolved, and its writer."""

    service_id: str
    key: str
    page: Page
    writer: Writer


URGENCIES = ("high", "low")
CREATE_INCIDENT = ActionSpec(
    do="pagerduty.create_incident",
    side=Side.PAGERDUTY,
    target=TargetKind.NEW_INCIDENT,
    params=(
        Param("title", required=True, doc="title of the incident"),
        Param(
            "service",
            doc="a service, by name or id; default: the record's category, else the service mapping",
            names=Thing.SERVICE,
        ),
        Param("urgency", choices=URGENCIES, doc="high or low; default: the service's setting"),
        Param("priority", doc="a priority, by name or id", names=Thing.PRIORITY),
        Param("body", doc="details, as text"),
        POLICY,
        Param(
            "assignees",
            ParamKind.LIST,
            doc="one user, by e-mail or id; PagerDuty accepts no more",
            names=Thing.USER,
        ),
        Param(
            "unless_linked",
            ParamKind.CHOICE,
            choices=("any", "open"),
            default="any",
            doc="which linked incident prevents the creation: any, or only an open one",
        ),
    ),
    doc="creates and links an incident, if none is linked",
    at_most_one_of=(("assignees", "escalation_policy"),),
    is_page=True,
    cost=Cost(calls=1, entries=3),
)


class CreateIncident(Handler):
    """Creates an incident, or finds the one an earlier attempt created."""

    spec = CREATE_INCIDENT
    rate_class = RateClass.PAGE

    def __init__(self, tools: PagerDutyTools) -> None:
        super().__init__(tools)
        self._origins = Origins(tools.client)

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:
        writer = await self._writer(task, await self._assignee(args, []), [])
        title = _title(task, args, [])
        return (PageExpected(_key(task), title, writer.user_id),)

    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:
        creation = await self._creation(task, args)
        if task.is_uncertain:
            found = await self._look_up(task, creation)
            if found is not None:
                return _adopt(found)
        if task.is_overtaken:
            return Skipped(OVERTAKEN)
        try:
            raw, creation = await self._send(creation)
        except DuplicateKeyError as error:
            found = await self._look_up(task, creation)
            if found is not None:
                return _adopt(found)
            message = "PagerDuty has an incident with this key but does not show it yet"
            raise TransientError(message, status=error.status, code=error.code) from error
        try:
            incident = decode_incident(raw)
        except ValueError as error:
            message = f"incidents.create: the incident in the answer {error}"
            raise UnknownOutcomeError(message) from error
        return Delivered(f"created {incident.id}{creation.page.remark}", (IncidentMade(incident),))

    async def _send(self, creation: _Creation) -> tuple[Raw, _Creation]:
        """Creates it without refused optional parts; returns the answer and the creation as sent."""
        client, email = self._tools.client, creation.writer.email
        is_actors = creation.writer.actor_id is not None
        for _ in range(_MOST_TRIES):
            try:
                return await client.send_incident(creation.page.body, email), creation
            except DuplicateKeyError:
                raise
            except RefusedError as error:
                page = without_refused(creation.page, error)
                if page is None or (is_actors and is_about_requester(error)):
                    raise
                creation = replace(creation, page=page)
        return await client.send_incident(creation.page.body, email), creation

    async def _creation(self, task: Task, args: Mapping[str, Json]) -> _Creation:
        tools = self._tools
        if wanted := text(args.get("service")):
            service_id = (await tools.service(wanted)).id
        else:
            # The mappings may need Salesforce; a page that does not need them must not wait.
            service_id = carried_service(task, tools.config) or choose_service(
                task, tools.config, await tools.mappings.resolve()
            )
        left_out: list[str] = []
        assignee = await self._assignee(args, left_out)
        writer = await self._writer(task, assignee, left_out)
        body: dict[str, object] = {
            "type": "incident",
            "title": _title(task, args, left_out),
            "service": {"id": service_id, "type": "service_reference"},
            "incident_key": _key(task),
        }
        if urgency := _urgency(args, left_out):
            body["urgency"] = urgency
        if wanted := text(args.get("priority")):
            priority = await _or_without("priority", tools.priority(wanted), left_out)
            if priority is not None:
                body["priority"] = {"id": priority.id, "type": "priority_reference"}
        if details := verbatim(args.get("body")):
            body["body"] = {"type": "incident_body", "details": details}
        if assignee is not None:
            body["assignments"] = [{"assignee": {"id": assignee, "type": "user_reference"}}]
        elif wanted := text(args.get("escalation_policy")):
            policy = await _or_without(
                "escalation_policy", tools.escalation_policy(wanted), left_out
            )
            if policy is not None:
                body["escalation_policy"] = {"id": policy.id, "type": "escalation_policy_reference"}
        return _Creation(service_id, _key(task), Page(body, tuple(left_out)), writer)

    async def _assignee(self, args: Mapping[str, Json], left_out: list[str]) -> str | None:
        """The one assignee of the new incident; None: the service's policy decides."""
        looked_up = self._tools.user_ids(args.get("assignees"))
        users = await _or_without("assignees", looked_up, left_out) or ()
        if len(users) > 1:
            left_out.append(f"assigned to the first of {len(users)} assignees: PagerDuty takes one")
        return users[0] if users else None

    async def _writer(self, task: Task, assignee: str | None, left_out: list[str]) -> Writer:
        """The creator of the incident.

        An incident whose creator is its assignee is acknowledged from the start and wakes nobody.
        Then the integration user creates it instead of the person.
        """
        writer = await self._tools.writer_of(task)
        if assignee is None or writer.user_id != assignee:
            return writer
        stand_in = await self._tools.integration()
        if stand_in.user_id == assignee:
            left_out.append("acknowledged from the start: its assignee is the integration user")
        return stand_in

    async def _look_up(self, task: Task, creation: _Creation) -> Incident | None:
        """The incident that an earlier attempt created, if any."""
        tried_at = task.first_attempt_at or task.event_at
        since = max(tried_at - SIDES_APART, task.now - _LONGEST_LOOK_BACK)
        if task.doubt_since is not None:
            since = min(since, task.doubt_since - SIDES_APART)
        wanted = Wanted(
            key=creation.key,
            titles=_titles(creation),
            service_id=creation.service_id,
            since=since,
            until=task.now + timedelta(days=1),
            tried_at=tried_at,
        )
        return await find_page(self._tools.client, self._origins, wanted)


def _key(task: Task) -> str:
    if task.record_id is None:
        raise ValueError(f"{task.do} came without a record")
    return str(IncidentKey(task.object, task.record_id, task.key))


def _titles(creation: _Creation) -> frozenset[str]:
    """The titles that an attempt may have used."""
    title = str(creation.page.body["title"])
    return frozenset((title, cut(title, SAFE_TITLE)))


def _adopt(incident: Incident) -> Delivered:
    return Delivered(f"found {incident.id} by its incident key", (IncidentMade(incident),))


async def _or_without(name: str, looked_up: Awaitable[T], left_out: list[str]) -> T | None:
    """The object that an argument names; None if PagerDuty or the account's plan has none."""
    try:
        return await looked_up
    except RefusedError as error:
        why = error.what if isinstance(error, UnknownNameError) else str(error)
        left_out.append(f"without {name}: {why}")
        return None


def _title(task: Task, args: Mapping[str, Json], left_out: list[str]) -> str:
    title = text(args.get("title"))
    if not title:
        left_out.append("the title was empty")
        return f"{task.object} {task.record_id}"
    shown = cut(title, MAX_TITLE)
    if shown != title:
        left_out.append(f"title cut to {MAX_TITLE} characters")
    return shown


def _urgency(args: Mapping[str, Json], left_out: list[str]) -> str:
    urgency = text(args.get("urgency")).lower()
    if urgency and urgency not in URGENCIES:
        left_out.append("without urgency: it is neither high nor low")
        return ""
    return urgency
