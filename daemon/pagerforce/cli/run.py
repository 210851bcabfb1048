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
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Read, decide and record, but write to neither side.")
    ] = False,
) -> None:
    """Runs the daemon until SIGTERM; SIGHUP reloads the rules."""
    with reporting():
        options = RunOptions(find_config(config, os.environ), os.environ, shadow)
        run_async(run_daemon, options)
