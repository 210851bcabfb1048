"""The one place through which everything for people goes, on standard output and standard error.

Whatever is printed is taken for data: one call of ``line`` is one line, and every character in it that a
terminal would obey is shown instead (``model/display.py``). So no caller has to know which part of a
line came from outside. No other module of the command line prints; only the bar of ``progress.py``
draws, on a terminal.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from pagerforce.model.display import json_text, shown
from pagerforce.observe.rendering import traceback_lines

_COPIED = frozenset({"id", "incident", "record", "action_id"})
_ANY_WIDTH = 100_000
# Typer carries its own copy of Click from 0.17 on; the class is the same in both.
_UsageProblem: type[Exception] = next(
    kind
    for kind in typer.BadParameter.__mro__
    if issubclass(kind, Exception) and kind.__name__ == "ClickException"
)


class Screen:
    """Standard output or standard error.

    Colours, and only those, are added on a terminal; they are ours, never part of what is printed.
    """

    def __init__(self, *, is_error: bool = False) -> None:
        self._console = make_console(is_error=is_error)

    @property
    def is_terminal(self) -> bool:
        """Whether somebody looks at it, and no program reads it."""
        return self._console.file.isatty()

    def line(self, text: object = "", *, mark: str = "", style: str = "") -> None:
        """One line, whatever is in the text.

        Args:
            text: what it says.
            mark: a word before it.
            style: the mark's colour on a terminal.
        """
        whole = Text()
        if mark:
            whole.append(f"{shown(mark)} ", style if self.is_terminal else "")
        self._console.print(whole.append(shown(text)), soft_wrap=True)

    def lines(self, text: str) -> None:
        """Several lines of our own; what comes from outside must have been ``shown`` before."""
        for line in text.split("\n"):
            self.line(line)

    def rule(self, title: str) -> None:
        """A heading."""
        self._console.rule(Text(shown(title)), style="rule.line" if self.is_terminal else "none")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Rows, one line each where a program reads them; on a terminal cells may fold.

        Nothing is ever cut off, and what people copy stays in one piece.
        """
        table = Table(box=None, pad_edge=False)
        for column in columns:
            table.add_column(Text(shown(column)), overflow="fold", no_wrap=column in _COPIED)
        for row in rows:
            table.add_row(*(Text(shown(cell)) for cell in row))
        if self.is_terminal:
            self._console.print(table)
        else:
            plain = Console(file=self._console.file, width=_ANY_WIDTH, color_system=None)
            plain.print(table)

    def value(self, value: object) -> None:
        """One JSON value in a line; anyone who follows through a pipe gets it at once."""
        file = self._console.file
        file.write(json_text(value) + "\n")
        file.flush()


def make_console(*, is_error: bool = False) -> Console:
    """A console that takes nothing in a text for markup, emoji or something to colour."""
    return Console(stderr=is_error, highlight=False, soft_wrap=True, markup=False, emoji=False)


out = Screen()
err = Screen(is_error=True)


def print_json(value: object) -> None:
    """One JSON value on standard output."""
    out.value(value)


def print_table(rows: Sequence[Mapping[str, object]], columns: tuple[str, ...], empty: str) -> None:
    """Rows as a table on standard output, or a word about there being none."""
    if not rows:
        out.line(empty)
        return
    out.table(
        columns,
        [["" if row.get(name) is None else str(row[name]) for name in columns] for row in rows],
    )


def is_answered() -> bool:
    """Whether somebody sits at the terminal who can answer a question."""
    return sys.stdin.isatty() and out.is_terminal


def ask_person(question: str) -> str:
    """The answer of anyone who sits at the terminal, without the blanks around it."""
    return input(f"{shown(question)}: ").strip()


def accept_any_encoding() -> None:
    """Has characters that the locale's encoding lacks written as escapes, never as an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


class PlainGroup(TyperGroup):
    """Commands whose usage errors, which quote the command line, and crashes go through here too."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 (as above)
        windows_expand_args: bool = True,  # noqa: ARG002, FBT001, FBT002 (as above; for Windows only)
        **extra: Any,  # noqa: ANN401 (as above)
    ) -> Any:  # noqa: ANN401 (as above)
        """Runs a command line; ends the process unless ``standalone_mode`` is False."""
        run = partial(super().main, args, prog_name, complete_var, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        try:
            code = run()
        except _UsageProblem as error:
            _refuse_usage(error)
        except typer.Abort:
            err.line("Aborted.")
            sys.exit(1)
        except Exception as error:  # noqa: BLE001 (the last place there is: an internal error)
            print_crash(error)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


def _refuse_usage(error: Exception) -> NoReturn:
    """Says what is wrong with the command line.

    A command that was cut short has shown its help already.
    """
    context = getattr(error, "ctx", None)
    if type(error).__name__ != "NoArgsIsHelpError":
        if context is not None:
            err.lines(context.get_usage())
            err.line(f"Try '{context.command_path} --help' for help.")
        err.line(f"Error: {error.format_message()}")  # type: ignore[attr-defined]
    sys.exit(getattr(error, "exit_code", 2))


def print_crash(error: BaseException) -> None:
    """The traceback of a defect, for anyone who reports it."""
    for line in traceback_lines(error):
        err.line(line)
