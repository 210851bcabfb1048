"""The shared tools of this side's handlers: the API, name lookups, the writer of a change."""

from collections.abc import Mapping, Sequence
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.config.schema import Config
from pagerforce.errors import MalformedError, RefusedError, RemoteError
from pagerforce.model.action import Task
from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import Incident, Person, Ref
from pagerforce.model.mapping import MappingTable
from pagerforce.model.ports import Clock
from pagerforce.model.value import Json
from pagerforce.pagerduty.actions.stand_in import StandIns
from pagerforce.pagerduty.client import MAX_DEPTH, PagerDutyClient, Raw
from pagerforce.pagerduty.decode import decode_incident
from pagerforce.pagerduty.directory import Directory
from pagerforce.pagerduty.open_incidents import open_params
from pagerforce.pagerduty.refusals import is_out_of_sight

_FEW = 10
"""Up to so many incidents are read one by one: the list of all open ones may cost more."""


class UnknownNameError(RefusedError):
    """A rule names an object that the account does not have; ``what``: the text without advice."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}, then retry it")
        self.what = what


class Writer(Struct, frozen=True):
    """The user whose name a write carries.

    Attributes:
        email: for the ``From`` header.
        user_id: the author of its log entries; None if that is not certain.
        actor_id: the person who made the change, if it is written in their name.
    """

    email: str
    user_id: str | None
    actor_id: str | None = None


class Sight(Struct, frozen=True):
    """An incident as it was read: decoded and raw."""

    incident: Incident
    raw: Raw


class PagerDutyTools(Struct, frozen=True):
    """The tools of the handlers. Every method raises the ``RemoteError`` family."""

    client: PagerDutyClient
    directory: Directory
    config: Config
    mappings: MappingTable
    clock: Clock
    stand_ins: StandIns

    async def writer_of(self, task: Task, *, as_actor: bool = False) -> Writer:
        """The writer: the person who made the change, if that is configured and possible.

        Otherwise, and for people whom PagerDuty has refused, it is the integration user.

        Args:
            task: the task to write.
            as_actor: whether the action asks for the person, whatever ``act_as`` says.
        """
        email = (task.actor.email or "").strip()
        is_wanted = as_actor or self.config.pagerduty.act_as == "actor"
        if is_wanted and _fits_header(email):
            person = await self._find_by_email(email)
            is_able = person is not None and not self.stand_ins.is_refused(person.id)
            if is_able and person is not None and person.email is not None:
                writer = await self._writer(person.email, person)
                return replace(writer, actor_id=person.id)
        return await self.integration()

    async def integration(self) -> Writer:
        """The integration user."""
        email = self.config.pagerduty.from_email
        return await self._writer(email, await self._find_by_email(email))

    async def _writer(self, email: str, person: Person | None) -> Writer:
        """With a user key PagerDuty may use the key's owner instead of the ``From`` header."""
        owner = await self.directory.find_key_owner()
        if owner is None or owner.id is None:
            return Writer(email, None if person is None else person.id)
        is_same = person is not None and person.id == owner.id
        return Writer(email, owner.id if is_same else None)

    async def _find_by_email(self, email: str) -> Person | None:
        try:
            return await self.directory.find_user_by_email(email)
        except RefusedError:
            # A key that may not list users can still write; then the writer's id is unknown.
            return None

    async def read_incident(self, task: Task) -> Sight:
        """The incident as it is now.

        Raises:
            RefusedError: for example, it is gone or no longer visible.
        """
        incident_id = incident_id_of(task)
        try:
            raw = await self.client.fetch_incident(incident_id)
        except RefusedError as error:
            if is_out_of_sight(error):
                raise RefusedError(
                    f"incident {incident_id} is gone from PagerDuty or not visible to the API key: "
                    "give the key access and retry, or discard this and remove the link"
                ) from error
            raise
        return Sight(decode_or_malformed(raw), raw)

    async def read_incidents(
        self, tasks: Sequence[Task]
    ) -> Mapping[IncidentId, Sight | RemoteError]:
        """The current incidents of several tasks, or why one could not be read.

        Many are searched for in the list of open ones, a hundred per request. Those that are not
        in it are read one by one.
        """
        found: dict[IncidentId, Sight | RemoteError] = {}
        if len(tasks) > _FEW:
            found |= await self._find_open({incident_id_of(task) for task in tasks})
        for task in tasks:
            incident_id = incident_id_of(task)
            if incident_id not in found:
                try:
                    found[incident_id] = await self.read_incident(task)
                except RemoteError as error:
                    found[incident_id] = error
        return found

    async def _find_open(self, wanted: set[IncidentId]) -> dict[IncidentId, Sight]:
        found: dict[IncidentId, Sight] = {}
        offset = 0
        while offset < MAX_DEPTH and len(found) < len(wanted):
            try:
                page = await self.client.fetch_incidents(open_params(()), offset)
            except RemoteError:
                break  # each is then read by itself, with the same error or without
            for raw in page.rows:
                if isinstance(raw, Mapping) and str(raw.get("id")) in wanted:
                    incident = decode_incident(raw)
                    found[incident.id] = Sight(incident, raw)
            offset += len(page.rows)
            if not page.more or not page.rows:
                break
        return found

    async def user_id(self, text: str) -> str:
        """The id of a user given by e-mail or id."""
        if "@" not in text:
            return text
        person = await self.directory.find_user_by_email(text)
        if person is None or person.id is None:
            what = f"no PagerDuty user has the e-mail {text}"
            raise UnknownNameError(what, "correct the rule or add the user")
        return person.id

    async def user_ids(self, value: Json) -> tuple[str, ...]:
        """The unique ids of users given by e-mail or id, in order."""
        ids = [await self.user_id(text) for text in texts(value)]
        return tuple(dict.fromkeys(ids))

    async def priority(self, text: str) -> Ref:
        """A priority by name or id."""
        return _found(await self.directory.find_priority(text), "priority", text)

    async def escalation_policy(self, text: str) -> Ref:
        """An escalation policy by name or id."""
        found = await self.directory.find_escalation_policy(text)
        return _found(found, "escalation policy", text)

    async def service(self, text: str) -> Ref:
        """A service by name or id."""
        return _found(await self.directory.find_service(text), "service", text)

    async def workflow(self, text: str) -> Ref:
        """An incident workflow by name or id."""
        return _found(await self.directory.find_workflow(text), "incident workflow", text)


