"""Puts mistakes into the code at random, one at a time, and reports which of them a test catches.

``make mutants`` runs it. Exit code 1: fewer were caught than required.
"""

import argparse
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from mutants.choose import choose
from mutants.mutant import Mutant, read_survivors
from mutants.trial import Outcome, Trial, Verdict
from published import SCHEMA_FILE, VARIABLE

ROOT = Path(__file__).resolve().parents[2]
WANTED = 0.95
_COUNTED = (Outcome.CAUGHT, Outcome.SURVIVED, Outcome.TIMED_OUT)


def main() -> int:
    options = _options()
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # ends its child processes, like Ctrl-C
    if SCHEMA_FILE is not None:
        os.environ[VARIABLE] = str(SCHEMA_FILE)  # a copy of the tree is in another folder
    mutants = [*enumerate(choose(ROOT, options.mutants, options.seed), 1)]
    chosen = [item for item in mutants if not options.only or item[0] in options.only]
    trial = Trial(ROOT, options.seeds, options.deadline)
    listed = [item for item in read_survivors() if item.equivalent]

    def judge(mutant: Mutant) -> Verdict:
        why = next((item.equivalent for item in listed if item.is_same(mutant)), "")
        return Verdict(Outcome.EQUIVALENT, why) if why else trial.judge(mutant)

    began, counts = time.monotonic(), Counter[Outcome]()
    try:
        for number, mutant in chosen:
            verdict = judge(mutant)
            counts[verdict.outcome] += 1
            _show(number, mutant, verdict)
    except KeyboardInterrupt:
        print("stopped")
    return _sum_up(counts, trial, time.monotonic() - began)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("mutants", type=int, help="how many")
    parser.add_argument("seed", type=int, help="what chooses them")
    parser.add_argument("--only", type=_numbers, help="of these only those numbers: 3,17")
    parser.add_argument("--seeds", type=int, default=120, help="of the simulation, per mutant")
    parser.add_argument("--deadline", type=float, default=1800, help="seconds for one mutant")
    return parser.parse_args()


def _numbers(text: str) -> set[int]:
    return {int(part) for part in text.split(",")}


def _show(number: int, mutant: Mutant, verdict: Verdict) -> None:
    where = f"{mutant.module.removeprefix('daemon/pagerforce/')}:{mutant.line}"
    print(
        f"{number:4} {verdict.outcome:10} {where} {mutant.operator} "
        f"({verdict.seconds:.0f} s) {verdict.by}".rstrip(),
        flush=True,
    )
    if verdict.outcome in {Outcome.SURVIVED, Outcome.TIMED_OUT}:
        print("\n".join(f"       {line}" for line in mutant.diff()), flush=True)


def _sum_up(counts: Counter[Outcome], trial: Trial, seconds: float) -> int:
    for test in sorted(trial.unsound):
        print(f"left out, as it fails without a mutant, too: {test}")
    judged = sum(counts[outcome] for outcome in _COUNTED)
    share = counts[Outcome.CAUGHT] / judged if judged else 1.0
    listed = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
    print(f"{counts.total()} mutants in {seconds:.0f} s: {listed}")
    print(f"{share:.1%} of {judged} caught, {WANTED:.0%} wanted")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
