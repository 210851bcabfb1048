"""``pagerforce check``: is the configuration right, and do both sides know what it names."""

import os
from typing import Annotated

import typer

from pagerforce.cli.console import (
    FAILED,
    ConfigOption,
    JsonOption,
    leave,
    out,
    print_json,
    reporting,
    run_async,
)
from pagerforce.config.load import Loaded, find_config
from pagerforce.config.offline import CheckLine, check_offline, offline_lines
from pagerforce.service.check import check_online
from pagerforce.service.wiring import CATALOG


def check(
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Only what can be judged without the network.")
    ] = False,
) -> None:
    """Checks the configuration, then both connections and every name in it."""
    with reporting():
        path = find_config(config, os.environ)
        loaded = check_offline(path, catalog=CATALOG, environ=os.environ)
        lines = [*offline_lines(loaded, os.environ)]
        if not offline:
            lines += _online(loaded)
    if json:
        print_json([{"ok": x.ok, "what": x.what, "remedy": x.remedy} for x in lines])
    else:
        for line in lines:
            word = "OK  " if line.ok else "FAIL"
            out.print(
                f"{word} {line.what}" + (f": {line.remedy}" if line.remedy else ""), markup=False
            )
    if not all(line.ok for line in lines):
        leave(FAILED)


def _online(loaded: Loaded) -> list[CheckLine]:
    return run_async(check_online, loaded, os.environ)
