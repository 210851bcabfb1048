"""``pagerforce drift``: compares linked pairs with both sides."""

from typing import Annotated

import typer

from pagerforce.cli.console import ConfigOption, JsonOption, out, print_json, print_table, reporting
from pagerforce.cli.desk import ask

_COLUMNS = ("kind", "side", "incident", "record", "field", "is", "should", "rule")


def drift(
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    apply: Annotated[bool, typer.Option("--apply", help="Repair the differences.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Also ask for linked incidents that are resolved.")
    ] = False,
) -> None:
    """Shows where linked pairs differ from the last poll or from what the rules require.

    unseen: a change that no poll has read; --apply turns it into an event. rule: both sides are as
    known, but by a rule the side that changed earlier must follow the other; --apply puts the
    rule's action into the outbox. gone: the side no longer shows it; remove the link.

    Example: pagerforce drift --apply
    """
    with reporting():
        found = ask(config, "drift", {"apply": apply, "all": every}, is_watched=not json)
    if json:
        print_json(found)
        return
    rows = [
        {**row, "rule": "{ruleset} / {rule}".format(**row["rule"]) if row["rule"] else ""}
        for row in found["differences"]
    ]
    print_table(rows, _COLUMNS, "no differences")
    compared = found["compared"]
    out.line(
        f"compared {compared['links']} links: {compared['incidents']} incidents,"
        f" {compared['records']} records; {found['waiting']} skipped, as actions or changes are"
        f" pending"
    )
    if apply and rows:
        out.line("the repair has started: pagerforce log shows its results")
