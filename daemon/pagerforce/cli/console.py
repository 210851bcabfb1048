"""Shared by all commands: options, messages and exit codes of errors; output from ``display``."""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import anyio
import typer

from pagerforce.cli.display import err, out, print_json, print_table
from pagerforce.config.load import find_config, load_config
from pagerforce.config.schema import Config
from pagerforce.errors import (
    AddressInUseError,
    ConfigError,
    ForbiddenError,
    PagerforceError,
    WrongOrgError,
)
from pagerforce.service.catalog import CATALOG
from pagerforce.service.eventloop import PatientLoop

__all__ = ["err", "out", "print_json", "print_table"]  # what every command prints with

DONE, FAILED, USAGE, FORBIDDEN = 0, 1, 2, 3

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file; else $PAGERFORCE_CONFIG, else /etc/pagerforce/config.toml.",
        show_default=False,
    ),
]
UnusedConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Accepted by every command; this one does not use it.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

T = TypeVar("T")


@contextmanager
def reporting() -> Iterator[None]:
    """Turns pagerforce's errors into a message and an exit code, never a traceback."""
    try:
        yield
    except ConfigError as error:
        count = len(error.problems)
        err.line(f"{count} problem{'s' if count != 1 else ''} in the configuration:")
        for problem in error.problems:
            err.line(f"  {problem}")
        raise typer.Exit(USAGE) from None
    except (WrongOrgError, AddressInUseError) as error:
        err.line(str(error))
        raise typer.Exit(USAGE) from None
    except ForbiddenError as error:
        err.line(str(error))
        raise typer.Exit(FORBIDDEN) from None
    except PermissionError as error:
        err.line(f"{error.filename}: permission denied")
        raise typer.Exit(FORBIDDEN) from None
    except PagerforceError as error:
        err.line(str(error))
        raise typer.Exit(FAILED) from None
    except OSError as error:
        if error.filename is None:
            raise
        err.line(f"{error.filename}: {error.strerror}")
        raise typer.Exit(FAILED) from None


def run_async(task: Callable[..., Awaitable[T]], *args: object) -> T:
    """Runs an asynchronous function to its end."""
    return anyio.run(partial(task, *args), backend_options={"loop_factory": PatientLoop})


def read_config(option: Path | None) -> Config:
    """Returns the configuration in force; raises ``ConfigError``."""
    path = find_config(option, os.environ)
    return load_config(path, catalog=CATALOG, environ=os.environ).config


def leave(code: int) -> NoReturn:
    """Ends with an exit code."""
    raise typer.Exit(code)
