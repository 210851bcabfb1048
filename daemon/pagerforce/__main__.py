"""Entry point: ``pagerforce`` and ``python -m pagerforce``."""

from pagerforce.cli.app import main

if __name__ == "__main__":
    main()
