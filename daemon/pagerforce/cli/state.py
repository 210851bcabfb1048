"""``pagerforce state``: moves the state between SQLite and PostgreSQL."""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer
from pydantic import ValidationError

from pagerforce.cli.backup import find_own_state
from pagerforce.cli.console import ConfigOption, JsonOption, out, print_json, read_config, reporting
from pagerforce.cli.progress import Bar
from pagerforce.config.schema import Config, StateSettings
from pagerforce.errors import PagerforceError
from pagerforce.host.state import DATABASE
from pagerforce.service.state import find_state
from pagerforce.store.sqlite.state import SqliteState
from pagerforce.store.state import State

state = typer.Typer(help="The state: where it is kept.", no_args_is_help=True)


@state.command("copy")
def copy(
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="URL", help="postgresql://… or sqlite:///PATH", show_default=False
        ),
    ],
    connection: Annotated[
        str,
        typer.Option(
            "--connection",
            metavar="NAME",
            help="The connection's name in PostgreSQL; default: state.connection.",
            show_default=False,
        ),
    ] = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Copies the state of a stopped daemon to another place, and compares every row.

    Example: pagerforce state copy --to postgresql://pagerforce@db1/pagerforce --connection production
    """
    with reporting(), Bar("copying", is_wanted=not json) as bar:
        source = find_own_state(config)
        target = _target(read_config(config), to, connection)
        with tempfile.TemporaryDirectory(prefix="pagerforce-") as folder:
            file = Path(folder) / DATABASE
            made = source.copy_out(file, partial(bar.show, "reading"))
            target.copy_in(file, partial(bar.show, "writing"))
    if json:
        print_json({"from": source.name, "to": target.name, "schema": made.schema})
        return
    out.line(f"copied the state from {source.name} to {target.name} (schema {made.schema})")
    out.line("every row was compared; point [state] there, then start the daemon")


def _target(config: Config, url: str, connection: str) -> State:
    """The state that a URL names.

    Raises:
        PagerforceError: it names neither engine, or no connection.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = Path("/" + unquote(parts.path).lstrip("/"))  # sqlite:///PATH and sqlite:////PATH
        if parts.netloc or not path.name:
            raise PagerforceError(
                "--to: name the file with its whole path, such as "
                f"sqlite:///var/lib/pagerforce/{DATABASE}"
            )
        return SqliteState(path)
    name = connection or config.state.connection
    if parts.scheme not in ("postgresql", "postgres"):
        raise PagerforceError("--to: give postgresql://… or sqlite:///PATH")
    if not name:
        raise PagerforceError("--connection: name the connection, such as production")
    file = str(config.state.password_file or "")
    try:
        settings = StateSettings(url=url, connection=name, password_file=file)  # type: ignore[arg-type]
    except ValidationError as error:
        found = error.errors()[0]
        raise PagerforceError(f"--to: {found['loc'][0]} {found['msg']}") from None
    return find_state(config.model_copy(update={"state": settings}), os.environ)
