"""``pagerforce links``: the links of incidents and records."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pagerforce.cli.console import (
    ConfigOption,
    JsonOption,
    out,
    print_json,
    print_table,
    reporting,
)
from pagerforce.cli.desk import ask

links = typer.Typer(help="Incident mappings.", no_args_is_help=True)
_EVIDENCE = ("at", "action_id", "action", "ruleset", "rule")
_COLUMNS = ("incident", "object", "record", "state", "created_at")
Incident = Annotated[
    str, typer.Argument(metavar="INCIDENT", help="An incident's id or its number.")
]
Record = Annotated[
    str, typer.Argument(metavar="RECORD", help="A record's Id, 15 or 18 characters.")
]
LinkedRecord = Annotated[
    str, typer.Argument(metavar="RECORD", help="A record's Id, 15 or 18 characters, or its Name.")
]


@links.command("list")
def list_links(*, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Shows every link, oldest first.

    Example: pagerforce links list --json
    """
    with reporting():
        found = ask(config, "links list", is_watched=not json)
    _show(found, json=json)


@links.command("show")
def show_links(
    subject: Annotated[
        str,
        typer.Argument(metavar="ID", help="An incident's id or number, or a record's Id or Name."),
    ],
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Shows the links of one incident or record, why they pause, and the last actions on them.

    Example: pagerforce links show PABC123
    """
    rows = _ask(config, "links show", id=subject)
    _show(rows, json=json)
    for row in () if json else rows:
        for pause in row["pauses"]:
            word = f"paused until {pause['until']}"
            if pause["ended_at"]:
                word = f"was paused from {pause['began_at']} to {pause['ended_at']}"
            out.line(f"{word}: {pause['reason']}")
            if pause["evidence"]:
                out.line("the actions that led to it, newest first:")
                print_table(pause["evidence"], _EVIDENCE, "")
    if not json:
        recent = [item for row in rows for item in row["recent"]]
        print_table(recent, ("at", "action_id", "action", "outcome", "reason"), "no actions yet")


@links.command("add")
def add_link(
    incident: Incident,
    record: Record,
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Links an incident and a record; checks first that both exist.

    Comments and notes from now on are copied, earlier ones are not.

    Example: pagerforce links add PABC123 a0B000000000001EAA
    """
    _show(_ask(config, "links add", incident=incident, record=record), json=json)


@links.command("edit")
def edit_link(  # noqa: PLR0913 (one parameter per option)
    incident: Incident,
    record: LinkedRecord,
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    state: Annotated[
        str | None,
        typer.Option(help="active or inactive: an inactive link copies nothing."),
    ] = None,
    to_incident: Annotated[
        str | None, typer.Option(help="Link the record to this incident instead.")
    ] = None,
    to_record: Annotated[
        str | None, typer.Option(help="Link the incident to this record instead.")
    ] = None,
) -> None:
    """Makes a link active or inactive, or moves it to another incident or record.

    Example: pagerforce links edit PABC123 a0B000000000001EAA --state inactive
    """
    if state not in (None, "active", "inactive"):
        raise typer.BadParameter(f"{state!r} is neither active nor inactive", param_hint="--state")
    if state is None and to_incident is None and to_record is None:
        raise typer.BadParameter("give --state, --to-incident or --to-record")
    values = {"incident": incident, "record": record, "state": state}
    values |= {"new_incident": to_incident, "new_record": to_record}
    _show(_ask(config, "links edit", **values), json=json)


@links.command("remove")
def remove_link(
    incident: Incident,
    record: LinkedRecord,
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Removes a link; changes nothing on either side.

    Example: pagerforce links remove PABC123 a0B000000000001EAA
    """
    _show(_ask(config, "links remove", incident=incident, record=record), json=json)


@links.command("resume")
def resume_link(
    incident: Incident, *, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Ends the pause of a link early.

    Example: pagerforce links resume PABC123
    """
    found = _ask(config, "links resume", id=incident)
    if json:
        print_json(found)
        return
    out.line("resumed" if found["resumed"] else "it was not paused")
    print_table(found["links"], _COLUMNS, "no links")


def _ask(config: Path | None, command: str, **values: object) -> Any:  # noqa: ANN401 (JSON)
    with reporting():
        return ask(config, command, values)


def _show(found: Any, *, json: bool) -> None:  # noqa: ANN401 (JSON)
    if json:
        print_json(found)
    else:
        print_table(found if isinstance(found, list) else [found], _COLUMNS, "no links")
