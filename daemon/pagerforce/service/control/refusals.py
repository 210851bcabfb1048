"""Writes refused calls to the journal of operators, without letting anyone fill it."""

from dataclasses import dataclass, field

from pagerforce.service.control.desk import Home
from pagerforce.service.control.peers import Caller
from pagerforce.store.operators import REFUSED, OperatorAction, record_operator

_BURST = 60.0
_PER_SECOND = 0.1
_MOST_USERS = 1000


@dataclass(slots=True)
class _Allowance:
    left: float
    at: float
    dropped: int = 0


@dataclass(slots=True)
class Refusals:
    """Each user may fill so many lines at once and few from then on; the rest is counted."""

    home: Home
    _allowances: dict[int, _Allowance] = field(default_factory=dict)

    async def record(self, caller: Caller, word: str, reason: str) -> None:
        """Writes one refusal down, or counts it where there are too many."""
        allowance = self._refilled(caller.uid)
        if allowance.left < 1 or self.home.writing is None:
            allowance.dropped += 1
            return
        allowance.left -= 1
        if allowance.dropped:
            reason = f"{reason}; {allowance.dropped} more before this one were not written down"
            allowance.dropped = 0
        refused = OperatorAction(
            caller.uid,
            caller.user,
            sorted(role.value for role in caller.roles),
            word[:100],
            outcome=REFUSED,
            reason=reason,
        )
        async with self.home.writing.write() as tx:
            await record_operator(tx, refused, self.home.clock.now())

    def _refilled(self, uid: int) -> _Allowance:
        now = self.home.clock.monotonic()
        if uid not in self._allowances:
            while len(self._allowances) >= _MOST_USERS:
                del self._allowances[next(iter(self._allowances))]
            self._allowances[uid] = _Allowance(_BURST, now)
        found = self._allowances[uid]
        found.left = min(_BURST, found.left + (now - found.at) * _PER_SECOND)
        found.at = now
        return found
