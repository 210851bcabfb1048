"""``pagerforce links``: which incidents and records belong together."""

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
from pagerforce.model.value import format_instant
from pagerforce.store.links import read_links

links = typer.Typer(help="Incident mappings.", no_args_is_help=True)


@links.command("list")
def list_links(*, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Shows every link, oldest first."""
    with reporting():
        found = read_state(read_config(config), read_links)
    rows = [
        {
            "incident": link.incident_id,
            "object": link.object,
            "record": link.record_id,
            "state": link.state.value,
            "created_at": format_instant(link.created_at),
        }
        for link in found
    ]
    if json:
        print_json(rows)
    else:
        print_table(rows, ("incident", "object", "record", "state", "created_at"), "no links")
