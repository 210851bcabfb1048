"""``pagerforce sandbox``: both APIs on loopback, to try rules by hand."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from pagerforce.cli.console import (
    UnusedConfigOption,
    out,
    print_json,
    reporting,
    run_async,
)

if TYPE_CHECKING:
    from pagerforce.sandbox.running import RunningSandbox


def sandbox(
    *,
    config: UnusedConfigOption = None,  # noqa: ARG001
    json: Annotated[
        bool, typer.Option("--json", help="Print addresses, keys and files as JSON.")
    ] = False,
    folder: Annotated[
        Path,
        typer.Option("--dir", help="Folder for keys, certificates and a configuration."),
    ] = Path("pagerforce-sandbox"),
    tls: Annotated[bool, typer.Option("--tls", help="Serve https with its own CA.")] = False,
    pagerduty_port: Annotated[int, typer.Option(help="0: any free one.")] = 8480,
    salesforce_port: Annotated[int, typer.Option(help="0: any free one.")] = 8481,
) -> None:
    """Serves PagerDuty and Salesforce, stateful, until interrupted.

    Example: pagerforce sandbox --dir my-sandbox
    """
    introduce = _introduce_json if json else _introduce
    with reporting():
        run_async(_serve, folder, tls, (pagerduty_port, salesforce_port), introduce)


async def _serve(
    folder: Path,
    tls: bool,  # noqa: FBT001
    ports: tuple[int, int],
    introduce: Callable[["RunningSandbox"], None],
) -> None:
    # Imported here: no other command, and not the daemon, uses the sandbox.
    from pagerforce.sandbox.running import open_sandbox  # noqa: PLC0415

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_sandbox(folder, ports=ports, tls=tls) as desk:
            introduce(desk)
            async for _ in signals:
                break


def _introduce(desk: "RunningSandbox") -> None:
    for line in (
        f"PagerDuty   {desk.pagerduty_url}   key {desk.api_key}",
        f"Salesforce  {desk.salesforce_url}   consumer key {desk.consumer_key}",
        f"files       {desk.folder}",
        "",
        f"run the daemon against it:  pagerforce run --config {desk.config}",
        "stop with Ctrl-C",
    ):
        out.line(line)


def _introduce_json(desk: "RunningSandbox") -> None:
    print_json(
        {
            "pagerduty": {"url": desk.pagerduty_url, "key": desk.api_key},
            "salesforce": {"url": desk.salesforce_url, "consumer_key": desk.consumer_key},
            "folder": str(desk.folder),
            "config": str(desk.config),
        }
    )
