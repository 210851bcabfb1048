"""The run of ``verify``: test data on the real accounts, compared with the beliefs."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from msgspec import Struct

from pagerforce.config.load import Loaded
from pagerforce.config.objects import ObjectSettings
from pagerforce.errors import NotFoundError, PagerforceError, RemoteError
from pagerforce.model.ids import Side
from pagerforce.model.incident import Ref
from pagerforce.model.value import Json, Scalar
from pagerforce.service.control.desk import Desk
from pagerforce.service.control.verify import VerifyRequest
from pagerforce.service.sides import PagerDutySide, SalesforceSide
from pagerforce.service.verify.findings import refusal
from pagerforce.service.verify.incidents import TestIncidents
from pagerforce.service.verify.records import MARK, TestRecords, fill_required, find_text_field
from pagerforce.service.verify.run import Outcome, leave_side, run_incident, run_record
from pagerforce.service.verify.salesforce import RecordStory
from pagerforce.service.verify.scene import Cast, Scene
from pagerforce.service.verify.values import configured_values


class _Running(Struct):
    """Services with a run of this process: a second run would close the first one's incident."""

    services: set[tuple[str, str]] = msgspec.field(default_factory=set)

    @asynccontextmanager
    async def only(self, api_url: str, service_id: str) -> AsyncIterator[None]:
        if (api_url, service_id) in self.services:
            raise PagerforceError(f"verify already runs on {service_id}: wait until it has ended")
        self.services.add((api_url, service_id))
        try:
            yield
        finally:
            self.services.discard((api_url, service_id))


_RUNNING = _Running()


async def run_verify(desk: Desk, request: VerifyRequest) -> Json:
    """As ``control.verify.verify``."""
    loaded = await desk.loaded()
    chosen = _choose_object(loaded, request.object)
    async with desk.sides() as (pagerduty, salesforce):
        service = await _find_service(pagerduty, request.service)
        policy = await _find_policy(pagerduty, request.policy)
        name = chosen.name if chosen is not None else None
        about: dict[str, Json] = {"service": service.id, "object": name}
        if request.plan:
            return about | {"will": _will(request, service, chosen, policy)}
        if desk.home.writing is not None:
            async with desk.change({"service": service.id, "urgency": request.urgency}):
                pass  # recorded before anybody is notified
        async with _RUNNING.only(loaded.config.pagerduty.api_url, service.id):
            outcome, closed = Outcome(), list[str]()
            closed += await _verify_incident(desk, request, loaded, pagerduty, service, outcome)
            made = _Making(request, loaded, service.id, chosen, salesforce)
            closed += await _verify_record(desk, made, outcome)
        return about | {
            "beliefs": outcome.findings.to_json(),
            "closed": [*closed],
            "left": [*outcome.left],
            "seen": outcome.seen,
        }


def _choose_object(loaded: Loaded, name: str) -> ObjectSettings | None:
    objects = loaded.config.objects
    if not name:
        return objects[0] if objects else None
    for item in objects:
        if item.name.lower() == name.lower():
            return item
    raise NotFoundError(f"the configuration has no [[objects]] with the name {name!r}")


async def _find_service(side: PagerDutySide, wanted: str) -> Ref:
    found = await side.directory.find_service(wanted)
    if found is None:
        raise NotFoundError(f"PagerDuty has no service with the id or name {wanted!r}")
    return found


async def _find_policy(side: PagerDutySide, wanted: str) -> Ref | None:
    found = await side.directory.find_escalation_policy(wanted) if wanted else None
    if wanted and found is None:
        raise NotFoundError(f"PagerDuty has no escalation policy with the id or name {wanted!r}")
    return found


