"""What all commands share: options, output, and how errors become words and exit codes."""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import anyio
import typer
from rich.console import Console
from rich.table import Table

from pagerforce.config.load import find_config, load_config
from pagerforce.config.schema import Config
from pagerforce.errors import (
    AddressInUseError,
    ConfigError,
    ForbiddenError,
    PagerforceError,
    WrongOrgError,
)
from pagerforce.service.wiring import CATALOG

_COPIED = frozenset({"id", "incident", "record", "action_id"})
_ANY_WIDTH = 100_000
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
        help="Taken by every command; this one has no use for it.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

T = TypeVar("T")
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def reporting() -> Iterator[None]:
    """Turns our errors into a message and the contract's exit code, never a traceback."""
    try:
        yield
    except ConfigError as error:
        count = len(error.problems)
        err.print(f"{count} problem{'s' if count != 1 else ''} in the configuration:", markup=False)
        for problem in error.problems:
            err.print(f"  {problem}", markup=False)
        raise typer.Exit(USAGE) from None
    except (WrongOrgError, AddressInUseError) as error:
        err.print(str(error), markup=False)
        raise typer.Exit(USAGE) from None
    except ForbiddenError as error:
        err.print(str(error), markup=False)
        raise typer.Exit(FORBIDDEN) from None
    except PermissionError as error:
        err.print(f"{error.filename}: permission denied", markup=False)
        raise typer.Exit(FORBIDDEN) from None
    except PagerforceError as error:
        err.print(str(error), markup=False)
        raise typer.Exit(FAILED) from None


def run_async(task: Callable[..., Awaitable[T]], *args: object) -> T:
    """Runs an asynchronous function to its end."""
    return anyio.run(partial(task, *args))


def read_config(option: Path | None) -> Config:
    """The configuration in force; raises ``ConfigError``."""
    path = find_config(option, os.environ)
    return load_config(path, catalog=CATALOG, environ=os.environ).config


def print_json(value: object) -> None:
    """One JSON value on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def print_table(rows: Sequence[Mapping[str, object]], columns: tuple[str, ...], empty: str) -> None:
    """Rows as a table, or a word about there being none."""
    if not rows:
        out.print(empty)
        return
    table = make_table(columns)
    for row in rows:
        table.add_row(*("" if row.get(name) is None else str(row[name]) for name in columns))
    show_table(table)


def make_table(columns: Sequence[str]) -> Table:
    """An empty table. Nothing in it is ever cut off, and what people copy stays in one piece."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in _COPIED)
    return table


def show_table(table: Table) -> None:
    """Prints a table: as wide as the terminal, or as it needs where a program reads it."""
    if out.is_terminal:
        out.print(table, markup=False)
    else:
        Console(file=out.file, highlight=False, width=_ANY_WIDTH).print(table, markup=False)


def leave(code: int) -> NoReturn:
    """Ends with an exit code."""
    raise typer.Exit(code)
