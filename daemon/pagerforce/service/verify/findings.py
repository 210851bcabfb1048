"""The results of ``verify`` for each belief, and what it saw: ids and types, never texts."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec
from msgspec import Struct

from pagerforce.errors import RemoteError
from pagerforce.model.beliefs import BELIEFS, belief
from pagerforce.model.value import Json

_WORD = re.compile(r"[\w.:+-]{1,64}")


class Status(StrEnum):
    """The result for a belief."""

    OK = "ok"
    DIFFERS = "differs"
    NOT_TRIED = "not_tried"


class Finding(Struct, frozen=True):
    """One belief, tested or not. ``reason``: why it was not tested, else ``""``."""

    status: Status
    expected: str
    seen: str = ""
    reason: str = ""


class Findings(Struct):
    """Collects findings; a belief that differed once counts as different."""

    found: dict[str, Finding] = msgspec.field(default_factory=dict)

    def judge(self, name: str, expected: str, seen: str, *, holds: bool) -> None:
        """Notes the result of a tested belief."""
        known = self.found.get(belief(name).name)
        if known is None or known.status is not Status.DIFFERS:
            self.found[name] = Finding(Status.OK if holds else Status.DIFFERS, expected, seen)

    def leave(self, names: Iterable[str], reason: str) -> None:
        """Notes that beliefs could not be tested; tested ones keep their result."""
        for name in names:
            said = Finding(Status.NOT_TRIED, belief(name).says, reason=reason)
            self.found.setdefault(belief(name).name, said)

    def to_json(self) -> list[Json]:
        """Returns every belief of the table, in its order."""
        for item in BELIEFS.values():
            self.leave([item.name], item.untried or "the test did not get so far")
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
    """Returns an error without the vendor's own words, which may quote what was sent."""
    what = f"HTTP {error.status}" if error.status else "no answer"
    return f"{what}, code {word(error.code)}" if error.code else what


def word(value: object) -> str:
    """Returns an id, a type or a time as it is, and anything that could be free text as ``?``."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "?"


def mapping(value: object) -> Mapping[str, object]:
    """Returns the value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Mapping[str, object]]:
    """Returns the objects of the value if it is a list, else none."""
    return [mapping(item) for item in value] if isinstance(value, list) else []


def texts(values: Iterable[str]) -> str:
    """Returns ids and types, separated by commas."""
    return ", ".join(values) or "none"
