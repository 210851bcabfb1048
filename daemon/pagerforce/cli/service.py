"""The command line of the service: ``run`` alone, so that the daemon loads nothing else.

The other commands would take a third of its start and stay in its memory.
"""

from pagerforce.cli.root import make_root, start
from pagerforce.cli.run import run

app = make_root()
app.command()(run)


def main() -> None:
    """Runs the command line."""
    start(app)