def incident_id_of(task: Task) -> IncidentId:
    """The incident the task acts on.

    Raises:
        ValueError: it has none: an internal error of the pipeline.
    """
    if task.incident_id is None:
        raise ValueError(f"{task.do} came without an incident")
    return task.incident_id


def text(value: Json) -> str:
    """A text argument without surrounding blanks; ``""`` if it is absent."""
    return value.strip() if isinstance(value, str) else ""


def verbatim(value: Json) -> str:
    """A text argument unchanged; ``""`` if it is absent or blank."""
    return value if isinstance(value, str) and value.strip() else ""


def texts(value: Json) -> tuple[str, ...]:
    """A list argument without its empty members."""
    if value is None:
        return ()
    items = [value] if isinstance(value, str) else cast("Sequence[Json]", value)
    return tuple(item.strip() for item in items if isinstance(item, str) and item.strip())


def decode_or_malformed(raw: Raw) -> Incident:
    """Decodes an incident of an answer.

    Raises:
        MalformedError: it has no id.
    """
    try:
        return decode_incident(raw)
    except ValueError as error:
        raise MalformedError(f"the incident in the answer {error}") from error


def _found(ref: Ref | None, kind: str, wanted: str) -> Ref:
    if ref is None:
        what = f"PagerDuty has no {kind} {wanted!r}"
        raise UnknownNameError(what, "correct the rule, or add it there")
    return ref


def _fits_header(email: str) -> bool:
    return bool(email) and email.isascii() and email.isprintable()
