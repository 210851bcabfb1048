"""Shows the progress of long work: a bar on standard error, only on a terminal.

It appears after a moment, so that quick work shows none, and disappears when the work ends. It
never appears if the output is for a program: with ``--json``, or into a pipe or a file.
"""

import threading
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pagerforce.cli.display import err, make_console, out
from pagerforce.model.display import shown

_FIRST_SECONDS = 1.5


class Bar:
    """A bar around a block of work. ``show`` may be called from any thread.

    Args:
        text: the text until the first call of ``show``.
        is_wanted: False if the output is JSON.
    """

    def __init__(self, text: str, *, is_wanted: bool) -> None:
        self._is_over = not (is_wanted and err.is_terminal and out.is_terminal)
        self._progress: Progress | None = None
        self._text = text
        self._share: float | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(_FIRST_SECONDS, self._appear)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if not self._is_over:
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._is_over = True
            if self._progress is not None:
                self._progress.stop()

    def show(self, text: str, share: float | None = None) -> None:
        """Shows the progress: a text, and a share from 0 to 1 if known."""
        with self._lock:
            self._text, self._share = text, share
            self._draw()

    def _appear(self) -> None:
        with self._lock:
            if self._is_over:
                return
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[percent]}", markup=False),
                TimeElapsedColumn(),
                console=make_console(is_error=True),
                transient=True,
            )
            self._progress.add_task("", total=None, percent="")
            self._draw()
            self._progress.start()

    def _draw(self) -> None:
        if self._progress is None:
            return
        task = self._progress.task_ids[0]
        total = None if self._share is None else 1.0
        percent = "" if self._share is None else f"{self._share:4.0%}"
        words, done = shown(self._text), self._share or 0.0
        self._progress.update(task, description=words, total=total, completed=done, percent=percent)
