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


if __name__ == "__main__":
    main()
