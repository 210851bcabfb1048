"""Entry point: ``pagerforce`` and ``python -m pagerforce``."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

_HANGING_SECONDS = 1.0
_INTERRUPTED = 130  # the exit code of shells for SIGINT


def main() -> None:
    """Runs the command line; Ctrl-C ends it without a traceback, also during the imports."""
    try:
        command_line(sys.argv[1:])()
    except SystemExit as ended:
        _leave_hanging_threads(ended.code)
        raise
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        # If Ctrl-C interrupts an evaluated text (importing a dataclass evaluates one), CPython
        # remembers it even after the exception was caught, and would end the process by SIGINT
        # instead of by its exit code (run_eval_code_obj in Python/pythonrun.c). A complete
        # evaluation resets this.
        exec("")  # noqa: S102


def command_line(words: Sequence[str]) -> Callable[[], None]:
    """Loads the command line that these words need; returns its main function."""
    from pagerforce.lean import load_lean  # noqa: PLC0415 (loading takes its time)

    load_lean()
    if words[:1] == ["run"]:  # the daemon does not load the other commands
        from pagerforce.cli.service import main as run  # noqa: PLC0415
    else:
        from pagerforce.cli.app import main as run  # noqa: PLC0415
    return run


def _leave_hanging_threads(code: str | int | None) -> None:
    """Ends the process if Python would wait for a hanging thread, such as one stuck on a disk."""
    end = time.monotonic() + _HANGING_SECONDS
    others = set(threading.enumerate()) - {threading.main_thread()}
    waited_for = [thread for thread in others if not thread.daemon]
    for thread in waited_for:
        thread.join(max(0.0, end - time.monotonic()))
    if any(thread.is_alive() for thread in waited_for):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
