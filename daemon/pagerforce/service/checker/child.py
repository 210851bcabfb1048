"""The checker's process, started only by ``process.py``.

It has no secrets, no environment, no file open for writing and cannot start a process. The kernel
limits its memory and time. Whatever goes wrong in it ends only this process. ``work.py`` describes
its input and output.
"""

import gc
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from pagerforce.lean import load_lean
from pagerforce.service.checker import bounds
from pagerforce.service.checker.watch import TimeUp, Watch
from pagerforce.service.checker.words import say

_FILES = 64
_NICENESS = 5


def main() -> NoReturn:
    """Does one job."""
    _bound()
    watch = Watch()
    try:
        load_lean()
        from pagerforce.service.checker.work import work  # noqa: PLC0415 (within the limits)

        _close()
        work(sys.stdin.buffer, watch)
    except TimeUp:
        say("too_much", "time")
    except MemoryError:
        say("too_much", "memory")
    except RecursionError:
        say("too_much", "nesting")
    except BaseException as error:  # noqa: BLE001 (the daemon reports it)
        say("failed", _place_of(error))
    os._exit(0)


def _bound() -> None:
    """Sets the kernel's limits; if memory runs short, the kernel ends this process first."""
    for what, most in (
        (resource.RLIMIT_DATA, bounds.MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
    ):
        resource.setrlimit(what, (most, most))
    seconds = bounds.CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends this too
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
        os.nice(_NICENESS)
    except OSError:
        return  # not allowed here, e.g. by the unit's system call filter: the limits still apply


def _close() -> None:
    """Gives up rights that nothing needs once the program text is loaded."""
    for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        resource.setrlimit(what, (0, 0))
    gc.freeze()
    gc.set_threshold(50_000)


def _place_of(error: BaseException) -> str:
    """Returns kind and place only: an error's own text may quote the operator's input."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno} ({last.name})"


if __name__ == "__main__":
    main()
