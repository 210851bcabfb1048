"""``pagerforce failed``: dead letters."""

from typing import Annotated

import typer

from pagerforce.cli.console import ConfigOption, JsonOption, out, print_json, print_table, reporting
from pagerforce.cli.desk import ask
from pagerforce.cli.why import print_story

failed = typer.Typer(help="Actions that can't succeed as they are.", no_args_is_help=True)
_COLUMNS = ("id", "action", "incident", "record", "attempts", "last_at", "reason")
Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID...", help="Ids, from `failed list`.", show_default=False),
]
AllOption = Annotated[bool, typer.Option("--all", help="Every present dead letter.")]


@failed.command("list")
def list_failed(*, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Shows every dead letter, oldest first.

    Example: pagerforce failed list --json
    """
    with reporting():
        rows = ask(config, "failed list")
    if json:
        print_json(rows)
    else:
        print_table(rows, _COLUMNS, "no dead letters")


@failed.command("show")
def show_failed(
    action_id: Annotated[str, typer.Argument(metavar="ID", help="From `failed list`.")],
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Shows the full history of one dead letter, as `why` does.

    Example: pagerforce failed show a0123456789abcdef012
    """
    with reporting():
        story = ask(config, "failed show", {"id": action_id})
    if json:
        print_json(story)
    else:
        print_story(story)


@failed.command("retry")
def retry_failed(
    ids: Ids = None,
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    every: AllOption = False,
) -> None:
    """Puts dead letters back into the outbox.

    Before it sends again, pagerforce searches for the effect of an earlier attempt. It can't search
    for a response play or a workflow: a retry sends it again, so look yourself first.
    Arguments that could not be filled in are filled in again, from the present rule.

    Example: pagerforce failed retry a0123456789abcdef012
    """
    _act(
        "failed retry", "retried", "back in the outbox", ids, every=every, config=config, json=json
    )


@failed.command("discard")
def discard_failed(
    ids: Ids = None,
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    every: AllOption = False,
) -> None:
    """Discards dead letters for good; the journal keeps them.

    Example: pagerforce failed discard a0123456789abcdef012
    """
    _act("failed discard", "discarded", "discarded", ids, every=every, config=config, json=json)


def _act(  # noqa: PLR0913 (shared by both commands)
    command: str,
    key: str,
    word: str,
    ids: list[str] | None,
    *,
    every: bool,
    config: ConfigOption,
    json: bool,
) -> None:
    if bool(ids) is every:
        raise typer.BadParameter("give ids, or --all", param_hint="ID")
    with reporting():
        done = ask(config, command, {"ids": ids or [], "all": every})
    if json:
        print_json(done)
        return
    for action_id in done[key]:
        out.line(f"{action_id} {word}")
    if not done[key]:
        out.line("no dead letters")
