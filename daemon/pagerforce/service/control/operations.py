"""Every command that the desk knows: one line per command."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from pagerforce.errors import ConfigError, Problem
from pagerforce.model.value import Json
from pagerforce.service.checker.bounds import ANSWER_SECONDS
from pagerforce.service.checker.turns import Line, Turns
from pagerforce.service.control.backup import BackupRequest, send_backup
from pagerforce.service.control.check import CheckRequest, check
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.control.drift import DriftRequest, drift
from pagerforce.service.control.drift import word_of as drift_word
from pagerforce.service.control.failed import (
    AllLetters,
    SomeLetters,
    discard_failed,
    list_failed,
    retry_failed,
    show_failed,
)
from pagerforce.service.control.journal import ActionId, LogRequest, log, why
from pagerforce.service.control.links import (
    AllLinks,
    OneId,
    Pair,
    PairEdit,
    add_link,
    edit_link,
    list_links,
    remove_link,
    resume_link,
    show_links,
)
from pagerforce.service.control.loglevel import LogLevel, change_level
from pagerforce.service.control.rules import (
    AllRules,
    ApplyRules,
    Rollback,
    ShowRules,
    apply_rules,
    check_rules,
    list_rules,
    roll_back,
    show_rules,
)
from pagerforce.service.control.simulate import RulesFile, SimulateRequest, simulate_rules
from pagerforce.service.control.status import StatusRequest, status
from pagerforce.service.control.trial import TrialRequest, run_trial
from pagerforce.service.control.verify import VerifyRequest, verify

KIB = 1024
_RULES_BYTES = (
    3 * 1024 * KIB + 64 * KIB
)  # a text of the largest size as JSON: at most three times as long


class Operation(Struct, frozen=True):
    """A command: its form and its function.

    Attributes:
        word: in the role table.
        is_change: whether it changes the state; without the daemon only root and the service user
            may then use it.
        seconds: the longest time that it may take.
        needs_state: whether it needs the state of a daemon that has run before.
        largest: the largest size of its form in bytes.
        line: the queue for a checker; None: it needs no checker.
        takes_lines: whether lines may follow the form: then the first line is the form.
        word_of: the word for a filled-in form, if it depends on the form.
    """

    word: str
    form: type[Request]
    run: Callable[[Desk, Any], Awaitable[Json]]
    is_change: bool = False
    seconds: float = 30.0
    word_of: Callable[[Any], str] | None = None
    largest: int = 64 * KIB
    line: Callable[[Turns], Line] | None = None
    takes_lines: bool = False
    needs_state: bool = True

    def changes(self, request: Request) -> bool:
        """Whether this request changes the state."""
        return self.is_change or self.word_for(request) != self.word

    def word_for(self, request: Request) -> str:
        """Returns the word in the role table for this request, such as ``drift --apply``."""
        return self.word if self.word_of is None else self.word_of(request)

    def read(self, text: bytes) -> Request:
        """Returns the form, filled in from a JSON object.

        Raises:
            ConfigError: it is wrong; lists every place.
        """
        try:
            return self.form.model_validate_json(text or b"{}")
        except ValidationError as error:
            problems = [
                Problem(".".join(str(part) for part in item["loc"]), item["msg"])
                for item in error.errors(include_url=False, include_input=False)
            ]
            raise ConfigError(problems) from error


OPERATIONS: Mapping[str, Operation] = {
    item.word: item
    for item in (
        Operation("status", StatusRequest, status),
        Operation("check", CheckRequest, check, seconds=300.0, needs_state=False),
        Operation("log", LogRequest, log),
        Operation("why", ActionId, why),
        Operation(
            "simulate",
            SimulateRequest,
            simulate_rules,
            seconds=ANSWER_SECONDS,
            largest=_RULES_BYTES,
            line=lambda turns: turns.common,
            takes_lines=True,
            needs_state=False,
        ),
        Operation("failed list", AllLetters, list_failed),
        Operation("failed show", ActionId, show_failed),
        Operation("failed retry", SomeLetters, retry_failed, is_change=True, largest=1024 * KIB),
        Operation(
            "failed discard", SomeLetters, discard_failed, is_change=True, largest=1024 * KIB
        ),
        Operation("rules list", AllRules, list_rules, needs_state=False),
        Operation("rules show", ShowRules, show_rules, needs_state=False),
        Operation(
            "rules check",
            RulesFile,
            check_rules,
            seconds=ANSWER_SECONDS,
            largest=_RULES_BYTES,
            line=lambda turns: turns.common,
            needs_state=False,
        ),
        Operation(
            "rules apply",
            ApplyRules,
            apply_rules,
            is_change=True,
            seconds=ANSWER_SECONDS,
            largest=_RULES_BYTES,
            line=lambda turns: turns.applying,
        ),
        Operation("rules rollback", Rollback, roll_back, is_change=True),
        Operation("drift", DriftRequest, drift, seconds=600.0, word_of=drift_word),
        Operation("test", TrialRequest, run_trial, is_change=True, seconds=600.0),
        Operation(
            "verify", VerifyRequest, verify, is_change=True, seconds=600.0, needs_state=False
        ),
        Operation("backup", BackupRequest, send_backup, is_change=True, seconds=1800.0),
        Operation("log-level", LogLevel, change_level, is_change=True),
        Operation("links list", AllLinks, list_links),
        Operation("links show", OneId, show_links),
        Operation("links add", Pair, add_link, is_change=True, seconds=60.0),
        Operation("links edit", PairEdit, edit_link, is_change=True, seconds=60.0),
        Operation("links remove", Pair, remove_link, is_change=True),
        Operation("links resume", OneId, resume_link, is_change=True),
    )
}
