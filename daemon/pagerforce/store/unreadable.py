"""Unreadable stored rows: left out, counted by table, logged once each, never a crash.

A row may be damaged by a disk, by a manual change or by an earlier bug. Code that reads rows
decodes them with ``each`` or ``attempt``; failures are recorded here, and everything else
continues. ``survey`` searches for such rows by the kind of each column, for ``status``.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from pagerforce.observe.log import get_log
from pagerforce.store.engine import column

if TYPE_CHECKING:
    from pagerforce.store.database import Row, Transaction

T = TypeVar("T")

_LOG = get_log("store")
GARBAGE = (
    ValueError,  # no JSON, no instant, no member of a closed set; UnicodeError is one
    TypeError,
    KeyError,
    IndexError,
    AttributeError,  # JSON of another shape
    OverflowError,
    RecursionError,
)
"""Exceptions that decoding a damaged row may raise."""
_MOST_KEPT = 10_000
_MOST_LOGGED = 100
_LONGEST_KEY = 100


class Unreadable:
    """The rows of one database that could not be read so far.

    Attributes:
        is_logged: set by the daemon; a command has no log.
    """

    def __init__(self) -> None:
        self.is_logged = False
        self._keys: dict[str, set[str]] = {}
        self._logged = 0

    def note(self, table: str, key: object) -> None:
        """Records an unreadable row of a table; logged the first time."""
        keys = self._keys.setdefault(table, set())
        name = str(key)[:_LONGEST_KEY]
        if name in keys or len(keys) >= _MOST_KEPT:
            return
        keys.add(name)
        if self.is_logged and self._logged < _MOST_LOGGED:
            self._logged += 1
            _LOG.error("stored_row_unreadable", table=table, row=name)

    def keys(self) -> Mapping[str, frozenset[str]]:
        """By table, the keys of its unreadable rows."""
        return {table: frozenset(keys) for table, keys in self._keys.items()}


def each(
    tx: "Transaction", table: str, rows: Iterable["Row"], make: Callable[["Row"], T]
) -> list[T]:
    """The values of all readable rows. A row's first column is its key."""
    found = []
    for row in rows:
        try:
            found.append(make(row))
        except GARBAGE:
            tx.unreadable.note(table, row[0])
    return found


def attempt(tx: "Transaction", table: str, key: object, make: Callable[[], T]) -> T | None:
    """The value of a single row, or of a column of it; None if it can't be read."""
    try:
        return make()
    except GARBAGE:
        tx.unreadable.note(table, key)
        return None


# What each column holds -----------------------------------------------------------------------------

_DAY = "[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"
_INSTANT = f"{_DAY}T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*Z"
MOST = 2**53
"""No counter and no sequence number comes near; a larger one is damaged."""

MOST_SECONDS = 10**9
"""No difference of two clocks comes near; a larger one is damaged."""

KINDS: Mapping[str, str] = {
    "text": "length({0}) < 1000000",
    "name": "{0} <> '' AND length({0}) < 1000",
    "instant": f"glob('{_INSTANT}', {{0}}) AND length({{0}}) < 40",
    "count": f"{{0}} BETWEEN 0 AND {MOST}",
    "flag": "{0} IN (0, 1)",
    "seconds": f"abs({{0}}) <= {MOST_SECONDS}",
    # Not by AND: SQLite may evaluate json_type of invalid JSON first, and end the query.
    "object": "CASE WHEN json_valid({0}) THEN json_type({0}) = 'object' ELSE {0} IS NULL END",
    "list": "CASE WHEN json_valid({0}) THEN json_type({0}) = 'array' ELSE {0} IS NULL END",
    "side": "{0} IN ('pagerduty', 'salesforce')",
    "state": "{0} IN ('pending', 'in_flight', 'delivered', 'skipped', 'dead_letter', 'shadowed', "
    "'discarded')",
}
"""SQL conditions for the columns of each kind. Null is allowed wherever the schema allows it."""

COLUMNS: Mapping[str, str] = {
    "fact": "name name, value text",
    "cursor": "feed name, stamp instant, id name",
    "incident": "id name, is_open flag, entry_at instant, data object",
    "record": "id name, object name, data object",
    "recheck": "id name, object name",
    "comment": "id name, object name, parent_id name, action_id name, seen_at instant",
    "note": "incident_id name, id name, action_id name",
    "link": "incident_id name, record_id name, object name, is_active flag, created_at instant, "
    "record_at instant",
    "lane_member": "member name, lane name",
    "event": "seq count, id name, source side, type name, at instant, seen_at instant, "
    "incident_id name, object name, record_id name, echo_of name, data object, context object, "
    "rules list, context_id count, rules_id count",
    "shared_text": "id count, digest name, data text",
    "action": "id name, seq count, part count, event_seq count, ruleset text, rule text, "
    "position count, do name, object name, written object, args object, lane name, is_page flag, "
    "target name, state state, reason text, attempts count, is_uncertain flag, next_at instant, "
    "created_at instant, first_attempt_at instant, finished_at instant, incident_id name, "
    "record_id name, doubt_since instant, retried_at instant, depth count",
    "attempt": "action_id name, number count, started_at instant, finished_at instant, "
    "verdict name, detail text, requests list, incident_id name, is_answered flag, "
    "ahead seconds, event_seq count",
    "expectation": "seq count, action_id name, kind name, subject name, data object, actor_id name, "
    "remaining count, made_at instant",
    "operator_action": "seq count, at instant, uid count, user text, roles list, command text, "
    "arguments object, outcome name, reason text, incident_id text, object text, record_id text",
    "rules_revision": "number count, at instant, uid count, user text, name text, content text, "
    "withdrawn_at instant",
    "pause": "seq count, lane name, began_at instant, until instant, ended_at instant, reason text, "
    "evidence list",
    "merged_link": "incident_id name, record_id name",
    "merged_record": "record_id name, incident_id name",
}
"""By table, its columns with their kinds; the first one is the row's key in a message."""

_LOOKED_AT = 5_000  # rows of a table, the newest by its key


async def survey(tx: "Transaction") -> None:
    """Records rows whose columns contain wrong values; of large tables only the last rows.

    In SQL alone, so that only the caller waits for it.
    """
    for table, columns in COLUMNS.items():
        pairs = [pair.split() for pair in columns.split(", ")]
        sound = " AND ".join(
            f"coalesce(({KINDS[kind].format(column(name))}), {column(name)} IS NULL)"
            for name, kind in pairs
        )
        key = pairs[0][0]
        sql = (
            f"SELECT {key} FROM (SELECT * FROM {table} ORDER BY {key} DESC LIMIT {_LOOKED_AT}) "
            f"AS newest "
            f"WHERE NOT ({sound}) LIMIT 1000"
        )
        for row in await tx.rows(sql):
            tx.unreadable.note(table, row[0])
