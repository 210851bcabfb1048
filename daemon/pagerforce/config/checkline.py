"""The lines of ``check``: OK, a remark, or what to do; and the advice they are made of.

Every line that is not plain OK comes from an :class:`Advice` that stands beside the code which
gives it. ``docs/reference/check.md`` lists them all, and a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pagerforce.model.value import Json


class Kind(StrEnum):
    """What a line says. Only ``TODO`` makes ``check`` fail."""

    OK = "ok"
    REMARK = "remark"
    TODO = "todo"


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of ``check``.

    Attributes:
        what: what was looked at.
        remedy: what to know or to do; empty where all is well.
        code: which advice it is, stable; empty where all is well.
        calls: of ``--plan``: API calls per day, idle and busy.
    """

    kind: Kind
    what: str
    remedy: str = ""
    code: str = ""
    calls: tuple[int, int] | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing has to be done about it."""
        return self.kind is not Kind.TODO

    def to_json(self) -> dict[str, Json]:
        """As ``check --json`` prints it and the control socket carries it."""
        found: dict[str, Json] = {
            "ok": self.ok,
            "kind": self.kind.value,
            "what": self.what,
            "remedy": self.remedy,
            "code": self.code,
        }
        if self.calls is not None:
            found |= {"idle_per_day": self.calls[0], "busy_per_day": self.calls[1]}
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "CheckLine":
        """Reads what :meth:`to_json` wrote.

        Raises:
            KeyError, ValueError: it is something else.
        """
        idle, busy = value.get("idle_per_day"), value.get("busy_per_day")
        is_planned = isinstance(idle, int) and isinstance(busy, int)
        return cls(
            Kind(str(value["kind"])),
            str(value["what"]),
            str(value["remedy"]),
            str(value["code"]),
            (idle, busy) if is_planned else None,  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True)
class Advice:
    """A line that may appear, with ``{places}`` to be filled in.

    Attributes:
        code: stable, for programs: ``pagerduty.user_missing``.
        what: what was looked at.
        remedy: what to do, or what to know.
    """

    code: str
    kind: Kind
    what: str
    remedy: str

    def line(self, **values: object) -> CheckLine:
        """The line with its places filled in."""
        return CheckLine(
            self.kind, self.what.format(**values), self.remedy.format(**values), self.code
        )


def ok(what: str) -> CheckLine:
    """A line about something that is well."""
    return CheckLine(Kind.OK, what)


def todo(code: str, what: str, remedy: str) -> Advice:
    """An advice that something must be done."""
    return Advice(code, Kind.TODO, what, remedy)


def remark(code: str, what: str, remedy: str) -> Advice:
    """An advice that is good to know, or that something could not be verified."""
    return Advice(code, Kind.REMARK, what, remedy)
