"""What ``verify`` found about each belief, and the shapes it saw: ids and forms, never texts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pagerforce.errors import RemoteError
from pagerforce.model.beliefs import BELIEFS, belief
from pagerforce.model.value import Json

_WORD = re.compile(r"[\w.:+-]{1,64}")


class Status(StrEnum):
    """How a belief came out."""

    OK = "ok"
    DIFFERS = "differs"
    NOT_TRIED = "not_tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """One belief, tried or not. ``reason``: why it was not tried, else ``""``."""

    status: Status
    expected: str
    seen: str = ""
    reason: str = ""


@dataclass(slots=True)
class Findings:
    """Collects findings; what differs once, differs."""

    found: dict[str, Finding] = field(default_factory=dict)

    def judge(self, name: str, expected: str, seen: str, *, holds: bool) -> None:
        """A belief was tried."""
        known = self.found.get(belief(name).name)
        if known is None or known.status is not Status.DIFFERS:
            self.found[name] = Finding(Status.OK if holds else Status.DIFFERS, expected, seen)

    def leave(self, names: Iterable[str], reason: str) -> None:
        """Beliefs could not be tried; those that were, stay as they are."""
        for name in names:
            said = Finding(Status.NOT_TRIED, belief(name).says, reason=reason)
            self.found.setdefault(belief(name).name, said)

    def to_json(self) -> list[Json]:
        """Every belief of the table, in its order."""
        for item in BELIEFS.values():
            self.leave([item.name], item.untried or "the story did not come so far")
        return [
            {
                "belief": name,
                "status": (one := self.found[name]).status.value,
                "expected": one.expected,
                "seen": one.seen,
                "reason": one.reason,
                "certainty": item.certainty.value,
            }
            for name, item in BELIEFS.items()
        ]


def refusal(error: RemoteError) -> str:
    """What an error was, without the vendor's own words: they may quote what was sent."""
    what = f"HTTP {error.status}" if error.status else "no answer"
    return f"{what}, code {word(error.code)}" if error.code else what


def word(value: object) -> str:
    """An id, a type or a time as it is; anything that could be a text for people, as ``?``."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "?"


def mapping(value: object) -> Mapping[str, object]:
    """The object that should be there; an empty one where it is not."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Mapping[str, object]]:
    """The objects of the list that should be there."""
    return [mapping(item) for item in value] if isinstance(value, list) else []


def texts(values: Iterable[str]) -> str:
    """Ids and types in a row."""
    return ", ".join(values) or "none"
