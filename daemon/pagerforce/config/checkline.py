"""The lines of ``check``: OK, a remark, or what to do; and the advice behind them.

Every line that is not plain OK comes from an :class:`Advice`, declared beside the code that uses
it. ``docs/reference/check.md`` lists them all, and a test compares the two.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from pagerforce.model.value import Json


class Kind(StrEnum):
    """The kind of a line. Only ``TODO`` makes ``check`` fail."""

    OK = "ok"
    REMARK = "remark"
    TODO = "todo"


class CheckLine(Struct, frozen=True):
    """One line of ``check``.

    Attributes:
        what: the checked item.
        remedy: the remark or the fix; empty if the item is correct.
        code: the stable code of the advice; empty if the item is correct.
        calls: with ``--plan``: API calls per day, idle and busy.
    """

    kind: Kind
    what: str
    remedy: str = ""
    code: str = ""
    calls: tuple[int, int] | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing must be done about it."""
        return self.kind is not Kind.TODO

    def to_json(self) -> dict[str, Json]:
        """Returns the form for ``check --json`` and the control socket."""
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
        """Reads the form of :meth:`to_json`.

        Raises:
            KeyError, ValueError: it has another form.
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


class Advice(Struct, frozen=True):
    """A possible line, with ``{places}`` to fill in.

    Attributes:
        code: stable, for programs: ``pagerduty.user_missing``.
        what: the checked item.
        remedy: the fix or the remark.
    """

    code: str
    kind: Kind
    what: str
    remedy: str

    def line(self, **values: object) -> CheckLine:
        """Returns the line with its places filled in."""
        return CheckLine(
            self.kind, self.what.format(**values), self.remedy.format(**values), self.code
        )


def ok(what: str) -> CheckLine:
    """Creates a line about a correct item."""
    return CheckLine(Kind.OK, what)


def todo(code: str, what: str, remedy: str) -> Advice:
    """Creates an advice that something must be done."""
    return Advice(code, Kind.TODO, what, remedy)


def remark(code: str, what: str, remedy: str) -> Advice:
    """Creates an advice that is useful to know, or that something could not be verified."""
    return Advice(code, Kind.REMARK, what, remedy)
