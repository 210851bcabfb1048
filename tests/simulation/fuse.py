"""The end of a process: from a point drawn beforehand nothing of it continues.

Every boundary between the daemon and what survives it burns the fuse: each SQL statement, before and
after each COMMIT, after a COMMIT that moved a cursor, each request before it is sent and each answer
before it is seen. Once the fuse has blown, nothing passes any more, whatever the dying process tries.
"""

from dataclasses import dataclass

ANY = "any"


class Killed(BaseException):
    """Represents SIGKILL. No ``except Exception`` of the daemon can stop it."""


@dataclass(slots=True)
class Fuse:
    """``left``: how many boundaries of ``kind`` may still be passed; None: no crash is planned."""

    kind: str = ANY
    left: int | None = None
    is_blown: bool = False
    where: str = ""

    def burn(self, kind: str, detail: str = "") -> None:
        """Passes a boundary, or dies there."""
        if self.is_blown:
            raise Killed
        if self.left is None or self.kind not in (ANY, kind):
            return
        self.left -= 1
        if self.left < 0:
            self.blow(f"{kind} {detail}".strip())

    def blow(self, where: str) -> None:
        """Ends the process here."""
        self.is_blown, self.where = True, where
        raise Killed
