"""Guesses the intended word behind a typo."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns `` (did you mean "..."?)`` if a known word is similar, else ``""``."""
    by_fold = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower()[:100], by_fold, n=1, cutoff=0.6)
    return f' (did you mean "{by_fold[close[0]]}"?)' if close else ""
