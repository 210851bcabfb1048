"""Guesses what a mistyped word was meant to be."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean "..."?)`` where one known word is close, else nothing."""
    by_fold = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower()[:100], by_fold, n=1, cutoff=0.6)
    return f' (did you mean "{by_fold[close[0]]}"?)' if close else ""
