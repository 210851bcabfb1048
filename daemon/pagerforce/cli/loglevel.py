"""``pagerforce log-level``: changes the log level of the running daemon."""

from typing import Annotated

import typer

from pagerforce.cli.console import ConfigOption, JsonOption, out, print_json, reporting
from pagerforce.cli.desk import ask

_LEVELS = ("debug", "info", "warning", "error")


def log_level(
    level: Annotated[str, typer.Argument(metavar="LEVEL", help=", ".join(_LEVELS))],
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Changes the log level of the running daemon until its restart.

    Example: pagerforce log-level debug
    """
    if level not in _LEVELS:
        raise typer.BadParameter(
            f"{level!r} is not one of {', '.join(_LEVELS)}", param_hint="LEVEL"
        )
    with reporting():
        found = ask(config, "log-level", {"level": level})
    if json:
        print_json(found)
    else:
        out.line(f"log level {found['level']}, it was {found['was']}")
