"""How long to wait before the next handshake, by the way the last client id ended. Pure."""

from enum import Enum

from msgspec import Struct

from pagerforce.wire.backoff import backoff_seconds

AFTER_REFUSAL = 300.0
"""Seconds after which a refusal is tried again."""

_LONGEST = 300.0
_FIRST_FAILURE, _FIRST_ROUTINE = 5.0, 10.0
_LASTING = 60.0  # a client id that ends sooner counts as one more end in a row


class EndKind(Enum):
    """The way a client id ended.

    ``ROUTINE``: the server forgot it, as it does every few hours. ``LOGIN``: the login ended.
    ``UNSEEN``: the server saw no login in the request. ``REFUSED``: the org has to be configured.
    ``FAILED``: no answer, or a busy server.
    """

    ROUTINE = "routine"
    LOGIN = "login"
    UNSEEN = "unseen"
    REFUSED = "refused"
    FAILED = "failed"


_AT_ONCE = (EndKind.ROUTINE, EndKind.LOGIN, EndKind.UNSEEN)
_FOR_LONG = (EndKind.REFUSED, EndKind.LOGIN, EndKind.UNSEEN)


class End(Struct, frozen=True):
    """The end of a client id. ``reason``: for people."""

    kind: EndKind
    reason: str


class Pause(Struct, frozen=True):
    """Seconds before the next handshake. ``is_down``: the stream does not count as alive meanwhile."""

    seconds: float
    is_down: bool


class Patience(Struct):
    """Counts the ends in a row. ``scale``: of every wait; less than 1 in tests only."""

    scale: float = 1.0
    _in_a_row: int = 0
    _began_at: float = 0.0

    def begin(self, now: float) -> None:
        """The handshake of a client id."""
        self._began_at = now

    def answered(self, now: float) -> None:
        """A held connect was answered: the client id is good."""
        if now - self._began_at >= _LASTING * self.scale:
            self._in_a_row = 0

    def after(self, end: End, jitter: float) -> Pause:
        """What follows an end. ``jitter``: a random number, 0 to 1."""
        self._in_a_row += 1
        if end.kind in _AT_ONCE and self._in_a_row == 1:
            return Pause(0.0, is_down=False)
        if end.kind in _FOR_LONG:
            return Pause(AFTER_REFUSAL * self.scale, is_down=True)
        base = _FIRST_ROUTINE if end.kind is EndKind.ROUTINE else _FIRST_FAILURE
        seconds = backoff_seconds(
            self._in_a_row, base=base, cap=_LONGEST, jitter=0.5 + 0.5 * jitter
        )
        return Pause(seconds * self.scale, is_down=True)
