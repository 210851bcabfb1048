"""The org: its rows, people, rights and knobs, with plain methods for people's work.

Writes of these methods take the same path, with the same validation and triggers, as writes by
REST.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pagerforce.sandbox.clock import SandboxClock
from pagerforce.sandbox.salesforce.access import Access
from pagerforce.sandbox.salesforce.automation import Automation
from pagerforce.sandbox.salesforce.dml import Dml, Rule, check_columns
from pagerforce.sandbox.salesforce.errors import (
    ApiError,
    not_found,
    unknown_object,
)
from pagerforce.sandbox.salesforce.header_book import HeaderBook
from pagerforce.sandbox.salesforce.ids import canonical_id
from pagerforce.sandbox.salesforce.lens import Lens
from pagerforce.sandbox.salesforce.moves import Move
from pagerforce.sandbox.salesforce.quota import Quota
from pagerforce.sandbox.salesforce.remedyforce import remedyforce_objects
from pagerforce.sandbox.salesforce.render import Json, Renderer
from pagerforce.sandbox.salesforce.schema import Schema, SObject, Value
from pagerforce.sandbox.salesforce.seeds import INTEGRATION_USER, ORG_ID, Seeder
from pagerforce.sandbox.salesforce.soql_evaluate import QueryRunner
from pagerforce.sandbox.salesforce.standard import standard_objects
from pagerforce.sandbox.salesforce.store import Row, RowStore
from pagerforce.sandbox.salesforce.streaming import Streaming
from pagerforce.sandbox.salesforce.tokens import TokenDesk
from pagerforce.sandbox.salesforce.transaction import Transaction
from pagerforce.sandbox.salesforce.triggers import package_hooks
from pagerforce.sandbox.salesforce.troubles import Troubles

DEFAULT_API_BASE = "/services/data/v62.0"
DEFAULT_PERSON = "jane.doe@example.com"
_SEED_USER = "005000000000001AAA"


@dataclass(slots=True)
class Knobs:
    """The org's misbehaviour, besides the HTTP faults.

    Attributes:
        batch_size: if set, query pages have at most this many rows.
        lock_errors: number of next writes by REST that get UNABLE_TO_LOCK_ROW.
        default_case_owner: if set, a Case written without ``Sforce-Auto-Assign: FALSE`` gets this
            owner.
        locator_seconds: how long a ``nextRecordsUrl`` stays valid.
        query_timeouts: number of next queries that get QUERY_TIMEOUT.
        rollup_is_edit: whether a history row also moves its incident's LastModifiedDate, not
            only SystemModstamp; the known documentation does not say what the platform does.
        false_beliefs: names of facts about Salesforce that are false here, for ``verify`` to find.
    """

    batch_size: int | None = None
    lock_errors: int = 0
    default_case_owner: str = ""
    locator_seconds: float = 172_800.0
    query_timeouts: int = 0
    rollup_is_edit: bool = False
    false_beliefs: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class LateTransaction:
    """A long transaction: its rows have the time of the write and become visible at its end."""

    started_at: datetime
    commits_at: datetime


@dataclass(frozen=True, slots=True)
class Purge:
    """A row that was deleted permanently."""

    object: str
    id: str
    deleted_at: datetime


@dataclass(slots=True)
class _Late:
    """The transaction that the next writes join."""

    transaction: LateTransaction
    writes_left: int


@dataclass(slots=True)
class SalesforceWorld:
    """One org.

    Attributes:
        instance_url: the URL in the token endpoint's answer; ``""`` for the URL of the request.
        purged: rows deleted permanently.
        automation: the administrator's automation.
        troubles: active refusals, by operation and object.
        headers: the important headers of callers.
        streaming: the clients of the streaming endpoint, and its knobs.
        moved: the answers of the old instance, if the org has moved.
        schema_changed_at: time of the last deletion or restore of a field.
    """

    clock: SandboxClock
    instance_url: str = ""
    knobs: Knobs = field(default_factory=Knobs)
    access: Access = field(default_factory=Access)
    quota: Quota = field(default_factory=Quota)
    tokens: TokenDesk = field(default_factory=lambda: TokenDesk(ORG_ID))
    purged: list[Purge] = field(default_factory=list)
    automation: Automation = field(default_factory=Automation)
    troubles: Troubles = field(default_factory=Troubles)
    headers: HeaderBook = field(default_factory=HeaderBook)
    moved: Move | None = None
    schema_changed_at: datetime | None = None
    schema: Schema = field(init=False)
    store: RowStore = field(init=False)
    dml: Dml = field(init=False)
    streaming: Streaming = field(init=False)
    started_at: datetime = field(init=False)
    _open: list[LateTransaction] = field(default_factory=list)
    _late: _Late | None = None

    def __post_init__(self) -> None:
        self.started_at = self.now()
        self.schema = Schema.of((*standard_objects(), *remedyforce_objects()))
        self.store = RowStore(self.clock, self.schema)
        self.streaming = Streaming(self.store, self.clock.now)
        self.store.on_put.append(self.streaming.changed)
        hooks = package_hooks(lambda: self.knobs.rollup_is_edit)
        self.dml = Dml(self.schema, hooks, holds=self.holds, own=self.automation.hooks())

    def now(self) -> datetime:
        """The org's current instant, in whole seconds like its stamps."""
        return self.clock.now().replace(microsecond=0)

    def holds(self, fact: str) -> bool:
        """Whether a fact is true in this org; ``fact`` is the name without its side."""
        return f"salesforce.{fact}" not in self.knobs.false_beliefs

    @property
    def view(self) -> Schema:
        """The schema without deleted fields; :attr:`schema` keeps them for a restore."""
        return self.automation.shape(self.schema)

    # Acts of people.

    def insert(
        self, object_name: str, fields: Mapping[str, object], by: str = DEFAULT_PERSON
    ) -> str:
        """A person (username or Id) creates a row; returns its Id.

        Raises:
            ApiError: the org refuses.
        """
        item = self.object(object_name)
        check_columns(self.view, item, fields)
        with self.transaction(self.user_id(by)) as tx:
            return self.dml.insert(tx, item, fields)

    def update(
        self, object_name: str, row_id: str, fields: Mapping[str, object], by: str = DEFAULT_PERSON
    ) -> None:
        """A person changes a row.

        Raises:
            ApiError: the org refuses.
        """
        check_columns(self.view, self.object(object_name), fields)
        with self.transaction(self.user_id(by)) as tx:
            self.dml.update(tx, self._own(object_name, row_id), fields)

    def delete(self, object_name: str, row_id: str, by: str = DEFAULT_PERSON) -> None:
        """A person puts a row into the Recycle Bin.

        Raises:
            ApiError: the org refuses.
        """
        with self.transaction(self.user_id(by)) as tx:
            self.dml.delete(tx, self._own(object_name, row_id))

    def undelete(self, object_name: str, row_id: str, by: str = DEFAULT_PERSON) -> None:
        """A person takes a row out of the Recycle Bin.

        Raises:
            ApiError: the org refuses.
        """
        with self.transaction(self.user_id(by)) as tx:
            self.dml.undelete(tx, self._own(object_name, row_id))

    def purge(self, object_name: str, row_id: str) -> None:
        """Removes one deleted row from the Recycle Bin: only ``/deleted`` still lists it.

        Raises:
            ApiError: it is not in the Recycle Bin.
        """
        own_id = self._own(object_name, row_id)
        row = self.store.find(own_id)
        if row is None or not row.is_deleted:
            raise not_found()
        self.purged.append(Purge(row.object, own_id, row.stamp))
        self.store.purge(own_id)

    def merge(self, object_name: str, winner: str, loser: str, by: str = DEFAULT_PERSON) -> None:
        """A person merges two rows: the loser is deleted and names the winner, children move.

        Raises:
            ApiError: the org refuses, or the object cannot be merged.
        """
        item = self.object(object_name)
        if item.find("MasterRecordId") is None:
            raise ApiError("INVALID_TYPE", f"{item.name} cannot be merged")
        winner_id, loser_id = self._own(object_name, winner), self._own(object_name, loser)
        with self.transaction(self.user_id(by)) as tx:
            self.dml.live(tx, winner_id)
            self.dml.live(tx, loser_id)
            for child in self.schema.children_of(item):
                for row in tx.holders(child.object.name, child.field.name, loser_id):
                    tx.touch(row.id, {child.field.name: winner_id}, as_edit=True)
            self.dml.delete(tx, loser_id)
            tx.touch(loser_id, {"MasterRecordId": winner_id}, as_edit=False)

    # Views of people.

    def row(self, object_name: str, row_id: str) -> dict[str, Value]:
        """All fields of a row, with formulas, in its newest state, even uncommitted or deleted.

        Raises:
            ApiError: NOT_FOUND.
        """
        row = self.store.newest(self._own(object_name, row_id))
        if row is None:
            raise not_found()
        return self._show(row)

    def rows(self, object_name: str) -> list[dict[str, Value]]:
        """All committed rows of an object that are not deleted, in the order of creation."""
        rows = self.store.scan(self.object(object_name).name)
        return [self._show(row) for row in rows if not row.is_deleted]

    def query(self, soql: str) -> list[Json]:
        """The records of a query, in REST's form, with every right.

        Raises:
            ApiError: the query is wrong.
        """
        lens = Lens(self.view, self.store, self.schema)
        renderer = Renderer(lens, DEFAULT_API_BASE)
        return QueryRunner(renderer, self.clock.now()).run(soql).records

    def find_id(self, object_name: str, **values: object) -> str:
        """The Id of the one row with these field values.

        Raises:
            LookupError: no row fits, or several.
        """
        found = [
            row for row in self.rows(object_name) if all(row[k] == v for k, v in values.items())
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} rows of {object_name} fit {values}")
        return str(found[0]["Id"])

    def object(self, name: str) -> SObject:
        """The object of that name.

        Raises:
            ApiError: INVALID_TYPE.
        """
        item = self.schema.find(name)
        if item is None:
            raise unknown_object(name)
        return item

    def user_id(self, who: str) -> str:
        """The Id of a user given by username or Id.

        Raises:
            LookupError: no such user exists.
        """
        row_id = canonical_id(who)
        for row in self.store.scan("User"):
            if row.id == row_id or str(row.values["Username"]).lower() == who.lower():
                return row.id
        raise LookupError(f"no user {who}")

    # Transactions.

    @contextmanager
    def transaction(self, user_id: str) -> Iterator[Transaction]:
        """One unit of work; its rows are stored if the block ends without an error."""
        tx = Transaction(self.store, self.schema, user_id, self.now())
        yield tx
        if tx.staged():
            self.store.put(tx.staged(), self._visible_at())

    def begin_late(self, seconds: float, *, writes: int = 1) -> LateTransaction:
        """Opens a transaction of this length; the next ``writes`` writes, by anybody, happen in it.

        Their rows have the stamp of the write and become visible at its end; meanwhile it holds
        their locks and lowers ``latestDateCovered``.
        """
        now = self.clock.now()
        late = LateTransaction(now, now + timedelta(seconds=seconds))
        self._open.append(late)
        self._late = _Late(late, writes)
        return late

    def leave_late(self) -> None:
        """No further write joins an open transaction."""
        self._late = None

    def commit_late(self) -> None:
        """Ends every open transaction now."""
        self._open.clear()
        self._late = None
        self.store.commit_open()
        self.streaming.commit_open()

    def covered_until(self, end: datetime) -> datetime:
        """``latestDateCovered``: ``end``, or the start of the oldest open transaction."""
        now = self.clock.now()
        self._open = [late for late in self._open if late.commits_at > now]
        return min([end, *(late.started_at for late in self._open)])

    # Knobs.

    def trust(self, pem: str | bytes) -> None:
        """Uploads a certificate (or public key) for JWT logins.

        Raises:
            ValueError: it is not an RSA one.
        """
        self.tokens.trust(pem)

    def expire_tokens(self) -> None:
        """Ends every API session: the next calls get INVALID_SESSION_ID."""
        self.tokens.expire_all()

    def set_remaining_calls(self, remaining: int) -> None:
        """Leaves this many API calls of the day."""
        self.quota.leave(remaining, self.clock.now())

    def add_rule(self, object_name: str, rule: Rule) -> None:
        """Adds a validation rule of the customer."""
        self.dml.rules.setdefault(self.object(object_name).name, []).append(rule)

    def seed(self) -> None:
        """Fills the empty org."""

        def insert(object_name: str, fields: Mapping[str, object], row_id: str) -> str:
            with self.transaction(_SEED_USER) as tx:
                return self.dml.insert(tx, self.object(object_name), fields, row_id)

        Seeder(insert).fill()

    def _visible_at(self) -> datetime:
        late, now = self._late, self.clock.now()
        if late is None or late.transaction.commits_at <= now:
            self._late = None
            return now
        late.writes_left -= 1
        if late.writes_left <= 0:
            self._late = None
        return late.transaction.commits_at

    def _own(self, object_name: str, row_id: str) -> str:
        item, full = self.object(object_name), canonical_id(row_id)
        if full is None or not full.startswith(item.prefix):
            raise ApiError("MALFORMED_ID", f"{item.label} ID: id value of incorrect type: {row_id}")
        return full

    def _show(self, row: Row) -> dict[str, Value]:
        lens = Lens(self.schema, self.store)
        return {f.name: lens.value(row, f) for f in self.schema.get(row.object).fields.values()}


def seeded_world(clock: SandboxClock, *, instance_url: str = "") -> SalesforceWorld:
    """An org with people and reference data, and no incidents.

    Args:
        clock: the org's time.
        instance_url: the URL in the token endpoint's answer; ``""`` for the URL of the request.
    """
    world = SalesforceWorld(clock, instance_url)
    world.seed()
    return world


__all__ = ["INTEGRATION_USER", "LateTransaction", "SalesforceWorld", "seeded_world"]
