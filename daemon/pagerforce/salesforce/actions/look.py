"""What ``salesforce.set_field`` reads before a write, in as few calls as possible.

A snapshot that is old enough replaces the look at the record (``is_settled``). The lookups whose Ids
are not cached share one request with the look, if that is needed. Fact:
``salesforce.composite-is-one-call``.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.action import Task
from pagerforce.model.durations import OVERLAP
from pagerforce.model.record import Record
from pagerforce.salesforce.actions.tools import SalesforceTools, lookup_of
from pagerforce.salesforce.client import MAX_QUERIES, REFERENCE_MARK
from pagerforce.salesforce.lookup import Answers

_MOST_KEPT = 200  # attempts that are prepared and not yet made


class Looks:
    """Sends the reads of an attempt when it is prepared, and keeps the record until it is made."""

    def __init__(self, tools: SalesforceTools) -> None:
        self._tools = tools
        self._kept: OrderedDict[str, Record] = OrderedDict()

    async def ahead(self, task: Task) -> Answers:
        """The answers to a task's lookups; with them, the record may have been read.

        Nothing is sent if all Ids are cached, or if there is only one query to send.

        Raises:
            RemoteError: the request failed.
        """
        self._kept.pop(task.key, None)
        queries = await self._lookups(task)
        look = None
        if queries and task.record_id is not None and not task.is_uncertain:
            names = frozenset(str(call.get("field", "")) for call in task.calls)
            if not is_settled(task, names, self._tools.plan.polled_at(task.object)):
                known = task.record.fields.keys() if task.record is not None else ()
                ids = [task.record_id]
                look = await self._tools.reading(task.object, ids, names.union(known))
        queries = queries[: MAX_QUERIES - (look is not None)]
        paths = [self._tools.client.query_path(query) for query in queries]
        paths += [self._tools.client.query_path(look.soql, deleted=True)] if look else []
        if len(paths) < 2:  # a query of its own costs the same
            return {}
        parts = await self._tools.client.send_composite(paths, "query")
        if look is not None:
            with suppress(RemoteError):  # it is read again just before the write
                rows = await self._tools.client.rows_of(parts[-1])
                self._keep(task, look.records(rows).values())
        return dict(zip(queries, parts, strict=False))

    def take(self, task: Task) -> Record | None:
        """The record as it was read when this attempt was prepared; None if it was not read."""
        return self._kept.pop(task.key, None)

    def _keep(self, task: Task, found: Iterable[Record]) -> None:
        record = next((one for one in found if one.id == task.record_id), None)
        if record is None or record.is_deleted:
            return
        self._kept[task.key] = record
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    async def _lookups(self, task: Task) -> list[str]:
        """The queries for lookups whose Ids are not cached; errors are left to the preparation."""
        found: dict[str, None] = {}
        for call in task.calls:
            wanted = lookup_of({"lookup": call.get("lookup")})
            if wanted is None or any(REFERENCE_MARK in str(value) for value in wanted.values()):
                continue
            with suppress(RefusedError):
                found |= dict.fromkeys(
                    await self._tools.lookups.queries(
                        task.object, str(call.get("field", "")), wanted
                    )
                )
        return list(found)


def is_settled(task: Task, names: Collection[str], polled_at: datetime | None) -> bool:
    """Whether a task's snapshot may replace a look at the record: it is old enough, and complete.

    Other changes of the snapshot's last second are complete once a poll has read that second again,
    one overlap later. A change of a later second is found by the write's guard.

    Args:
        task: the task.
        names: the fields to write.
        polled_at: when the last complete poll of the object began; None: there was none yet.
    """
    held = task.record
    if held is None or task.is_uncertain or polled_at is None:
        return False
    is_read_again = polled_at - held.version >= OVERLAP
    return is_read_again and set(names) <= held.fields.keys()
