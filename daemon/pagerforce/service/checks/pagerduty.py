"""The PagerDuty half of ``check``: connection, key, user, plan, and everything that is named."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec import Struct

from pagerforce.config.checkline import CheckLine, ok, remark, todo
from pagerforce.config.load import Loaded
from pagerforce.errors import CredentialsError, RefusedError, RemoteError
from pagerforce.model.action import Thing
from pagerforce.model.incident import Person, Ref
from pagerforce.model.ports import Clock
from pagerforce.pagerduty.client import PagerDutyClient
from pagerforce.pagerduty.directory import Directory, KeyHolder, KeyKind
from pagerforce.service.checks.asking import GAVE_UP, Asking, GaveUpError, refusal
from pagerforce.service.checks.naming import Name, names_of, uses
from pagerforce.service.checks.reaching import failing_line, reach_line, skew_line

_SYSTEM = "PagerDuty"
_KEY = "PagerDuty API key"
_REFUSED_TO_US = frozenset({402, 403})
_USER = "PagerDuty user {email}"
_NAMED = "PagerDuty {kind} {name}"
# The schema's roles that may read but not act.
_ONLOOKERS = frozenset({"read_only_user", "read_only_limited_user"})
_BY_TEAM = frozenset({"observer", "restricted_access"})

KEY_REFUSED = todo("pagerduty.key_refused", _KEY, "{said}")
NOT_PAGERDUTY = todo(
    "pagerduty.other_answer", "PagerDuty at {url}", "{said}: correct pagerduty.api_url"
)
KEY_RIGHTS = remark(
    "pagerduty.key_rights",
    "PagerDuty API key: an account's",
    "whether it may write can't be tested without writing: make sure that it is not a read-only"
    " key",
)
KEY_UNKNOWN = remark(
    "pagerduty.key_unknown",
    _KEY,
    "its owner is not known: make sure that it may read and write incidents",
)
KEY_OWNER = remark(
    "pagerduty.key_owner",
    "PagerDuty API key: that of {owner}",
    "writes appear as done by this person, not by {email}: use an account's key, or the integration"
    " user's own",
)
USER_MISSING = todo(
    "pagerduty.user_missing",
    _USER,
    "no user has this e-mail: correct pagerduty.from_email, or add the user",
)
USER_ONLOOKER = todo(
    "pagerduty.user_read_only",
    _USER,
    "has the role {role}, which may not act on incidents: give it at least the role responder",
)
USER_BY_TEAM = remark(
    "pagerduty.user_by_team",
    _USER,
    "has the role {role}: whether it may act depends on its teams",
)
NO_URGENCIES = remark(
    "pagerduty.no_urgencies",
    "PagerDuty ability urgencies",
    "the plan does not list it, but rules set an urgency: this may have no effect",
)
NOT_FOUND = todo(
    "pagerduty.not_found",
    _NAMED,
    "nothing has this id or name: correct {where}, or add it in PagerDuty",
)
SERVICE_DISABLED = todo(
    "pagerduty.service_disabled",
    _NAMED,
    "is disabled: no incident can be created on it. Enable it, or correct {where}",
)
SERVICE_MAINTENANCE = remark(
    "pagerduty.service_maintenance",
    _NAMED,
    "is in maintenance: nobody is notified of its incidents until the maintenance ends",
)
PLAYS_ENDED = remark(
    "pagerduty.play_unverified",
    _NAMED,
    "can't be verified any more: PagerDuty no longer documents response plays; use"
    " pagerduty.run_workflow",
)

ADVICE = (
    KEY_REFUSED,
    NOT_PAGERDUTY,
    KEY_RIGHTS,
    KEY_UNKNOWN,
    KEY_OWNER,
    USER_MISSING,
    USER_ONLOOKER,
    USER_BY_TEAM,
    NO_URGENCIES,
    NOT_FOUND,
    SERVICE_DISABLED,
    SERVICE_MAINTENANCE,
    PLAYS_ENDED,
)


class PagerDutyCheck(Struct):
    """One check of the account.

    Attributes:
        lines: the lines so far.
        is_up: whether the account answered to the end.
        asking: counts the requests without an answer.
    """

    loaded: Loaded
    client: PagerDutyClient
    directory: Directory
    clock: Clock
    lines: list[CheckLine] = msgspec.field(default_factory=list)
    is_up: bool = False
    asking: Asking = msgspec.field(default_factory=Asking)

    async def run(self) -> list[CheckLine]:
        """Checks everything, one request after the other."""
        holder = await self._reach()
        if holder is None:
            return self.lines
        try:
            await self._user(holder)
            await self._plan()
            for name in names_of(self.loaded):
                self.lines.append(await self._named(name))
            self.is_up = True
        except GaveUpError:
            self.lines.append(GAVE_UP.line(system=_SYSTEM))
        return self.lines

    async def _reach(self) -> KeyHolder | None:
        """Sends the first request: it shows connection, TLS, credentials, kind of key and clock."""
        url = self.loaded.config.pagerduty.api_url
        try:
            holder = await self.directory.fetch_key_holder()
            if holder.kind is KeyKind.UNKNOWN:  # perhaps not PagerDuty at all
                await self._ask_any()
        except RemoteError as error:
            self.lines += self._unreached(url, error)
            return None
        self.lines += _reached(url, self.client, self.clock)
        return holder

    async def _ask_any(self) -> None:
        """Asks for something that every key may read, unless it is scoped."""
        try:
            await self.client.fetch_server_time()
        except RefusedError as error:
            if error.status != 403:
                raise

    def _unreached(self, url: str, error: RemoteError) -> list[CheckLine]:
        line = reach_line(_SYSTEM, url, "pagerduty.api_url", error)
        if line is not None:
            return [line]
        failing = failing_line(_SYSTEM, url, error)
        if failing is not None:
            return [failing]
        reached = _reached(url, self.client, self.clock)
        if isinstance(error, CredentialsError):
            return [*reached, KEY_REFUSED.line(said=error)]
        if isinstance(error, RefusedError) and error.status in _REFUSED_TO_US:
            return [*reached, refusal(_KEY, error)]
        return [NOT_PAGERDUTY.line(url=url, said=error)]

    async def _user(self, holder: KeyHolder) -> None:
        email = self.loaded.config.pagerduty.from_email
        self.lines.append(_key_line(holder, email))
        what = _USER.format(email=email)
        found = await self.asking.ask(what, lambda: self.directory.find_user_by_email(email))
        if found is None:
            self.lines.append(USER_MISSING.line(email=email))
        elif isinstance(found, CheckLine):
            self.lines.append(found)
        else:
            self.lines.append(await self._role_line(holder.owner or found, what))

    async def _role_line(self, person: Person, what: str) -> CheckLine:
        """Checks that the user in whose name pagerforce writes may write."""
        user_id, email = person.id or "", person.email or person.name
        role = await self.asking.ask(what, lambda: self.directory.fetch_role(user_id))
        if isinstance(role, CheckLine):
            return role
        if role in _ONLOOKERS:
            return USER_ONLOOKER.line(email=email, role=role)
        if role in _BY_TEAM:
            return USER_BY_TEAM.line(email=email, role=role)
        return ok(f"{_USER.format(email=email)}: {role or 'role unknown'}")

    async def _plan(self) -> None:
        """Checks the features of the account's plan that these rules need."""
        what = "PagerDuty abilities"
        found = await self.asking.ask(what, self.directory.fetch_abilities)
        if isinstance(found, CheckLine):
            self.lines.append(found)
        else:
            self.lines.append(ok(f"{what}: {len(found)}"))
            if uses(self.loaded, "urgency") and "urgencies" not in found:
                self.lines.append(NO_URGENCIES.line())
        features: tuple[tuple[str, str, Callable[[], Awaitable[tuple[Ref, ...]]]], ...] = (
            ("priority", "PagerDuty priorities", self.directory.fetch_priorities),
            ("workflow", "PagerDuty incident workflows", self.directory.fetch_workflows),
        )
        for key, feature, fetch in features:
            if uses(self.loaded, key):
                items = await self.asking.ask(feature, fetch)
                is_line = isinstance(items, CheckLine)
                self.lines.append(items if is_line else ok(f"{feature}: {len(items)}"))  # type: ignore[arg-type]

    async def _named(self, name: Name) -> CheckLine:
        """Checks one thing that the configuration names."""
        finders: Mapping[Thing, Callable[[str], Awaitable[Ref | Person | None]]] = {
            Thing.SERVICE: self.directory.find_service,
            Thing.ESCALATION_POLICY: self.directory.find_escalation_policy,
            Thing.PRIORITY: self.directory.find_priority,
            Thing.WORKFLOW: self.directory.find_workflow,
            Thing.USER: self._find_user,
        }
        if name.kind is Thing.RESPONSE_PLAY:
            return await self._play(name)
        what = _NAMED.format(kind=name.kind, name=name.value)
        found = await self.asking.ask(what, lambda: finders[name.kind](name.value))
        if isinstance(found, CheckLine):
            return found
        if found is None:
            return _advise(NOT_FOUND.line, name)
        if name.kind is Thing.SERVICE and isinstance(found, Ref):
            return await self._service(name, found, what)
        return ok(what)

    async def _find_user(self, who: str) -> Person | None:
        if "@" in who:
            return await self.directory.find_user_by_email(who)
        return await self.directory.find_user(who)

    async def _service(self, name: Name, service: Ref, what: str) -> CheckLine:
        status = await self.asking.ask(
            what, lambda: self.directory.fetch_service_status(service.id)
        )
        if isinstance(status, CheckLine):
            return status
        if status == "disabled":
            return _advise(SERVICE_DISABLED.line, name)
        if status == "maintenance":
            return _advise(SERVICE_MAINTENANCE.line, name)
        return ok(what)

    async def _play(self, name: Name) -> CheckLine:
        """Checks a response play; a refusal only means that plays can't be looked up any more."""
        what = _NAMED.format(kind=name.kind, name=name.value)
        email = self.loaded.config.pagerduty.from_email

        async def find() -> Ref | RefusedError | None:
            try:
                return await self.directory.find_response_play(name.value, email)
            except RefusedError as error:
                return error

        found = await self.asking.ask(what, find)
        match found:
            case CheckLine():
                return found
            case RefusedError(status=0):  # from the directory itself: several have this name
                return refusal(what, found)
            case RefusedError():
                return _advise(PLAYS_ENDED.line, name)
            case None:
                return _advise(NOT_FOUND.line, name)
        return ok(what)


def _reached(url: str, client: PagerDutyClient, clock: Clock) -> list[CheckLine]:
    reached = reach_line(_SYSTEM, url, "pagerduty.api_url", None)
    skew = skew_line(_SYSTEM, client.server_time, clock.now())
    return [line for line in (reached, skew) if line is not None]


def _key_line(holder: KeyHolder, email: str) -> CheckLine:
    owner = holder.owner
    if holder.kind is KeyKind.ACCOUNT:
        return KEY_RIGHTS.line()
    if owner is None:
        return KEY_UNKNOWN.line()
    name = owner.email or owner.name or owner.id
    if (owner.email or "").casefold() != email.casefold():
        return KEY_OWNER.line(owner=name, email=email)
    return ok(f"{_KEY}: that of {name}")


def _advise(advice: Callable[..., CheckLine], name: Name) -> CheckLine:
    return advice(kind=name.kind, name=name.value, where=name.where)
