"""``pagerforce failed``: dead letters."""

import typer

from pagerforce.cli.console import (
    ConfigOption,
    JsonOption,
    print_json,
    print_table,
    read_config,
    read_state,
    reporting,
)
from pagerforce.store.journal import read_dead_letters

failed = typer.Typer(help="Actions that can't succeed as they are.", no_args_is_help=True)
_COLUMNS = ("id", "action", "incident", "record", "attempts", "last_at", "reason")


@failed.command("list")
def list_failed(*, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Shows every dead letter, oldest first."""
    with reporting():
        rows = read_state(read_config(config), read_dead_letters)
    if json:
        print_json(rows)
    else:
        print_table(rows, _COLUMNS, "no dead letters")
