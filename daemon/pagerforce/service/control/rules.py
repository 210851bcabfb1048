"""``rules``: those in force, and how an operator puts others in their place.

An applied file becomes a numbered revision in the state database. It stands for every
``[[rulesets]]`` of the configuration, and for its maps of the same names, also after a restart,
until a rollback goes back to the revision before it, and at last to the configuration's own rules.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import PurePath

from pagerforce.config.checkline import CheckLine, Kind
from pagerforce.config.files import RulesText
from pagerforce.config.load import Loaded, load_config
from pagerforce.config.offline import doubt_lines
from pagerforce.errors import NotFoundError, PagerforceError, RemoteError
from pagerforce.model.value import Json, format_instant, parse_instant
from pagerforce.rules.needs import fields_needed
from pagerforce.rules.syntax import Rule
from pagerforce.service.applied import rules_of, without_rules
from pagerforce.service.checks.asking import Asking, GaveUpError
from pagerforce.service.checks.writing import WritingCheck
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.control.simulate import RulesFile, show_report, try_rules
from pagerforce.service.fieldcheck import check_fields
from pagerforce.service.wiring import CATALOG
from pagerforce.store import revisions
from pagerforce.store.revisions import Revision

_SHOWN_DAYS = 7


class AllRules(Request):
    """Every rule in force."""


class ShowRules(Request):
    """The rules in full; ``name``: of one ruleset or rule only."""

    name: str | None = None


class ApplyRules(RulesFile):
    """A file to put in force; ``since``: how far back its effect is shown, a week if not given."""

    since: str | None = None


class Rollback(Request):
    """Back to what was in force before."""


async def list_rules(desk: Desk, _: AllRules) -> Json:
    """Every rule in force, in the order in which they are tried."""
    loaded = await desk.loaded()
    return [_show_rule(rule) for rule in loaded.rules]


def _show_rule(rule: Rule) -> Json:
    return {
        "ruleset": rule.ruleset,
        "rule": rule.name,
        "object": rule.object,
        "run_on": rule.run_on.value,
        "enabled": rule.enabled,
        "stop": rule.stop,
        "max_age_seconds": None if rule.max_age is None else rule.max_age.total_seconds(),
        "actions": [call.do for call in rule.actions],
        "place": rule.place,
    }


async def show_rules(desk: Desk, request: ShowRules) -> Json:
    """The rulesets and maps in force as written, where they come from, and every revision.

    Raises:
        NotFoundError: no ruleset or rule has this name.
    """
    loaded = await desk.loaded()
    history: list[Revision] = []
    if desk.home.reading is not None:
        async with desk.read() as tx:
            history = await revisions.read_revisions(tx)
    revision = next((item for item in history if not item.is_withdrawn), None)
    rulesets = [_named(item, request.name) for item in loaded.config.rulesets]
    found = [item for item in rulesets if item is not None]
    if request.name is not None and not found:
        raise NotFoundError(f"no ruleset or rule is named {request.name!r}")
    return {
        "source": "configuration" if revision is None else f"revision {revision.number}",
        "files": [str(path) for path in loaded.files],
        "rulesets": [to_plain(item) for item in found],
        "maps": to_plain(loaded.config.maps),
        "revisions": [_show_revision(item, revision) for item in history],
    }


def _named(ruleset: Mapping[str, object], name: str | None) -> Mapping[str, object] | None:
    """The ruleset, whole or with the rules of this name; None where it has none."""
    if name is None or ruleset.get("name") == name:
        return ruleset
    rules = ruleset.get("rules")
    found = [
        item
        for item in (rules if isinstance(rules, list | tuple) else ())
        if isinstance(item, Mapping) and item.get("name") == name
    ]
    return {**ruleset, "rules": found} if found else None


def to_plain(value: object) -> Json:
    """TOML as JSON: times as text."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _show_revision(item: Revision, in_force: Revision | None) -> Json:
    return {
        "number": item.number,
        "at": format_instant(item.at),
        "user": item.user,
        "name": item.name,
        "in_force": in_force is not None and item.number == in_force.number,
        "withdrawn": item.is_withdrawn,
    }


