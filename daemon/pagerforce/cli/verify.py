"""``pagerforce verify``: tests whether the real accounts behave as pagerforce believes."""

import json as codec
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from pagerforce import __version__
from pagerforce.cli.console import (
    FAILED,
    USAGE,
    ConfigOption,
    JsonOption,
    leave,
    reporting,
)
from pagerforce.cli.desk import ask
from pagerforce.cli.display import ask_person, err, is_answered, out, print_json
from pagerforce.errors import ConfigError, PagerforceError, Problem

_WORDS = {"ok": "OK", "differs": "DIFFERS", "not_tried": "not tried"}


def verify(  # noqa: PLR0913 (one parameter per option)
    service: Annotated[
        str, typer.Argument(metavar="SERVICE", help="A service's id or name; pages who is on call.")
    ],
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    object_name: Annotated[
        str, typer.Option("--object", help="Object of the test record; default: the first.")
    ] = "",
    urgency: Annotated[
        str, typer.Option(help="low or high; escalation may need high, which may wake people.")
    ] = "low",
    policy: Annotated[
        str, typer.Option(help="Another escalation policy to delegate to, id or name.")
    ] = "",
    status_update: Annotated[
        bool, typer.Option("--status-update", help="Also send a status update to subscribers.")
    ] = False,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field that the record must have."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Where to write the report, a new file.", show_default=False),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0.1, max=120.0, help="Seconds to wait for a log entry.")
    ] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before writing.")] = False,
) -> None:
    """Tests with an incident and a record whether both accounts behave as pagerforce believes.

    It writes to the real accounts and closes what it created. The report contains no texts, only
    ids and types.

    Example: pagerforce verify PNET001
    """
    if urgency not in ("low", "high"):
        raise typer.BadParameter(f"{urgency!r} is neither low nor high", param_hint="--urgency")
    wanted: dict[str, object] = {
        "service": service,
        "object": object_name,
        "urgency": urgency,
        "policy": policy,
        "status_update": status_update,
        "wait_seconds": wait,
    }
    with reporting(), _interruptible():
        wanted["values"] = _read_values(values or [])
        path = report or Path(f"pagerforce-verify-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
        if not yes:
            _agree(ask(config, "verify", wanted | {"plan": True}, tell=_keep_quiet))
        handle = _open_report(path)
        try:
            found = ask(config, "verify", wanted, tell=_keep_quiet if json else _tell)
        except BaseException:
            os.close(handle)
            path.unlink(missing_ok=True)
            raise
        _write_report(handle, found)
    _show(found, path, is_json=json)
    statuses = {item["status"] for item in found["beliefs"]}
    if found["left"] or "differs" in statuses or "ok" not in statuses:
        leave(FAILED)


def _read_values(given: list[str]) -> dict[str, str | bool | int | float]:
    """Reads ``FIELD=VALUE``: booleans and numbers have their type, everything else is text.

    Raises:
        ConfigError: one has no ``=``.
    """
    found: dict[str, str | bool | int | float] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise ConfigError([Problem("--set", f"{text!r} is not FIELD=VALUE")])
        try:
            plain = codec.loads(value)
        except ValueError:
            plain = value
        found[name.strip()] = plain if isinstance(plain, bool | int | float) else value
    return found


def _agree(plan: Mapping[str, Any]) -> None:
    """Asks before anything is written; without a terminal it only says what would be done."""
    err.line("verify works on the real accounts. It will")
    for line in plan["will"]:
        err.line(f"  - {line}")
    if not is_answered():
        err.line("nothing was done: answer with --yes")
        leave(USAGE)
    if ask_person("Continue? y or n").lower() not in ("y", "yes"):
        err.line("nothing was done")
        leave(FAILED)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP end the command as Ctrl-C does: it first closes what it created.

    Raises:
        PagerforceError: it was interrupted.
    """
    kinds = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(kind, _interrupt) for kind in kinds]
    try:
        yield
    except KeyboardInterrupt:
        raise PagerforceError(
            "interrupted: the test data is closed; if that took too long, the next run closes the"
            " rest"
        ) from None
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)


def _open_report(path: Path) -> int:
    """Creates a new file, for its owner only.

    Raises:
        PagerforceError: it exists already, or the folder can't be written.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise PagerforceError(f"{path} exists already: give another file with --report") from None
    except OSError as error:
        raise PagerforceError(
            f"{path}: {error.strerror}; give a file that can be written with --report"
        ) from None


def _write_report(handle: int, found: Mapping[str, Any]) -> None:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    told = {"pagerforce": __version__, "made_at": made_at, **found}
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            codec.dump(told, stream, indent=1, ensure_ascii=False)
            stream.write("\n")
    except OSError as error:
        raise PagerforceError(f"the report could not be written: {error.strerror}") from error


def _show(found: Mapping[str, Any], path: Path, *, is_json: bool) -> None:
    """Prints the outcome."""
    if is_json:
        left = {key: found[key] for key in ("left", "closed")}
        print_json({"beliefs": found["beliefs"], "report": str(path), **left})
        return
    _table(found["beliefs"])
    for item in found["closed"]:
        out.line(f"closed, left by an earlier run: {item}")
    for item in found["left"]:
        err.line(f"LEFT: {item}")
    statuses = [item["status"] for item in found["beliefs"]]
    ok, differ, untried = (statuses.count(word) for word in _WORDS)
    out.line(f"{ok} OK, {differ} differ, {untried} not tried; report: {path}")
    if differ:
        out.line("please send the report to the authors: it contains only ids and types, no texts")


def _table(beliefs: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (_WORDS[item["status"]], item["belief"], item["expected"], item["reason"] or item["seen"])
        for item in beliefs
    ]
    out.table(("status", "belief", "expected", "seen"), rows)


def _tell(text: str, _: float | None = None) -> None:
    err.line(text)


def _keep_quiet(_: str, __: float | None = None) -> None:
    pass
