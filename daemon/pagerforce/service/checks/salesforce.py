"""The Salesforce half of ``check``: connection, login, org, calls, objects, mappings, writes."""

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from pagerforce.config.checkline import CheckLine, ok, remark, todo
from pagerforce.config.load import Loaded
from pagerforce.config.schema import ServiceMapping
from pagerforce.errors import (
    CredentialsError,
    MalformedError,
    RefusedError,
    RemoteError,
    WrongOrgError,
)
from pagerforce.model.ports import Clock
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.mappings import MappingResolver
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.salesforce.usage import OrgUsage, parse_limits
from pagerforce.service.checks.asking import GAVE_UP, Asking, GaveUpError
from pagerforce.service.checks.objects import ObjectsCheck
from pagerforce.service.checks.reaching import failing_line, reach_line, skew_line
from pagerforce.service.checks.sharing import sharing_lines
from pagerforce.service.checks.writing import WritingCheck

_SYSTEM = "Salesforce"
_LOGIN = "Salesforce login of {user}"
_ORG = "Salesforce org {org}"
_CALLS = "Salesforce API calls"
_VERSION_ERRORS = frozenset({404, 410})

LOGIN_REFUSED = todo("salesforce.login_refused", _LOGIN, "{said}")
LOGIN_ODD = todo(
    "salesforce.login_odd",
    _LOGIN,
    "{said}: correct salesforce.login_url, or check the proxies on the way",
)
WRONG_ORG = todo("salesforce.wrong_org", _LOGIN, "{said}")
ORG_NOT_PINNED = remark(
    "salesforce.org_not_pinned",
    _ORG,
    "salesforce.org_id is not set: set it to this, so that pagerforce never writes to another org",
)
NO_API = todo(
    "salesforce.no_api",
    _CALLS,
    "{said}: correct salesforce.api_version, the org does not serve it",
)
CALLS_UNKNOWN = remark(
    "salesforce.calls_unknown", _CALLS, "the org does not show how many are left ({said})"
)
BUDGET_TOO_LARGE = remark(
    "salesforce.budget_too_large",
    _CALLS,
    "salesforce.daily_call_budget is {budget}, but the whole org has {allowed} a day: lower it to"
    " leave enough for other integrations",
)
CALLS_SHORT = remark(
    "salesforce.calls_short",
    _CALLS,
    "only {remaining} of {allowed} are left for the last 24 hours, fewer than daily_call_budget"
    " ({budget}): find out what else calls this org",
)
CALLS_NONE = todo(
    "salesforce.calls_none",
    _CALLS,
    "all {allowed} for the last 24 hours are used up: find out what else calls this org, or buy"
    " more",
)
MAPPING = todo("salesforce.mapping", 'service mapping "{mapping}"', "{said}")

ADVICE = (
    LOGIN_REFUSED,
    LOGIN_ODD,
    WRONG_ORG,
    ORG_NOT_PINNED,
    NO_API,
    CALLS_UNKNOWN,
    BUDGET_TOO_LARGE,
    CALLS_SHORT,
    CALLS_NONE,
    MAPPING,
)


