"""Entry point: ``pagerforce`` and ``python -m pagerforce``."""

import os
import sys
import threading
import time

_HANGING_SECONDS = 1.0
_INTERRUPTED = 130  # what shells make of SIGINT


def main() -> None:
    """Runs the command line; Ctrl-C ends it quietly, also while it is still being loaded."""
    try:
        from pagerforce.cli.app import main as run  # noqa: PLC0415 (loading takes its time)

        run()
    except SystemExit as ended:
        _leave_hanging_threads(ended.code)
        raise
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        # CPython remembers that a text was interrupted while it was evaluated (importing a dataclass does
        # that), also where we caught it, and would end the process by SIGINT instead of by its exit code
        # (run_eval_code_obj in Python/pythonrun.c). A text evaluated to its end makes it forget.
        exec("")  # noqa: S102


def _leave_hanging_threads(code: str | int | None) -> None:
    """Ends the process where Python would wait for a thread that does not return, as of a disk."""
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
