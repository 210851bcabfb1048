"""Writes refused calls to the log and to the journal of operators, so that nobody can fill either.

The first few refusals of a user have their own entries. Faster ones are counted: one entry says how
often which commands were refused. There is also a limit for all users together; above it one entry
covers all of them. Only command words that the daemon knows are stored, never a stranger's own
text.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import msgspec
from msgspec import Struct

from pagerforce.observe.log import get_log
from pagerforce.service.control.desk import Home
from pagerforce.service.control.peers import Caller
from pagerforce.store.operators import REFUSED, OperatorAction, record_operator

UNKNOWN = "(unknown command)"
SEVERAL = "(several commands)"
_LOG = get_log("control")
_BURST, _PER_SECOND = 6.0, 1 / 20
_BURST_OF_ALL, _PER_SECOND_OF_ALL = 30.0, 1 / 6
_MOST_USERS = 256
_FOLD_SECONDS = 20.0
_CROWD = Caller(-1, "(several users)", frozenset())


class _Allowance(Struct):
    """The number of entries that may be written: some at once, then a rate per second."""

    burst: float
    per_second: float
    left: float
    at: float

    def take(self, now: float) -> bool:
        """Takes one entry from the allowance, if there is one."""
        self.left = min(self.burst, self.left + (now - self.at) * self.per_second)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class _Account(Struct):
    """The refusals of one user. ``folded``: those not written yet, by command."""

    caller: Caller
    allowance: _Allowance
    folded: Counter[str] = msgspec.field(default_factory=Counter)


class Refusals(Struct):
    """The refusals of all users."""

    home: Home
    _accounts: dict[int, _Account] = msgspec.field(default_factory=dict)
    _all: _Allowance | None = None

    async def record(self, caller: Caller, word: str, reason: str) -> bool:
        """Writes one refusal; False if there are too many and it is only counted."""
        account = self._account(caller)
        account.folded[word] += 1
        if account.folded.total() > 1:
            return False
        if not (self._may_by_itself(account) and self._may_with_all()):
            return False
        await self._write(account, reason)
        return True

    @asynccontextmanager
    async def folding(self, report: Callable[[Exception], None]) -> AsyncIterator[None]:
        """Writes the counted refusals regularly and at the end of the block."""

        async def fold() -> None:
            while True:
                await anyio.sleep(_FOLD_SECONDS)
                try:
                    await self.fold()
                except Exception as error:  # noqa: BLE001 (it is tried again)
                    report(error)

        async with anyio.create_task_group() as group:
            group.start_soon(fold, name="refusals")
            try:
                yield
            finally:
                group.cancel_scope.cancel()
        try:
            with anyio.move_on_after(2.0, shield=True):
                await self.fold(is_last=True)
        except Exception as error:  # noqa: BLE001 (the daemon stops anyway)
            report(error)

    async def fold(self, *, is_last: bool = False) -> None:
        """Writes an entry per user with counted refusals, and one for those above the limit."""
        crowd = self._accounts.pop(_CROWD.uid, None) or self._open(_CROWD)
        for account in list(self._accounts.values()):
            if not account.folded or not (self._may_by_itself(account) or is_last):
                continue
            if self._may_with_all():
                await self._write(account, _folded_reason(account))
            else:
                crowd.folded += account.folded
                account.folded.clear()
        if crowd.folded:
            await self._write(crowd, _folded_reason(crowd))
        self._forget()

    def _account(self, caller: Caller) -> _Account:
        if caller.uid not in self._accounts and len(self._accounts) >= _MOST_USERS:
            self._forget()
            if len(self._accounts) >= _MOST_USERS:
                caller = _CROWD
        if caller.uid not in self._accounts:
            self._accounts[caller.uid] = self._open(caller)
        return self._accounts[caller.uid]

    def _open(self, caller: Caller) -> _Account:
        left = 0.0 if caller is _CROWD else _BURST
        return _Account(caller, _Allowance(_BURST, _PER_SECOND, left, self._now()))

    def _now(self) -> float:
        return self.home.clock.monotonic()

    def _forget(self) -> None:
        """Removes users whose allowance is full again."""
        before = self._now() - _BURST / _PER_SECOND
        for uid, account in list(self._accounts.items()):
            if not account.folded and account.allowance.at < before:
                del self._accounts[uid]

    def _may_by_itself(self, account: _Account) -> bool:
        return account.allowance.take(self._now())

    def _may_with_all(self) -> bool:
        now = self._now()
        if self._all is None:
            self._all = _Allowance(_BURST_OF_ALL, _PER_SECOND_OF_ALL, _BURST_OF_ALL, now)
        return self._all.take(now)

    async def _write(self, account: _Account, reason: str) -> None:
        folded, account.folded = account.folded, Counter()
        caller, count = account.caller, folded.total()
        word = next(iter(folded)) if len(folded) == 1 else SEVERAL
        _LOG.warning("refused", uid=caller.uid, user=caller.user, command=word, folded=count)
        if self.home.writing is None:
            return
        refused = OperatorAction(
            caller.uid,
            caller.user,
            sorted(role.value for role in caller.roles),
            word,
            {"refused": dict(folded)} if count > 1 else {},
            outcome=REFUSED,
            reason=reason,
        )
        async with self.home.writing.write() as tx:
            await record_operator(tx, refused, self.home.clock.now())


def _folded_reason(account: _Account) -> str:
    return f"refused {account.folded.total()} times; the first entries say why"
