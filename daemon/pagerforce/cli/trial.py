"""``pagerforce test``: a test incident from trigger to resolve."""

from typing import Annotated

import typer

from pagerforce.cli.console import (
    FAILED,
    ConfigOption,
    JsonOption,
    err,
    leave,
    out,
    print_json,
    reporting,
)
from pagerforce.cli.desk import ask


def try_service(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="A service's id or name.")],
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    urgency: Annotated[
        str, typer.Option(help="low or high; high may wake the people on call.")
    ] = "low",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each step.")] = 120.0,
) -> None:
    """Triggers a test incident, follows it until it is seen and evaluated, and resolves it.

    The rules in force apply: a rule that creates records creates one. Needs the running daemon.

    Example: pagerforce test PNET001
    """
    if urgency not in ("low", "high"):
        raise typer.BadParameter(f"{urgency!r} is neither low nor high", param_hint="--urgency")
    values = {"service": service, "urgency": urgency, "timeout_seconds": timeout}
    with reporting():
        found = ask(config, "test", values, tell=_keep_quiet if json else _tell)
    if json:
        print_json(found)
    else:
        for rule in found["rules"]:
            out.line(f"  {rule['event']}: {rule['ruleset']} / {rule['rule']}")
        for action in found["actions"]:
            out.line(
                f"  {action['event']}: {action['action']} {action['outcome']} ({action['action_id']})"
            )
        out.line("OK" if found["ok"] else "FAILED")
    if not found["ok"]:
        leave(FAILED)


def _tell(text: str, _: float | None = None) -> None:
    err.line(text)


def _keep_quiet(_: str, __: float | None = None) -> None:
    pass
