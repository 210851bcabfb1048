"""Plays seeds and reports the results.

``python -m simulation 1-200`` plays a range on all cores, ``python -m simulation 17`` replays one
seed and prints its history. Exit code 1: a promise was broken, or too much stays in doubt.
"""

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from functools import partial
from multiprocessing import Pool

from simulation.bugs import BUGS
from simulation.history import Outcome, play
from simulation.promises import Promise

_LOST = (Promise.NOTHING_LOST,)
_DOUBLED = (
    Promise.RULED_ONCE,
    Promise.NO_SECOND_INCIDENT,
    Promise.NO_SECOND_RECORD,
    Promise.NO_SECOND_NOTE,
    Promise.NO_SECOND_COMMENT,
    Promise.AT_MOST_ONCE,
)

PER_DOUBT = 1000
"""One of this number of lost answers may stay in doubt."""
ENOUGH_TO_JUDGE = 1000
"""With fewer lost answers the share of doubts is not significant."""


def main() -> int:
    options = _options()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of texts must be the same everywhere: a seed is one history.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]])
    first, _, last = options.seeds.partition("-")
    if not last:
        return _replay(int(first), options)
    return _soak(range(int(first), int(last) + 1), options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("seeds", help="FIRST-LAST, or one seed to print its history")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first", action="store_true", help="stop at the first broken promise")
    parser.add_argument("--bug", choices=[*BUGS], help="a mistake to put in first")
    return parser.parse_args()


def _play(seed: int, options: argparse.Namespace) -> Outcome:
    with BUGS[options.bug]() if options.bug else nullcontext():
        try:
            return play(seed)
        except Exception:  # noqa: BLE001 - one seed must not end the others
            return Outcome(seed, "error", traceback.format_exc())


def _replay(seed: int, options: argparse.Namespace) -> int:
    outcome = _play(seed, options)
    for line in outcome.lines:
        print(line)
    print(_verdict(outcome, options))
    return 1 if outcome.promise else 0


def _verdict(outcome: Outcome, options: argparse.Namespace) -> str:
    if not outcome.promise:
        return f"seed {outcome.seed}: every promise kept; {_listed(outcome.totals)}"
    how = f"make replay SEED={outcome.seed}" + (f" BUG={options.bug}" if options.bug else "")
    return f"seed {outcome.seed}: BROKEN: {outcome.problem}\n  {how}"


def _listed(totals: Iterable[tuple[str, int]] | dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in dict(totals).items())


def _soak(seeds: range, options: argparse.Namespace) -> int:
    began = time.monotonic()
    totals: Counter[str] = Counter()
    broken: list[Outcome] = []
    with Pool(options.jobs) as pool:
        for outcome in pool.imap_unordered(partial(_quietly, options=options), seeds, chunksize=2):
            totals.update(outcome.totals)
            if outcome.totals.get("doubts"):
                print(f"seed {outcome.seed}: {outcome.totals['doubts']} in doubt", flush=True)
            if outcome.promise:
                broken.append(outcome)
                print(_verdict(outcome, options), flush=True)
                if options.first:
                    return 1
    lost = sum(item.promise in _LOST for item in broken)
    doubled = sum(item.promise in _DOUBLED for item in broken)
    print(f"{len(seeds)} histories in {time.monotonic() - began:.0f} s: {len(broken)} broken")
    print(f"lost {lost}, doubled {doubled}; {_listed(totals)}")
    lost_answers, doubts = totals["lost_answers"], totals["doubts"]
    print(f"doubts: {doubts} after {lost_answers} lost answers of new records and comments")
    too_many = lost_answers >= ENOUGH_TO_JUDGE and doubts * PER_DOUBT > lost_answers
    if too_many:
        print(f"BROKEN: more than one doubt in {PER_DOUBT}")
    return 1 if broken or too_many else 0


def _quietly(seed: int, options: argparse.Namespace) -> Outcome:
    """The history can be played again at any time, so it is not passed between processes."""
    outcome = _play(seed, options)
    outcome.lines.clear()
    outcome.problem = outcome.problem.strip().splitlines()[-1][:400] if outcome.promise else ""
    return outcome


if __name__ == "__main__":
    sys.exit(main())
