"""``pagerforce demo``: the whole system against the built-in sandbox, in under a minute."""

from pathlib import Path
from typing import Annotated

import typer

from pagerforce.cli.console import FAILED, leave, out, reporting, run_async
from pagerforce.sandbox.demo import play


def demo(
    *,
    rules: Annotated[
        Path | None,
        typer.Option(help="Rules to use instead of the demo's own.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Where to work; a new folder if not given.", show_default=False),
    ] = None,
) -> None:
    """Plays a day of incident life and checks what came of it."""
    with reporting():
        is_true = run_async(play, out, rules, folder)
    if not is_true:
        leave(FAILED)
