"""``pagerforce demo``: the whole system against the built-in sandbox, in under a minute."""

from pathlib import Path
from typing import Annotated

import typer

from pagerforce.cli.console import (
    FAILED,
    UnusedConfigOption,
    err,
    leave,
    out,
    print_json,
    reporting,
    run_async,
)


def demo(
    *,
    config: UnusedConfigOption = None,  # noqa: ARG001
    json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON at the end; the story goes to standard error."),
    ] = False,
    rules: Annotated[
        Path | None,
        typer.Option(help="Rules to use instead of the demo's own.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Where to work; a new folder if not given.", show_default=False),
    ] = None,
) -> None:
    """Plays a day of incident life and checks what came of it.

    Example: pagerforce demo
    """
    # Only here: no other command, and not the daemon, has any use for the sandbox.
    from pagerforce.sandbox.demo import play  # noqa: PLC0415

    with reporting():
        is_true = run_async(play, err if json else out, rules, folder)
    if json:
        print_json({"ok": is_true})
    if not is_true:
        leave(FAILED)
