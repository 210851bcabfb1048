"""The root of the command line; ``app.py`` and ``service.py`` add commands to it."""

from typing import Annotated

import typer

from pagerforce import __version__
from pagerforce.cli.console import out
from pagerforce.cli.display import PlainGroup, accept_any_encoding
from pagerforce.store.sqlite.migrate import known_schema


def make_root() -> typer.Typer:
    """Creates a command line without commands."""
    root = typer.Typer(
        name="pagerforce",
        cls=PlainGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Synchronises PagerDuty and Salesforce (BMC Remedyforce), by polling only.",
    )
    root.callback()(_root)
    return root


def start(app: typer.Typer) -> None:
    """Runs a command line; the name is the same with ``python -m``."""
    accept_any_encoding()
    app(prog_name="pagerforce")


def _print_version(value: bool) -> None:  # noqa: FBT001 (typer's callback)
    if value:
        out.line(f"pagerforce {__version__} (schema {known_schema()})")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Show the versions of the program and of its database, and exit.",
        ),
    ] = False,
) -> None:
    """Synchronises PagerDuty and Salesforce (BMC Remedyforce), by polling only."""