class SalesforceCheck(Struct):
    """One check of the org.

    Attributes:
        lines: the lines so far.
        is_up: whether the org answered to the end.
        asking: counts the requests without an answer.
    """

    loaded: Loaded
    client: SalesforceClient
    schema: SchemaCache
    lookups: LookupResolver
    mappings: MappingResolver
    clock: Clock
    lines: list[CheckLine] = msgspec.field(default_factory=list)
    is_up: bool = False
    asking: Asking = msgspec.field(default_factory=Asking)

    async def run(self) -> list[CheckLine]:
        """Checks everything, one request after the other."""
        if not await self._log_in():
            return self.lines
        steps: tuple[Callable[[], Awaitable[list[CheckLine]]], ...] = (
            ObjectsCheck(self.loaded, self.client, self.schema, self.asking).run,
            self._sharing,
            self._mappings,
            WritingCheck(self.loaded, self.client, self.schema, self.lookups, self.asking).run,
        )
        try:
            if not await self._calls():
                return self.lines
            for step in steps:
                self.lines += await step()
            self.is_up = True
        except GaveUpError:
            self.lines.append(GAVE_UP.line(system=_SYSTEM))
        return self.lines

    async def _log_in(self) -> bool:
        """Logs in: this shows connection, TLS, app, user, org and clock."""
        config = self.loaded.config.salesforce
        try:
            access = await self.client.session.access()
        except WrongOrgError as error:
            self.lines += [*self._reached(), WRONG_ORG.line(user=config.username, said=error)]
            return False
        except RemoteError as error:
            self.lines += self._unreached(error)
            return False
        self.lines += self._reached()
        self.lines.append(ok(f"{_LOGIN.format(user=config.username)}: user {access.user_id}"))
        if config.org_id:
            self.lines.append(ok(f"{_ORG.format(org=access.org_id)}, as configured"))
        else:
            self.lines.append(ORG_NOT_PINNED.line(org=access.org_id))
        return True

    def _reached(self) -> list[CheckLine]:
        url = self.loaded.config.salesforce.login_url
        reached = reach_line(_SYSTEM, url, "salesforce.login_url", None)
        skew = skew_line(_SYSTEM, self.client.session.now(), self.clock.now())
        return [line for line in (reached, skew) if line is not None]

    def _unreached(self, error: RemoteError) -> list[CheckLine]:
        config = self.loaded.config.salesforce
        line = reach_line(_SYSTEM, config.login_url, "salesforce.login_url", error)
        if line is not None:
            return [line]
        failing = failing_line(_SYSTEM, config.login_url, error)
        if failing is not None:
            return [failing]
        advice = LOGIN_REFUSED if isinstance(error, CredentialsError) else LOGIN_ODD
        return [*self._reached(), advice.line(user=config.username, said=error)]

    async def _calls(self) -> bool:
        """Checks the org's remaining calls; returns False if no further request is possible."""
        try:
            found = await self.asking.ask(_CALLS, self._fetch_limits)
        except CredentialsError as error:
            user = self.loaded.config.salesforce.username
            self.lines.append(LOGIN_REFUSED.line(user=user, said=error))
            return False
        self.lines.append(found)
        return found.code not in (NO_API.code, CALLS_NONE.code)

    async def _fetch_limits(self) -> CheckLine:
        try:
            usage = parse_limits(await self.client.fetch_limits())
        except RefusedError as error:
            advice = NO_API if error.status in _VERSION_ERRORS else CALLS_UNKNOWN
            return advice.line(said=error)
        except MalformedError as error:
            return CALLS_UNKNOWN.line(said=error)
        if usage is None:
            return CALLS_UNKNOWN.line(said="no DailyApiRequests in /limits")
        return _judge_usage(usage, self.loaded.config.salesforce.daily_call_budget)

    async def _sharing(self) -> list[CheckLine]:
        names = [item.name for item in self.loaded.config.objects]
        found = await self.asking.ask("View All", lambda: sharing_lines(self.client, names))
        return [found] if isinstance(found, CheckLine) else found

    async def _mappings(self) -> list[CheckLine]:
        lines = []
        for row in self.loaded.config.service_mappings:
            what = f'service mapping "{row.name}"'
            found = await self.asking.ask(what, lambda row=row: self._resolve(row))  # type: ignore[misc]
            lines.append(found)
        return lines

    async def _resolve(self, row: ServiceMapping) -> CheckLine:
        try:
            await self.mappings.resolve_one(row)
        except RefusedError as error:
            return MAPPING.line(mapping=row.name, said=error)
        return ok(f'service mapping "{row.name}"')


def _judge_usage(usage: OrgUsage, budget: int) -> CheckLine:
    """Compares the org's calls with pagerforce's share."""
    values = {"budget": budget, "allowed": usage.allowed, "remaining": usage.remaining}
    if usage.remaining == 0:
        return CALLS_NONE.line(**values)
    if budget > usage.allowed:
        return BUDGET_TOO_LARGE.line(**values)
    if budget > usage.remaining:
        return CALLS_SHORT.line(**values)
    return ok(f"{_CALLS}: {usage.remaining} of {usage.allowed} left for the last 24 hours")
