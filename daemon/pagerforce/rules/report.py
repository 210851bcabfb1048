"""Collects the problems of a configuration's rules, each with its place and its remedy."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, time
from difflib import get_close_matches

from pagerforce.errors import Problem

MAX_PATTERNS_SIZE = 1_000_000
"""Instructions of all regular expressions together: about 16 MB of memory."""
_LONGEST_WORD = 100
_WORDS = {bool: "true or false", str: "text", int: "a number", float: "a number"}


class Report:
    """The problems found so far, in the order of the file."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._patterns: dict[str, int] = {}
        self._pattern_size = 0

    def add(self, where: str, what: str) -> None:
        """Adds one problem."""
        self.problems.append(Problem(where, what))

    def takes_pattern(self, pattern: str, size: int) -> bool:
        """Whether there is room for a regular expression besides those of the other rules."""
        if pattern not in self._patterns and self._pattern_size + size <= MAX_PATTERNS_SIZE:
            self._patterns[pattern] = size
            self._pattern_size += size
        return pattern in self._patterns

    def check_keys(self, where: str, table: Mapping[str, object], known: Collection[str]) -> None:
        """Reports every unknown key."""
        for key in table:
            if key not in known:
                self.add(f"{where}.{key}", f"unknown key{suggest(key, known)}")

    def take_text(self, where: str, table: Mapping[str, object], key: str) -> str | None:
        """A required text; None, and a problem, if it is missing, blank or of another type."""
        value = table.get(key)
        if value is None:
            self.add(f"{where}.{key}", "is required")
        elif not isinstance(value, str):
            self.add(f"{where}.{key}", f"must be text, not {word_for(value)}")
        elif not value.strip():
            self.add(f"{where}.{key}", "must not be empty")
        else:
            return value
        return None

    def take_boolean(
        self, where: str, table: Mapping[str, object], key: str, *, default: bool
    ) -> bool:
        """An optional boolean; the default, and a problem, if it is of another type."""
        value = table.get(key, default)
        if isinstance(value, bool):
            return value
        self.add(f"{where}.{key}", f"must be true or false, without quotes, not {word_for(value)}")
        return default

    def take_list(self, where: str, table: Mapping[str, object], key: str) -> list[object]:
        """An optional list; empty, and a problem, if it is of another type."""
        value = table.get(key, [])
        if isinstance(value, list | tuple):
            return list(value)
        self.add(f"{where}.{key}", f"must be a list, not {word_for(value)}")
        return []


def suggest(word: str, known: Collection[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, or all of them."""
    if len(word) > _LONGEST_WORD:
        return ""
    near = get_close_matches(word.lower(), [option.lower() for option in known], n=1, cutoff=0.6)
    if near:
        found = next(option for option in known if option.lower() == near[0])
        return f'; did you mean "{found}"?'
    if not known:
        return ""
    listed = sorted(known)[:20]
    more = "" if len(listed) == len(known) else f" and {len(known) - len(listed)} more"
    return f"; there are {', '.join(listed)}{more}"


def word_for(value: object) -> str:
    """The word for the type of a TOML value, for messages."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, datetime | date | time):
        return "a date or time"
    return _WORDS.get(type(value), type(value).__name__)
