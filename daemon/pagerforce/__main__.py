"""Entry point: ``pagerforce`` and ``python -m pagerforce``."""

import sys

_INTERRUPTED = 130  # what shells make of SIGINT


def main() -> None:
    """Runs the command line; Ctrl-C ends it quietly, also while it is still being loaded."""
    try:
        from pagerforce.cli.app import main as run  # noqa: PLC0415 (loading takes its time)

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        # CPython remembers that a text was interrupted while it was evaluated (importing a dataclass does
        # that), also where we caught it, and would end the process by SIGINT instead of by its exit code
        # (run_eval_code_obj in Python/pythonrun.c). A text evaluated to its end makes it forget.
        exec("")  # noqa: S102


if __name__ == "__main__":
    main()
