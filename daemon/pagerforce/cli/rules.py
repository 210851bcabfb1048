"""``pagerforce rules``: shows the rules in force, and replaces them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import tomli_w
import typer

from pagerforce.cli.console import (
    FAILED,
    ConfigOption,
    JsonOption,
    leave,
    out,
    print_json,
    print_table,
    reporting,
)
from pagerforce.cli.desk import ask
from pagerforce.cli.log import check_since
from pagerforce.cli.simulate import print_report, read_text
from pagerforce.model.display import toml_text

rules = typer.Typer(help="The rules in force.", no_args_is_help=True)
File = Annotated[
    Path, typer.Argument(metavar="FILE", help="TOML with [[rulesets]] and, if needed, [maps].")
]


@rules.command("list")
def list_rules(*, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Shows every rule in force, in the order of evaluation.

    Example: pagerforce rules list
    """
    with reporting():
        found = ask(config, "rules list")
    if json:
        print_json(found)
        return
    rows = [{**row, "actions": ", ".join(row["actions"]) or "stop"} for row in found]
    print_table(rows, ("ruleset", "rule", "object", "run_on", "enabled", "actions"), "no rules")


@rules.command("show")
def show_rules(
    name: Annotated[
        str | None, typer.Argument(help="Only this ruleset or rule.", show_default=False)
    ] = None,
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Shows the rules in force as TOML, their source, and every applied revision.

    Example: pagerforce rules show
    """
    with reporting():
        found = ask(config, "rules show", {"name": name})
    if json:
        print_json(found)
        return
    out.line(f"# in force: {found['source']}")
    for item in found["revisions"]:
        word = "in force" if item["in_force"] else "withdrawn" if item["withdrawn"] else "below"
        line = (
            f"# revision {item['number']}: {item['name']}, applied {item['at']} by {item['user']}"
        )
        out.line(f"{line} ({word})")
    maps = {} if name is not None else found["maps"]
    table = {"rulesets": found["rulesets"]} | ({"maps": maps} if maps else {})
    out.lines(toml_text(tomli_w.dumps(table)))


@rules.command("check")
def check_rules(file: File, *, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Says whether a rules file could be put in force, and what would fail only when a rule fires.

    Exit code 1 if something would fail: correct it, or apply the file anyway.

    Example: pagerforce rules check new-rules.toml
    """
    with reporting():
        values = {"name": str(file), "content": read_text(file)}
        found = ask(config, "rules check", values, is_watched=not json)
    if json:
        print_json(found)
        if not found["ok"]:
            leave(FAILED)
        return
    word = "OK  " if found["ok"] else "TODO"
    out.line(f"{word} {found['rules']} rules; the org: {found['org']}")
    _show_doubts(found["doubts"])
    if not found["ok"]:
        leave(FAILED)


def _show_doubts(doubts: Sequence[Mapping[str, str]]) -> None:
    for doubt in doubts:
        out.line(f"NOTE {doubt['where']}: {doubt['what']}")


@rules.command("apply")
def apply_rules(
    file: File,
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    since: Annotated[
        str, typer.Option(help="Show the effect on events since this time; default one week.")
    ] = "",
) -> None:
    """Checks a rules file, shows its effect on recorded events, and puts it in force.

    It replaces every ruleset of the configuration, also after a restart, until `rules rollback`.
    A file with a problem changes nothing.

    Example: pagerforce rules apply new-rules.toml
    """
    check_since(since)
    with reporting():
        values = {"name": str(file), "since": since or None, "content": read_text(file)}
        found = ask(config, "rules apply", values, is_watched=not json)
    if json:
        print_json(found)
        return
    print_report(found["effect"])
    out.line(f"in force: revision {found['revision']}, {found['rules']} rules")
    _show_doubts(found["doubts"])
    for name, fields in found["new_fields"].items():
        words = f"every {name} is read again, now with {', '.join(fields)}"
        out.line(words)


@rules.command("rollback")
def roll_back(*, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Returns to the revision before, finally to the rules of the configuration's files.

    Example: pagerforce rules rollback
    """
    with reporting():
        found = ask(config, "rules rollback")
    if json:
        print_json(found)
        return
    now = f"revision {found['revision']}" if found["revision"] else "the configuration's own rules"
    out.line(f"revision {found['withdrawn']} withdrawn; in force: {now}, {found['rules']} rules")
