"""All output for people, on standard output and standard error.

Every printed text is treated as data: one call of ``line`` is one line, and every control character
for a terminal is made visible (``model/display.py``). So no caller has to know which part of a line
came from outside. No other module of the command line prints; only the bar of ``progress.py``
draws, on a terminal.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

from pagerforce.model.display import json_text, shown
from pagerforce.observe.rendering import traceback_lines

if TYPE_CHECKING:
    from rich.console import Console

# rich is imported when something is printed: the daemon normally prints nothing.

_COPIED = frozenset({"id", "incident", "record", "action_id"})
_ANY_WIDTH = 100_000
# Typer has its own copy of Click from 0.17 on; the class is the same in both.
_UsageProblem: type[Exception] = next(
    kind
    for kind in typer.BadParameter.__mro__
    if issubclass(kind, Exception) and kind.__name__ == "ClickException"
)


class Screen:
    """Standard output or standard error.

    On a terminal it adds only colours; they never come from the printed text.
    """

    def __init__(self, *, is_error: bool = False) -> None:
        self._is_error = is_error

    @cached_property
    def _console(self) -> "Console":
        return make_console(is_error=self._is_error)

    @property
    def is_terminal(self) -> bool:
        """Whether it is a terminal, not a pipe or a file."""
        return self._console.file.isatty()

    def line(self, text: object = "", *, mark: str = "", style: str = "") -> None:
        """Prints one line, whatever the text contains.

        Args:
            text: the text.
            mark: a word before it.
            style: the mark's colour on a terminal.
        """
        from rich.text import Text  # noqa: PLC0415 (see above)

        whole = Text()
        if mark:
            whole.append(f"{shown(mark)} ", style if self.is_terminal else "")
        self._console.print(whole.append(shown(text)), soft_wrap=True)

    def lines(self, text: str) -> None:
        """Prints several lines of pagerforce's own text; outside text must be ``shown`` before."""
        for line in text.split("\n"):
            self.line(line)

    def rule(self, title: str) -> None:
        """Prints a heading."""
        from rich.text import Text  # noqa: PLC0415 (see above)

        self._console.rule(Text(shown(title)), style="rule.line" if self.is_terminal else "none")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Prints rows, one line each for programs; on a terminal cells may wrap.

        Nothing is ever cut off, and ids that people copy are never wrapped.
        """
        from rich.console import Console  # noqa: PLC0415 (see above)
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

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
        """Prints one JSON value as a line, without buffering, for readers of a pipe."""
        file = self._console.file
        file.write(json_text(value) + "\n")
        file.flush()


def make_console(*, is_error: bool = False) -> "Console":
    """Creates a console that ignores markup, emoji and highlighting in a text."""
    from rich.console import Console  # noqa: PLC0415 (see above)

    return Console(stderr=is_error, highlight=False, soft_wrap=True, markup=False, emoji=False)


out = Screen()
err = Screen(is_error=True)


def print_json(value: object) -> None:
    """Prints one JSON value on standard output."""
    out.value(value)


def print_table(rows: Sequence[Mapping[str, object]], columns: tuple[str, ...], empty: str) -> None:
    """Prints rows as a table on standard output, or a text if there are none."""
    if not rows:
        out.line(empty)
        return
    out.table(
        columns,
        [["" if row.get(name) is None else str(row[name]) for name in columns] for row in rows],
    )


def is_answered() -> bool:
    """Whether somebody at the terminal can answer a question."""
    return sys.stdin.isatty() and out.is_terminal


def ask_person(question: str) -> str:
    """Asks at the terminal; returns the answer without surrounding blanks."""
    return input(f"{shown(question)}: ").strip()


def accept_any_encoding() -> None:
    """Writes characters that the locale's encoding lacks as escapes, without an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


class PlainGroup(TyperGroup):
    """Prints usage errors, which quote the command line, and crashes through this module too."""

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
        except Exception as error:  # noqa: BLE001 (the last resort: an internal error)
            print_crash(error)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


def _refuse_usage(error: Exception) -> NoReturn:
    """Prints what is wrong with the command line.

    A command without arguments has already shown its help.
    """
    context = getattr(error, "ctx", None)
    if type(error).__name__ != "NoArgsIsHelpError":
        if context is not None:
            err.lines(context.get_usage())
            err.line(f"Try '{context.command_path} --help' for help.")
        err.line(f"Error: {error.format_message()}")  # type: ignore[attr-defined]
    sys.exit(getattr(error, "exit_code", 2))


def print_crash(error: BaseException) -> None:
    """Prints the traceback of an internal error, for a report."""
    for line in traceback_lines(error):
        err.line(line)