def _will(
    request: VerifyRequest, service: Ref, chosen: ObjectSettings | None, policy: Ref | None
) -> list[Json]:
    """Returns what a run does, one sentence each."""
    name = service.name or service.id
    lines: list[Json] = []
    lines.append(
        f"trigger a test incident of {request.urgency} urgency on service {name} ({service.id}):"
        " PagerDuty notifies the people on call for it"
    )
    lines.append(
        "acknowledge it, add notes, assign it to another person of its escalation policy and"
        " escalate it: that person and the next level are notified too"
    )
    if policy is not None:
        lines.append(
            f"delegate it to escalation policy {policy.name or policy.id}: its first level is"
            f" notified"
        )
    if request.status_update:
        lines.append("send a status update: all subscribers get it")
    lines.append("resolve it, open it again and resolve it for good")
    if chosen is not None:
        lines.append(
            f"create a test record of {chosen.name}, change it, comment on it and delete it; a"
            " running daemon's rules, and the automation of your org, react to it as to any other"
        )
    return lines


async def _verify_incident(
    desk: Desk,
    request: VerifyRequest,
    loaded: Loaded,
    side: PagerDutySide,
    service: Ref,
    outcome: Outcome,
) -> list[str]:
    """Returns the ids of incidents that an earlier run had left."""
    incidents = TestIncidents(
        side.client,
        loaded.config.pagerduty.from_email,
        service.id,
        request.urgency,
        uuid.uuid4().hex[:12],
        request.wait_seconds,
    )

    async def say(step: str) -> None:
        await desk.tell(f"PagerDuty: {step}")

    try:
        left = await incidents.leftovers()
        ours = frozenset((await side.find_ours(loaded)).ids)
    except RemoteError as error:
        leave_side(outcome, Side.PAGERDUTY, f"before the trigger: {refusal(error)}")
        return []
    incidents.made += left
    outcome.left += await incidents.close_all()
    incidents.made.clear()
    if not ours:
        reason = "PagerDuty has no user with pagerduty.from_email: run check"
        leave_side(outcome, Side.PAGERDUTY, reason)
        return left
    policy = await _find_policy(side, request.policy)
    cast = Cast(ours, policy.id if policy is not None else "", request.status_update)
    await run_incident(Scene(incidents, cast, outcome.findings), outcome, say)
    return left


class _Making(Struct, frozen=True):
    """The data for a test record."""

    request: VerifyRequest
    loaded: Loaded
    service_id: str
    chosen: ObjectSettings | None
    side: SalesforceSide


async def _verify_record(desk: Desk, making: _Making, outcome: Outcome) -> list[str]:
    """Returns the Ids of records that an earlier run had left."""
    chosen = making.chosen
    if chosen is None:
        leave_side(outcome, Side.SALESFORCE, "the configuration has no [[objects]]")
        return []

    async def say(step: str) -> None:
        await desk.tell(f"Salesforce: {step}")

    try:
        records, values, problem = await _prepare(making, chosen)
        left = await records.leftovers() if records is not None else []
    except RemoteError as error:
        leave_side(outcome, Side.SALESFORCE, f"before the create: {refusal(error)}")
        return []
    if records is None:
        leave_side(outcome, Side.SALESFORCE, problem)
        return []
    records.made += left
    outcome.left += await records.close_all()
    records.made.clear()
    lookups = making.side.lookups
    story = RecordStory(records, values, chosen.comments, lookups, outcome.findings, say)
    await run_record(story, outcome)
    return [*left]


async def _prepare(
    making: _Making, chosen: ObjectSettings
) -> tuple[TestRecords | None, dict[str, Scalar], str]:
    """Returns what creates the record; None with the reason if it can't be created."""
    side = making.side
    client = side.client
    info = await side.schema.describe(chosen.name)
    text_field = find_text_field(info)
    if not info.is_createable:
        return None, {}, f"the integration user may not create {chosen.name}"
    if text_field is None:
        return None, {}, f"{chosen.name} has no text field for the mark {MARK}"
    user_id = await client.user_id()
    given = await configured_values(making.loaded, chosen.name, making.service_id, side.lookups)
    values, missing = fill_required(info, given | dict(making.request.values), user_id)
    if missing:
        named = ", ".join(missing)
        return None, {}, f"a record needs values of {named}: give them with --set FIELD=VALUE"
    return TestRecords(client, chosen.name, text_field.name, user_id), values, ""
