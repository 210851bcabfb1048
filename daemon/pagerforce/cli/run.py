"""``pagerforce run``: the daemon, in the foreground."""

import os
from typing import Annotated

import typer

from pagerforce.cli.console import ConfigOption, reporting, run_async
from pagerforce.config.load import find_config
from pagerforce.service.daemon import RunOptions, run_daemon


def run(
    *,
    config: ConfigOption = None,
    json: Annotated[
        bool, typer.Option("--json", help="Log JSON lines, whatever daemon.log_format says.")
    ] = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Read, decide and record, but write to neither side.")
    ] = False,
) -> None:
    """Runs the daemon until SIGTERM; SIGHUP reloads the rules.

    Example: pagerforce run --config /etc/pagerforce/config.toml
    """
    with reporting():
        options = RunOptions(
            find_config(config, os.environ), os.environ, shadow, "json" if json else None
        )
        run_async(run_daemon, options)
