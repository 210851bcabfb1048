"""Puts the commands together; one line per command."""

from typing import Annotated

import typer

from pagerforce import __version__
from pagerforce.cli.backup import backup, restore
from pagerforce.cli.check import check
from pagerforce.cli.console import out
from pagerforce.cli.demo import demo
from pagerforce.cli.display import PlainGroup, accept_any_encoding
from pagerforce.cli.drift import drift
from pagerforce.cli.failed import failed
from pagerforce.cli.init import init
from pagerforce.cli.links import links
from pagerforce.cli.log import log
from pagerforce.cli.loglevel import log_level
from pagerforce.cli.rules import rules
from pagerforce.cli.run import run
from pagerforce.cli.sandbox import sandbox
from pagerforce.cli.simulate import simulate_rules
from pagerforce.cli.status import status
from pagerforce.cli.trial import try_service
from pagerforce.cli.verify import verify
from pagerforce.cli.why import why
from pagerforce.store.migrate import known_schema

app = typer.Typer(
    name="pagerforce",
    cls=PlainGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Synchronises PagerDuty and Salesforce (BMC Remedyforce), by polling only.",
)


def _print_version(value: bool) -> None:  # noqa: FBT001 (typer's callback)
    if value:
        out.line(f"pagerforce {__version__} (schema {known_schema()})")
        raise typer.Exit


@app.callback()
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


for _command in (
    run,
    init,
    check,
    verify,
    status,
    log,
    why,
    drift,
    backup,
    restore,
    demo,
    sandbox,
):
    app.command()(_command)
app.command("simulate")(simulate_rules)
app.command("log-level")(log_level)
app.command("test")(try_service)
app.add_typer(links, name="links")
app.add_typer(rules, name="rules")
app.add_typer(failed, name="failed")


def main() -> None:
    """Runs the command line; the name is the same with ``python -m``."""
    accept_any_encoding()
    app(prog_name="pagerforce")
