"""Lets a checker read, check and try rules, for one operator's request."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce import __version__
from pagerforce.config.load import Loaded
from pagerforce.errors import ConfigError, Problem
from pagerforce.model.value import Json, format_instant
from pagerforce.rules.syntax import Rule
from pagerforce.service.catalog import SPECS
from pagerforce.service.checker import bounds
from pagerforce.service.checker.plain import line_of_rule, rule_of
from pagerforce.service.checker.process import Checker, TooMuchError, open_checker
from pagerforce.service.checker.turns import Line
from pagerforce.service.control.desk import Desk
from pagerforce.store.recorded import Place, read_page

_RULES_AT_ONCE = 100
_FOLDERS = ("RUNTIME_DIRECTORY", "STATE_DIRECTORY")  # set by systemd and used by the check


class Trial(Struct, frozen=True):
    """The events on which rules are tried.

    Attributes:
        in_force: the rules to compare with, or to try.
        lines: events, newest first; None: the journal's.
        shows_values: whether the report may contain values and texts of events.
    """

    in_force: Loaded
    since: datetime | None = None
    lines: AsyncIterator[bytes] | None = None
    shows_values: bool = True


class Job(Struct, frozen=True):
    """The job of a checker.

    Attributes:
        texts: label and content of each text that replaces the configuration's rules; None: only
            the rules in force are tried.
        gives_rules: whether the checker returns the rules themselves.
        seconds: for the whole job, including the wait for a turn.
    """

    texts: Sequence[tuple[str, str]] | None
    gives_rules: bool = False
    trial: Trial | None = None
    seconds: float = bounds.ALONE_SECONDS


class Checked(Struct):
    """The result of a checker: the checked rules and the report."""

    rules: list[Rule] = msgspec.field(default_factory=list)
    about: Mapping[str, Any] = msgspec.field(default_factory=dict)
    report: dict[str, Json] | None = None

    def in_place_of(self, before: Loaded) -> Loaded:
        """Returns the given configuration with these rules and maps."""
        changes = {
            "rulesets": tuple(self.about["rulesets"]),
            "maps": self.about["maps"],
            "include": tuple(self.about["include"]),
        }
        files = tuple(Path(name) for name in self.about["files"])
        return Loaded(before.config.model_copy(update=changes), tuple(self.rules), files)

    def labelled(self, old: str, new: str) -> None:
        """Changes the label of these rules' text."""
        self.rules = [
            replace(rule, place=new + rule.place.removeprefix(old))
            if rule.place.startswith(f"{old}: ")
            else rule
            for rule in self.rules
        ]


async def run_checker(desk: Desk, line: Line, job: Job) -> Checked:
    """Waits for a turn and runs the job.

    Raises:
        ConfigError: the rules or the events are wrong.
        BusyError: this request's turn did not come in time.
        TooMuchError: they need more time or memory than allowed.
    """
    ends_at = anyio.current_time() + job.seconds
    async with line.turn(desk.caller.uid, min(bounds.WAIT_SECONDS, job.seconds)):
        left = ends_at - anyio.current_time()
        with anyio.move_on_after(left) as scope:
            async with open_checker(desk.home.environ) as checker:
                found = await _Talk(desk, job, checker, left - bounds.END_SECONDS).run()
        if scope.cancelled_caught:
            raise TooMuchError(
                f"checking the rules took more than {left:.0f} s and was stopped: use fewer or "
                "simpler rules, or fewer events"
            )
        return found


class _Talk(Struct):
    """The exchange of one job with its checker: input and output in parallel."""

    desk: Desk
    job: Job
    checker: Checker
    seconds: float
    _error: Exception | None = None

    async def run(self) -> Checked:
        found = Checked()
        async with anyio.create_task_group() as group:
            group.start_soon(self._carefully, self._give, group.cancel_scope)
            await self._carefully(lambda: self._take(found), group.cancel_scope)
            group.cancel_scope.cancel()  # it has answered: it does not need the rest of the input
        if self._error is not None:
            raise self._error
        return found

    async def _carefully(
        self, task: Callable[[], Awaitable[None]], scope: anyio.CancelScope
    ) -> None:
        """Ends both if one fails; ``run`` raises the error, so that it is in no exception group."""
        try:
            await task()
        except Exception as error:  # noqa: BLE001 (raised by ``run``)
            self._error = self._error or error
            scope.cancel()

    async def _take(self, found: Checked) -> None:
        async for word, value in self.checker.answers():
            match word:
                case "loaded":
                    found.about = value
                case "rule":
                    found.rules.append(rule_of(value, SPECS))
                case "report":
                    found.report = value

    async def _give(self) -> None:
        job, home = self.job, self.desk.home
        await self._send(
            version=__version__,
            seconds=self.seconds,
            config=str(home.config.absolute()),
            environ={name: home.environ[name] for name in _FOLDERS if name in home.environ},
            texts=job.texts or (),
            is_loaded=job.texts is not None,
            gives_rules=job.gives_rules,
            is_tried=job.trial is not None,
        )
        if job.trial is not None:
            await self._give_trial(job.trial)
        await self.checker.send_end()

    async def _give_trial(self, trial: Trial) -> None:
        rules = trial.in_force.rules
        since = (
            trial.since if trial.lines is not None else None
        )  # the journal is read from ``since`` only
        await self._send(
            in_force=len(rules),
            maps={name: dict(table) for name, table in trial.in_force.config.maps.items()},
            since=None if since is None else format_instant(since),
            shows_values=trial.shows_values,
        )
        for start in range(0, len(rules), _RULES_AT_ONCE):
            some = rules[start : start + _RULES_AT_ONCE]
            await self.checker.send(b"".join(line_of_rule(rule) for rule in some))
        if trial.lines is None:
            await self._give_journal(trial.since)
            return
        size = 0
        async for chunk in trial.lines:
            size += len(chunk)
            if size > bounds.LARGEST_EVENTS_BYTES:
                what = f"are more than {bounds.LARGEST_EVENTS_BYTES} bytes: use fewer, e.g. --since"
                raise ConfigError([Problem("events", what)])
            await self.checker.send(chunk)

    async def _give_journal(self, since: datetime | None) -> None:
        """Sends the journal's events page by page: the journal may be larger than the memory."""
        if self.desk.home.reading is None:
            return
        place: Place | None = None
        while True:
            async with self.desk.read() as tx:
                page = await read_page(tx, since, place)
            if not page.lines and page.place is None:
                return
            await self.desk.tell("trying the rules on recorded events", page.share)
            await self.checker.send(b"".join(page.lines))
            if page.place is None:
                return
            place = page.place

    async def _send(self, **values: object) -> None:
        line = await anyio.to_thread.run_sync(lambda: json.dumps(values).encode() + b"\n")
        await self.checker.send(line)
