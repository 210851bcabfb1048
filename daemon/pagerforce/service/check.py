"""The online half of ``check``: one line for each thing the configuration names, OK or what to do."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pagerforce.config.load import Loaded
from pagerforce.config.objects import ObjectSettings
from pagerforce.config.offline import CheckLine
from pagerforce.config.secret import load_secrets
from pagerforce.errors import ConfigError, RemoteError, WrongOrgError
from pagerforce.model.value import Json
from pagerforce.rules.syntax import Rule
from pagerforce.service.clock import SystemClock
from pagerforce.service.fieldcheck import check_fields, find_doubts
from pagerforce.service.wiring import PagerDutySide, SalesforceSide, open_sides

_LINES = {
    "service": "PagerDuty service",
    "escalation_policy": "PagerDuty escalation policy",
    "priority": "PagerDuty priority",
    "workflow": "PagerDuty workflow",
    "assignees": "PagerDuty user",
}


async def check_online(loaded: Loaded, environ: Mapping[str, str]) -> list[CheckLine]:
    """Tries both connections and looks for everything that rules and mappings name.

    Raises:
        ConfigError: a secret is missing or of no use.
    """
    secrets = load_secrets(loaded.config, environ)
    async with open_sides(loaded, secrets, SystemClock()) as (pagerduty, salesforce):
        lines = await _pagerduty(loaded, pagerduty)
        lines += await _salesforce(loaded, salesforce)
    return lines


async def _tried(what: str, task: Callable[[], Awaitable[object]], missing: str = "") -> CheckLine:
    """OK where the task gives something; else the remedy."""
    try:
        found = await task()
    except ConfigError as error:
        return CheckLine(ok=False, what=what, remedy="; ".join(map(str, error.problems)))
    except (RemoteError, WrongOrgError) as error:
        return CheckLine(ok=False, what=what, remedy=str(error))
    if found is None:
        return CheckLine(ok=False, what=what, remedy=missing)
    return CheckLine(ok=True, what=what)


async def _pagerduty(loaded: Loaded, side: PagerDutySide) -> list[CheckLine]:
    config = loaded.config.pagerduty
    poller = side.poller(loaded)
    lines = [await _tried(f"PagerDuty key at {config.api_url}", poller.fetch_server_time)]
    if not lines[0].ok:
        return lines
    lines.append(
        await _tried(
            f"PagerDuty user {config.from_email}",
            lambda: side.directory.find_user_by_email(config.from_email),
            "no user has this e-mail; correct pagerduty.from_email",
        )
    )
    finders: Mapping[str, Callable[[str], Awaitable[object]]] = {
        "service": side.directory.find_service,
        "escalation_policy": side.directory.find_escalation_policy,
        "priority": side.directory.find_priority,
        "workflow": side.directory.find_workflow,
        "assignees": lambda who: (
            side.directory.find_user_by_email(who) if "@" in who else side.directory.find_user(who)
        ),
    }
    for name in _named(loaded):
        finder = finders[name.kind]
        lines.append(
            await _tried(
                f"{_LINES[name.kind]} {name.value}",
                lambda finder=finder, value=name.value: finder(value),  # type: ignore[misc]
                f"there is none with this id or name; it is named in {name.where}",
            )
        )
    return lines


async def _salesforce(loaded: Loaded, side: SalesforceSide) -> list[CheckLine]:
    config = loaded.config.salesforce
    login = f"Salesforce login of {config.username} at {config.login_url}"

    async def log_in() -> datetime:
        return await side.client.fetch_server_time()

    lines = [await _tried(login, log_in)]
    if not lines[0].ok:
        return lines

    async def fields() -> bool:
        await check_fields(side.schema, loaded)
        return True

    lines.append(await _tried("Salesforce objects and fields", fields))
    lines += [
        await _tried(
            f"service mapping {row.name}",
            lambda row=row: side.mappings.resolve_one(row),  # type: ignore[misc]
        )
        for row in loaded.config.service_mappings
    ]
    lines += await _doubts(side, loaded)
    lines += [await _service_path(side, item) for item in loaded.config.objects]
    return lines


async def _doubts(side: SalesforceSide, loaded: Loaded) -> list[CheckLine]:
    what = "what the rules write"
    try:
        found = await find_doubts(side.schema, loaded)
    except RemoteError as error:
        return [CheckLine(ok=False, what=what, remedy=str(error))]
    lines = [CheckLine(ok=False, what=item.where, remedy=item.what) for item in found]
    return lines or [CheckLine(ok=True, what=what)]


async def _service_path(side: SalesforceSide, item: ObjectSettings) -> CheckLine:
    path = item.service_id_path
    what = f"{item.name}: service id in {path or 'service mappings only'}"
    if not path:
        return CheckLine(ok=True, what=what)
    return await _tried(
        what,
        lambda: side.schema.find_field(item.name, path),
        'the org has no such field; create it, or set service_id_path = "" and use service mappings',
    )


@dataclass(frozen=True, slots=True)
class _Name:
    kind: str
    value: str
    where: str


def _named(loaded: Loaded) -> list[_Name]:
    """Everything of PagerDuty's that the configuration names plainly, each once."""
    found: dict[tuple[str, str], _Name] = {}
    for service in loaded.config.pagerduty.services:
        found.setdefault(("service", service), _Name("service", service, "pagerduty.services"))
    for row in loaded.config.service_mappings:
        where = f"service mapping {row.name}"
        found.setdefault(("service", row.service), _Name("service", row.service, where))
    for name in _in_rules(loaded.rules):
        found.setdefault((name.kind, name.value), name)
    return list(found.values())


def _in_rules(rules: Iterable[Rule]) -> Iterable[_Name]:
    for rule in rules:
        for action in rule.actions:
            for key, value in action.args.items():
                for item in value if isinstance(value, list | tuple) else (value,):
                    if key in _LINES and _is_plain(item):
                        yield _Name(key, str(item), f"rule {rule.ruleset} / {rule.name}")


def _is_plain(value: Json) -> bool:
    """A template can be looked up only once it is filled in."""
    return isinstance(value, str) and "{{" not in value and "{%" not in value
