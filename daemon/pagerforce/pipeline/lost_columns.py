"""Columns that can't be read for a while: logged once; losing or regaining one is no change.

While a column is left out, its snapshots keep its last value and the rules that need it are switched
off (``service/rulebook.py``). When it can be read again, every row is read once with it before a
difference counts: its values meanwhile are unknown, and a field that was created again is empty.
"""

from collections.abc import Callable, Collection, Mapping

import msgspec
from msgspec import Struct

from pagerforce.model.leftout import ALL_READ, LeftOut, NotRead
from pagerforce.observe.log import get_log
from pagerforce.observe.metrics import Metrics
from pagerforce.pipeline.ruling import Judge
from pagerforce.store.database import Database, Transaction
from pagerforce.store.facts import find_lost, put_lost

_LOG = get_log("poll")
_NOTHING: frozenset[str] = frozenset()


class LostColumns(Struct):
    """Tracks the columns that the source leaves out.

    Attributes:
        not_read: the columns and objects that are refused now.
        judge: knows which rules are switched off because of them.
    """

    not_read: Callable[[], NotRead]
    database: Database
    metrics: Metrics
    judge: Callable[[], Judge]
    _seen: NotRead = ALL_READ
    _lost: dict[str, frozenset[str]] = msgspec.field(default_factory=dict)

    async def start(self, tx: Transaction, objects: Collection[str]) -> None:
        """Loads the lost columns that an earlier run stored."""
        for name in objects:
            self._lost[name] = await find_lost(tx, name)

    def quiet(self, name: str) -> frozenset[str]:
        """Fields of an object whose differences do not count as changes yet."""
        return self._lost.get(name, _NOTHING)

    def wanted(self, name: str, fields: frozenset[str]) -> frozenset[str]:
        """The fields among these that can be read now."""
        return fields - self.not_read().columns_of(name)

    def returned(self, name: str) -> frozenset[str]:
        """Fields that can be read again but have not been read for every row yet."""
        return self.quiet(name) - self.not_read().columns_of(name)

    async def compared(self, tx: Transaction, name: str, returned: frozenset[str]) -> None:
        """Notes that every row was read with these fields."""
        if returned:
            self._lost[name] = self.quiet(name) - returned
            await put_lost(tx, name, self._lost[name])

    async def note(self) -> None:
        """Logs and stores what is newly refused since the last call, and what is read again."""
        now, before = self.not_read(), self._seen
        if now is before:
            return
        for name in self._lost:
            new = now.columns_of(name) - self.quiet(name)
            if new:
                async with self.database.write() as tx:
                    await put_lost(tx, name, self.quiet(name) | new)
                self._lost[name] = self.quiet(name) | new
        self._seen = now
        self._tell_columns(before.columns, now.columns)
        self._tell_objects(before.halted, now.halted)
        self.metrics.rules_off.set(len(self.judge().off))

    def _tell_columns(
        self,
        before: Mapping[str, Mapping[str, LeftOut]],
        now: Mapping[str, Mapping[str, LeftOut]],
    ) -> None:
        off = self.judge().off
        for name in sorted(before.keys() | now.keys()):
            old, new = before.get(name, {}), now.get(name, {})
            self.metrics.fields_left_out.labels(name).set(len(new))
            for path in sorted(new.keys() - old.keys()):
                rules = [" / ".join(rule) for rule, why in off.items() if f"record.{path} " in why]
                _LOG.warning(
                    "field_left_out", object=name, field=path, reason=new[path].why, rules=rules
                )
            for path in sorted(old.keys() - new.keys()):
                _LOG.info("field_read_again", object=name, field=path)

    def _tell_objects(self, before: Mapping[str, LeftOut], now: Mapping[str, LeftOut]) -> None:
        for name in sorted(before.keys() | now.keys()):
            self.metrics.object_halted.labels(name).set(name in now)
        for name in sorted(now.keys() - before.keys()):
            _LOG.error("object_halted", object=name, reason=now[name].why)
        for name in sorted(before.keys() - now.keys()):
            _LOG.info("object_read_again", object=name)
