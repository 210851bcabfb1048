"""``rules``: shows the rules in force, and lets an operator replace them.

An applied file becomes a numbered revision in the state database. It replaces every
``[[rulesets]]`` of the configuration, and its maps of the same names, also after a restart. A
rollback returns to the revision before it, and finally to the configuration's own rules.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Annotated

import anyio
from pydantic import Field

from pagerforce.config.checkline import CheckLine, Kind
from pagerforce.config.load import Loaded
from pagerforce.errors import NotFoundError, PagerforceError, RemoteError
from pagerforce.model.value import Json, format_instant
from pagerforce.rules.needs import fields_needed
from pagerforce.rules.syntax import Rule
from pagerforce.service.checker import bounds
from pagerforce.service.checker.tasks import plain_toml, settings_digest
from pagerforce.service.checks.asking import Asking, GaveUpError
from pagerforce.service.checks.writing import WritingCheck
from pagerforce.service.control.checking import Checked, Job, Trial, run_checker
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.control.simulate import RulesFile, may_read_log, parse_since
from pagerforce.service.fieldcheck import check_fields
from pagerforce.store import revisions
from pagerforce.store.revisions import Revision

Needs = Mapping[str, Sequence[str]]
"""Object -> fields that rules use. The checker finds them: only it reads templates."""

_SHOWN_DAYS = 7
_MOST_LOOKUPS = 100


class AllRules(Request):
    """Asks for every rule in force."""


class ShowRules(Request):
    """Asks for the rules in full; ``name``: only one ruleset or rule."""

    name: Annotated[str, Field(max_length=4096)] | None = None


class ApplyRules(RulesFile):
    """A file to put in force; ``since``: how far back its effect is shown, default one week."""

    since: Annotated[str, Field(max_length=100)] | None = None


class Rollback(Request):
    """Asks for the rules that were in force before."""


async def list_rules(desk: Desk, _: AllRules) -> Json:
    """Returns every rule in force, in the order of evaluation."""
    loaded = await desk.loaded()
    return await anyio.to_thread.run_sync(lambda: [_show_rule(rule) for rule in loaded.rules])


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
    """Returns the rulesets and maps in force as written, their source, and every revision.

    Raises:
        NotFoundError: no ruleset or rule has this name.
    """
    loaded = await desk.loaded()
    history: list[Revision] = []
    if desk.home.reading is not None:
        async with desk.read() as tx:
            history = await revisions.read_revisions(tx)
    return await anyio.to_thread.run_sync(_show_rules, loaded, history, request)


def _show_rules(loaded: Loaded, history: Sequence[Revision], request: ShowRules) -> Json:
    revision = next((item for item in history if not item.is_withdrawn), None)
    rulesets = [_named(item, request.name) for item in loaded.config.rulesets]
    found = [item for item in rulesets if item is not None]
    if request.name is not None and not found:
        raise NotFoundError(f"no ruleset or rule is named {request.name!r}")
    return {
        "source": "configuration" if revision is None else f"revision {revision.number}",
        "files": [str(path) for path in loaded.files],
        "rulesets": [plain_toml(item) for item in found],
        "maps": plain_toml(loaded.config.maps),
        "revisions": [_show_revision(item, revision) for item in history],
    }


def _named(ruleset: Mapping[str, object], name: str | None) -> Mapping[str, object] | None:
    """Returns the ruleset, whole or with the rules of this name; None if it has none."""
    if name is None or ruleset.get("name") == name:
        return ruleset
    rules = ruleset.get("rules")
    found = [
        item
        for item in (rules if isinstance(rules, list | tuple) else ())
        if isinstance(item, Mapping) and item.get("name") == name
    ]
    return {**ruleset, "rules": found} if found else None


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
    """Checks whether a file could be put in force; changes nothing.

    Returns ``{"ok": whether it should be, "rules": n, "org": "checked" or why not, "doubts":
    [{where, what}]}``: doubtful items would fail only when a rule fires.

    Raises:
        ConfigError: it could not; lists every problem.
        TooMuchError: the check needs too much time or memory.
    """
    ends_at = anyio.current_time() + bounds.ALONE_SECONDS
    before = await desk.loaded()
    job = Job([(request.name, request.content)], gives_rules=True, seconds=bounds.SHARED_SECONDS)
    found = await run_checker(desk, desk.home.turns.common, job)
    org, lines = await _ask_org(desk, found.in_place_of(before), found.about["needs"], ends_at)
    return {
        "ok": found.about["are_doubts_ok"] and all(line.ok for line in lines),
        "rules": len(found.rules),
        "org": org,
        "doubts": _show_doubts(found) + [{"where": x.what, "what": x.remedy} for x in lines],
    }


async def _ask_org(
    desk: Desk, tried: Loaded, needed: Needs, ends_at: float
) -> tuple[str, list[CheckLine]]:
    """Returns whether the org answered, and the doubts; raises ``ConfigError``."""
    try:
        with anyio.fail_after(ends_at - anyio.current_time()):
            async with desk.sides() as (_, salesforce):
                await check_fields(salesforce.client, salesforce.schema, tried, needed)
                lines = await WritingCheck(
                    tried,
                    salesforce.client,
                    salesforce.schema,
                    salesforce.lookups,
                    Asking(),
                    most_lookups=_MOST_LOOKUPS,
                ).run()
    except (RemoteError, GaveUpError) as error:
        return f"could not be asked: {error}", []
    except TimeoutError:
        return "could not be asked: it did not answer in time", []
    return "checked", [line for line in lines if line.kind is not Kind.OK][: bounds.MOST_PROBLEMS]


def _show_doubts(found: Checked) -> list[Json]:
    return [{"where": where, "what": what} for where, what in found.about["doubts"]]


async def apply_rules(desk: Desk, request: ApplyRules) -> Json:
    """Checks a file, also against the org, shows its effect, and puts it in force.

    Raises:
        ConfigError: the file is wrong; nothing was changed.
        TooMuchError: it needs too much time or memory; nothing was changed.
        RemoteError: a request to the org failed; nothing was changed.
    """
    ends_at = anyio.current_time() + bounds.ALONE_SECONDS
    now = desk.home.clock.now()
    since = now - timedelta(days=_SHOWN_DAYS)
    if request.since is not None:
        since = parse_since(request.since)
    before = await desk.loaded()
    found = await _try_file(desk, request, before, since)
    tried = found.in_place_of(before)
    await _check_fields(desk, tried, found.about["needs"], ends_at)
    number = await _next_number(desk)
    found.labelled(request.name, revisions.label_of(number, PurePath(request.name).name))
    in_force = await _prepare(desk, found.in_place_of(before))
    with anyio.CancelScope(
        shield=True
    ):  # stored rules must also be in force, even if the caller disconnects now
        await _store(desk, request, number, len(found.rules), now)
        in_force()
    return {
        "revision": number,
        "rules": len(found.rules),
        "since": format_instant(since),
        "effect": found.report,
        "new_fields": await anyio.to_thread.run_sync(_new_fields, before, found.about["needs"]),
        "doubts": _show_doubts(found),
    }


async def _try_file(desk: Desk, request: ApplyRules, before: Loaded, since: datetime) -> Checked:
    trial = Trial(before, since=since, shows_values=may_read_log(desk))
    job = Job(
        [(request.name, request.content)],
        gives_rules=True,
        trial=trial,
        seconds=bounds.SHARED_SECONDS,
    )
    found = await run_checker(desk, desk.home.turns.applying, job)
    _refuse_other_changes(desk, before, found)
    return found


async def _check_fields(desk: Desk, tried: Loaded, needed: Needs, ends_at: float) -> None:
    try:
        with anyio.fail_after(ends_at - anyio.current_time()):
            async with desk.sides() as (_, salesforce):
                await check_fields(salesforce.client, salesforce.schema, tried, needed)
    except TimeoutError as error:
        raise PagerforceError(
            "the org did not answer in time about the fields that the rules use; nothing was "
            "changed: try again"
        ) from error


async def _next_number(desk: Desk) -> int:
    async with desk.read() as tx:
        return await revisions.next_number(tx)


async def _store(desk: Desk, request: ApplyRules, number: int, count: int, now: datetime) -> None:
    async with desk.change({"name": request.name, "rules": count}) as tx:
        if await revisions.next_number(tx) != number:
            raise PagerforceError(
                "other rules were applied meanwhile; nothing was changed: try again"
            )
        await revisions.add_revision(
            tx,
            name=PurePath(request.name).name,
            content=request.content,
            uid=desk.caller.uid,
            user=desk.caller.user,
            now=now,
        )


def _new_fields(before: Loaded, wanted: Needs) -> dict[str, Json]:
    """Returns object -> fields that only the new rules use; its records are read again for them."""
    known = fields_needed(before.rules)
    found = {name: sorted(set(x) - known.get(name, frozenset())) for name, x in wanted.items()}
    return {name: list(fields) for name, fields in found.items() if fields}


async def roll_back(desk: Desk, _: Rollback) -> Json:
    """Returns to the revision before, or to the configuration's own rules.

    Raises:
        NotFoundError: no applied file is in force.
        ConfigError: the earlier rules no longer fit the configuration.
    """
    async with desk.read() as tx:
        current = await revisions.find_in_force(tx)
        if current is None:
            raise NotFoundError(
                "nothing to roll back: the rules in force are those of the configuration's files"
            )
        below = await revisions.find_below(tx, current.number)
    texts = [] if below is None else [(revisions.label_of(below.number, below.name), below.content)]
    found = await run_checker(desk, desk.home.turns.applying, Job(texts, gives_rules=True))
    before = await desk.loaded()
    _refuse_other_changes(desk, before, found)
    in_force = await _prepare(desk, found.in_place_of(before))
    with anyio.CancelScope(shield=True):
        numbers = {"from": current.number, "to": below.number if below else None}
        async with desk.change(numbers) as tx:
            await revisions.withdraw(tx, current.number, desk.home.clock.now())
        in_force()
    return {
        "withdrawn": current.number,
        "revision": below.number if below else None,
        "rules": len(found.rules),
    }


def _refuse_other_changes(desk: Desk, before: Loaded, found: Checked) -> None:
    """Refuses other changes of the files: the right to write rules does not include them."""
    if desk.home.running is not None and settings_digest(before) != found.about["settings"]:
        raise PagerforceError(
            "since the daemon started, more than rules has changed in the configuration's files;"
            " an administrator must restart it first"
        )


async def _prepare(desk: Desk, loaded: Loaded) -> Callable[[], None]:
    """Prepares rules; the returned function puts them in force at once."""
    if desk.home.running is None:
        return lambda: None
    return await desk.home.running.parts.prepare(loaded)
