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
    apply: Annotated[bool, typer.Option("--apply", help="Repair what differs.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Also ask for linked incidents that are resolved.")
    ] = False,
) -> None:
    """Shows where linked pairs are not as the polls left them or as the rules would have them.

    unseen: a change that no poll has brought; --apply makes an event of it. rule: both sides are as
    known, but a rule would have the side that changed earlier follow the other; --apply puts the
    rule's action into the outbox. gone: the side does not show it any more; remove the link.

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
        f"compared {compared['links']} links: {compared['incidents']} incidents, "
        f"{compared['records']} records; {found['waiting']} left to what is under way"
    )
    if apply and rows:
        out.line("repair is under way: pagerforce log shows what comes of it")
