"""The real daemon with calls that raise while a file names them: ``python raising_daemon.py FILE run ...``.

Each line of the file is the name of a seam and, after a blank, the text that the call must contain.
"""

import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from abuse.injection import Injected, Plan, Seam, injected, seams
from pagerforce.cli.app import app
from pagerforce.pipeline.deliver import Deliverer
from pagerforce.pipeline.poll import PollLoop
from pagerforce.service import daemon
from pagerforce.service.prune import Pruner
from pagerforce.service.refresh import Refresher

# Beyond the errors that a loop contains itself: the loop restarts.
_LOOPS = (
    Seam("Deliverer._start_jobs", Deliverer._start_jobs, Deliverer),
    Seam("Deliverer._turn", Deliverer._turn, Deliverer),
    Seam("PollLoop._turn", PollLoop._turn, PollLoop),
    Seam("PollLoop._poll", PollLoop._poll, PollLoop),
    Seam("Refresher._refresh", Refresher._refresh, Refresher),
    Seam("Pruner.prune", Pruner.prune, Pruner),
    Seam("applied.load_in_force", daemon.load_in_force),
)


class FilePlan(Plan):
    """Raises while the file says so."""

    def __init__(self, name: str, file: Path) -> None:
        super().__init__()
        self._name, self._file = name, file

    def check(self, arguments: object) -> None:
        for line in self._file.read_text().splitlines():
            name, _, about = line.partition(" ")
            if name == self._name and about in repr(arguments):
                raise Injected


def main() -> None:
    """Arms every seam and runs the command line."""
    file = Path(sys.argv.pop(1))
    with ExitStack() as stack:
        for seam in (*seams(), *_LOOPS):
            stack.enter_context(injected(seam, FilePlan(seam.name, file)))
        app()


if __name__ == "__main__":
    main()
