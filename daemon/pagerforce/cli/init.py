"""``pagerforce init``: a configuration to fill in, a key, and the certificate to upload."""

from pathlib import Path
from typing import Annotated

import typer

from pagerforce.cli.console import (
    FAILED,
    JsonOption,
    UnusedConfigOption,
    err,
    leave,
    out,
    print_json,
)
from pagerforce.config.starter import write_starter
from pagerforce.errors import ConfigError
from pagerforce.service.clock import SystemClock


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = Path(),
    *,
    config: UnusedConfigOption = None,  # noqa: ARG001
    json: JsonOption = False,
) -> None:
    """Writes config.toml, salesforce.key and salesforce.crt; never overwrites.

    Example: pagerforce init /etc/pagerforce
    """
    try:
        written = write_starter(folder, now=SystemClock().now())
    except ConfigError as error:
        for problem in error.problems:
            err.print(str(problem), markup=False)
        leave(FAILED)
    if json:
        print_json({"written": [str(path) for path in written]})
        return
    for path in written:
        out.print(f"wrote {path}", markup=False)
    out.print(
        "\nNext: upload salesforce.crt to an External Client App (or Connected App) in Salesforce,\n"
        "fill in config.toml, put the PagerDuty API key into a file of its own, then run\n"
        f"  pagerforce check --config {folder / 'config.toml'}",
        markup=False,
    )
