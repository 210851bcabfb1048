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
        typer.Option("--json", help="Print JSON at the end; the steps go to standard error."),
    ] = False,
    rules: Annotated[
        Path | None,
        typer.Option(help="Rules to use instead of the demo's own.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Working folder; a new one if not given.", show_default=False),
    ] = None,
) -> None:
    """Simulates a day of incidents and checks the results.

    Example: pagerforce demo
    """
    # Imported here: no other command, and not the daemon, uses the sandbox.
    from pagerforce.sandbox.demo import play  # noqa: PLC0415

    with reporting():
        is_true = run_async(play, err if json else out, rules, folder)
    if json:
        print_json({"ok": is_true})
    if not is_true:
        leave(FAILED)