async def check_rules(desk: Desk, request: RulesFile) -> Json:
    """Whether a file could be put in force; changes nothing.

    ``{"ok": whether it should be, "rules": n, "org": "checked" or why not, "doubts": [{where,
    what}]}``: what is doubtful would fail only when a rule fires.

    Raises:
        ConfigError: it could not; with every problem.
    """
    tried = _load_text(desk, request)
    org = "checked"
    doubts = doubt_lines(tried)
    try:
        async with desk.sides() as (_, salesforce):
            await check_fields(salesforce.schema, tried)
            lines = await WritingCheck(
                tried, salesforce.client, salesforce.schema, salesforce.lookups, Asking()
            ).run()
            doubts += [line for line in lines if line.kind is not Kind.OK]
    except (RemoteError, GaveUpError) as error:
        org = f"could not be asked: {error}"
    return {
        "ok": all(line.ok for line in doubts),
        "rules": len(tried.rules),
        "org": org,
        "doubts": _show_doubts(doubts),
    }


def _show_doubts(lines: Sequence[CheckLine]) -> list[Json]:
    return [{"where": line.what, "what": line.remedy} for line in lines]


async def apply_rules(desk: Desk, request: ApplyRules) -> Json:
    """Checks a file, also against the org, shows its effect, and puts it in force, or nothing.

    Raises:
        ConfigError: the file is wrong; nothing was changed.
        RemoteError: the org could not be asked; nothing was changed.
    """
    before = await desk.loaded()
    tried = _load_text(desk, request)
    _refuse_other_changes(desk, before, tried)
    async with desk.sides() as (_, salesforce):
        await check_fields(salesforce.schema, tried)
    await desk.tell("the file is good; trying it on recorded events")
    now = desk.home.clock.now()
    since = now - timedelta(days=_SHOWN_DAYS)
    if request.since is not None:
        since = parse_instant(request.since.upper())
    effect = show_report(await try_rules(desk, tried, before, since=since))
    caller = desk.caller
    async with desk.change({"name": request.name, "rules": len(tried.rules)}) as tx:
        number = await revisions.add_revision(
            tx,
            name=PurePath(request.name).name,
            content=request.content,
            uid=caller.uid,
            user=caller.user,
            now=now,
        )
    _put_in_force(desk, _with(desk, rules_of_text(number, request)))
    return {
        "revision": number,
        "rules": len(tried.rules),
        "since": format_instant(since),
        "effect": effect,
        "new_fields": _new_fields(before, tried),
        "doubts": _show_doubts(doubt_lines(tried)),
    }


def _new_fields(before: Loaded, after: Loaded) -> dict[str, Json]:
    """Object -> fields that only the new rules speak of; its records are read once more for them."""
    known, wanted = fields_needed(before.rules), fields_needed(after.rules)
    found = {name: sorted(fields - known.get(name, frozenset())) for name, fields in wanted.items()}
    return {name: list(fields) for name, fields in found.items() if fields}


async def roll_back(desk: Desk, _: Rollback) -> Json:
    """Goes back to the revision before, or to the configuration's own rules.

    Raises:
        NotFoundError: no applied file is in force.
        ConfigError: what would be in force then does not fit the configuration any more.
    """
    async with desk.read() as tx:
        current = await revisions.find_in_force(tx)
        if current is None:
            raise NotFoundError(
                "nothing to roll back: the rules in force are those of the configuration's files"
            )
        below = await revisions.find_below(tx, current.number)
    loaded = _with(desk, rules_of(below))
    if desk.home.running is not None:
        _refuse_other_changes(desk, await desk.loaded(), loaded)
    async with desk.change({"from": current.number, "to": below.number if below else None}) as tx:
        await revisions.withdraw(tx, current.number, desk.home.clock.now())
    _put_in_force(desk, loaded)
    return {
        "withdrawn": current.number,
        "revision": below.number if below else None,
        "rules": len(loaded.rules),
    }


def _load_text(desk: Desk, file: RulesFile) -> Loaded:
    return _with(desk, (RulesText(file.name, file.content),))


def rules_of_text(number: int, file: RulesFile) -> tuple[RulesText, ...]:
    """As it will be named from now on."""
    name = PurePath(file.name).name
    return (RulesText(f"rules revision {number} ({name})", file.content),)


def _with(desk: Desk, rules: tuple[RulesText, ...]) -> Loaded:
    home = desk.home
    return load_config(home.config, catalog=CATALOG, environ=home.environ, rules=rules)


def _refuse_other_changes(desk: Desk, before: Loaded, after: Loaded) -> None:
    """Whoever may write rules may not thereby put other changes of the files in force."""
    if desk.home.running is not None and without_rules(before) != without_rules(after):
        raise PagerforceError(
            "the configuration's files have changed in more than rules since the daemon started; an "
            "administrator has to restart it first"
        )


def _put_in_force(desk: Desk, loaded: Loaded) -> None:
    if desk.home.running is not None:
        desk.home.running.parts.put_in_force(loaded)
