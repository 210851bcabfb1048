"""Links, and the lanes that keep the order of actions of linked incidents and records."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta

import anyio.lowlevel
from msgspec import Struct

from pagerforce.model.ids import IncidentId, RecordId, Side
from pagerforce.model.link import Link, LinkState
from pagerforce.model.value import parse_stamp
from pagerforce.store import pauses
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Row, Transaction
from pagerforce.store.snapshots import chunks, json_part, marks
from pagerforce.store.unreadable import attempt

_AT_ONCE = 500
_LONGEST_CHAIN = 100
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "link.incident_id, link.object, link.record_id, link.is_active, link.created_at, "
    "link.record_at, pause.until FROM link "
    "LEFT JOIN lane_member ON lane_member.member = link.incident_id "
    "LEFT JOIN pause ON pause.lane = lane_member.lane AND pause.ended_at IS NULL"
)


def _link(tx: Transaction, row: Row) -> Link:
    incident_id, name, record_id, is_active, created_at, record_at, until = row
    state = LinkState.PAUSED if until else LinkState.ACTIVE
    return Link(
        IncidentId(incident_id),
        name,
        RecordId(record_id),
        state if is_active else LinkState.INACTIVE,
        _moment(tx, incident_id, created_at),
        _moment(tx, incident_id, record_at),
    )


def _moment(tx: Transaction, incident_id: str, text: str) -> datetime:
    """Creation time of a link; one with an unreadable time counts as always present."""
    return attempt(tx, "link", incident_id, lambda: parse_stamp(text)) or _ALWAYS


async def read_links(tx: Transaction) -> list[Link]:
    """Every link, oldest first."""
    return [link async for link in iter_links(tx)]


async def iter_links(tx: Transaction) -> AsyncIterator[Link]:
    """Every link, oldest first; yields to other tasks in between, as there may be very many."""
    sql = f"SELECT {_COLUMNS} ORDER BY link.created_at, link.incident_id, link.record_id"
    for number, row in enumerate(await tx.rows(sql)):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await anyio.lowlevel.checkpoint()
        yield _link(tx, row)


async def read_paused(tx: Transaction) -> list[Link]:
    """Every active link whose lane is paused, oldest first."""
    where = "link.is_active = 1 AND pause.until IS NOT NULL"
    sql = f"SELECT {_COLUMNS} WHERE {where} ORDER BY link.created_at, link.incident_id"
    return [_link(tx, row) for row in await tx.rows(sql)]


async def links_of(tx: Transaction, members: Collection[str]) -> list[Link]:
    """Links, inactive ones too, of these incidents or records, oldest first."""
    found: dict[tuple[str, str], Link] = {}
    for column in ("incident_id", "record_id"):
        for chunk in chunks(members):
            sql = f"SELECT {_COLUMNS} WHERE link.{column} IN ({marks(chunk)})"
            for row in await tx.rows(sql, chunk):
                link = _link(tx, row)
                found[link.incident_id, link.record_id] = link
    return sorted(
        found.values(), key=lambda link: (link.created_at, link.incident_id, link.record_id)
    )


async def linked_since(tx: Transaction, object_name: str, since: datetime) -> frozenset[str]:
    """Records of an object that were linked at or after an instant of Salesforce's clock."""
    sql = "SELECT record_id FROM link WHERE object = ? AND record_at >= ?"
    return frozenset(row[0] for row in await tx.rows(sql, (object_name, to_stamp(since))))


async def find_links(tx: Transaction, subject: str) -> list[Link]:
    """Links of an incident, or of a record by the first 15 characters of its Id, oldest first."""
    sql = (
        f"SELECT {_COLUMNS} WHERE link.incident_id = ? OR (link.record_id >= ? AND "
        "link.record_id < ?) ORDER BY link.created_at, link.incident_id, link.record_id"
    )
    short = subject[:15]
    return [_link(tx, row) for row in await tx.rows(sql, (subject, short, short + "~"))]


async def find_incidents_by_number(tx: Transaction, number: int) -> list[IncidentId]:
    """Linked incidents with this number."""
    rows = await tx.rows(
        "SELECT DISTINCT link.incident_id FROM link JOIN incident ON incident.id = link.incident_id "
        f"WHERE {json_part('incident.data', '$.number')} = ? ORDER BY link.incident_id",
        (str(number),),
    )
    return [IncidentId(row[0]) for row in rows]


async def find_records_by_name(tx: Transaction, name: str) -> list[tuple[RecordId, str]]:
    """Linked records with this Name, in any case, each with its object."""
    rows = await tx.rows(
        "SELECT DISTINCT record.id, record.object FROM link JOIN record ON record.id = link.record_id "
        f"WHERE lower({json_part('record.data', '$.fields.Name')}) = lower(?) ORDER BY record.id",
        (name,),
    )
    return [(RecordId(row[0]), str(row[1])) for row in rows]


class LinkTime(Struct, frozen=True):
    """Creation time of a link, in both remote clocks."""

    incident_at: datetime
    record_at: datetime

    @classmethod
    def seen(cls, side: Side, at: datetime, skew: timedelta) -> "LinkTime":
        """From the clock of one side and the lead of Salesforce's clock over PagerDuty's."""
        if side is Side.PAGERDUTY:
            return cls(at, at + skew)
        return cls(at - skew, at)


async def put_link(
    tx: Transaction, incident_id: str, object_name: str, record_id: str, at: LinkTime
) -> None:
    """Stores a link (or makes an inactive one active again) and joins both lanes.

    If the incident or the record was merged meanwhile, the link gets the survivor of the merge.
    """
    merged_id, incident_id = incident_id, await _survivor(tx, incident_id)
    merged_record, record_id = record_id, await master_of(tx, record_id)
    await tx.run(
        "INSERT INTO link (incident_id, record_id, object, is_active, created_at, record_at) "
        "VALUES (?, ?, ?, 1, ?, ?) "
        "ON CONFLICT (incident_id, record_id) DO UPDATE SET is_active = 1",
        (incident_id, record_id, object_name, to_stamp(at.incident_at), to_stamp(at.record_at)),
    )
    if merged_id != incident_id:
        await _note_move(tx, merged_id, record_id)
    if merged_record != record_id:
        await _note_merged(tx, merged_record, incident_id)
    members = [merged_id, incident_id, merged_record, record_id]
    await join_lanes(tx, list(dict.fromkeys(members)))


async def _note_move(tx: Transaction, source: str, record_id: str) -> None:
    sql = "INSERT INTO merged_link (incident_id, record_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
    await tx.run(sql, (source, record_id))


async def _note_merged(tx: Transaction, source: str, incident_id: str) -> None:
    sql = "INSERT INTO merged_record (record_id, incident_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
    await tx.run(sql, (source, incident_id))


async def _survivor(tx: Transaction, incident_id: str) -> str:
    """The incident that this one was merged into, or itself."""
    return await _end_of_merges(tx, "incident", incident_id)


async def master_of(tx: Transaction, record_id: str) -> str:
    """The record that this one was merged into, or itself."""
    return await _end_of_merges(tx, "record", record_id)


async def _end_of_merges(tx: Transaction, table: str, member: str) -> str:
    """The end of a chain of merges; damaged snapshots may make a ring of it."""
    sql = f"SELECT {json_part('data', '$.merged_into')} FROM {table} WHERE id = ?"
    for _ in range(_LONGEST_CHAIN):
        row = await tx.row(sql, (member,))
        if row is None or not row[0]:
            break
        member = str(row[0])
    return member


async def set_links_active(tx: Transaction, record_id: str, *, active: bool) -> None:
    """Makes all links of a record active or inactive."""
    await tx.run("UPDATE link SET is_active = ? WHERE record_id = ?", (int(active), record_id))


async def move_links(tx: Transaction, source: str, survivor: str) -> None:
    """Moves links to the incident that survives a merge."""
    rows = await tx.rows(
        "SELECT record_id, object, created_at, record_at FROM link WHERE incident_id = ?",
        (source,),
    )
    for record_id, name, created_at, record_at in rows:
        at = LinkTime(_moment(tx, source, created_at), _moment(tx, source, record_at))
        await put_link(tx, survivor, name, record_id, at)
        await _note_move(tx, source, record_id)
    await tx.run("DELETE FROM link WHERE incident_id = ?", (source,))
    await join_lanes(tx, [source, survivor])


async def move_record_links(tx: Transaction, source: str, *, revives: bool) -> None:
    """Moves links to the record that survives a merge; two links of one pair become one.

    ``revives``: they ended only because the merge first looked like a deletion.
    """
    master = await master_of(tx, source)
    rows = await tx.rows(
        "SELECT incident_id, object, is_active, created_at, record_at FROM link WHERE record_id = ?",
        (source,),
    )
    for incident_id, name, is_active, created_at, record_at in rows:
        at = LinkTime(_moment(tx, incident_id, created_at), _moment(tx, incident_id, record_at))
        if is_active or revives:
            await put_link(tx, incident_id, name, master, at)
        else:
            await tx.run(
                "INSERT INTO link (incident_id, record_id, object, is_active, created_at, record_at) "
                "VALUES (?, ?, ?, 0, ?, ?) ON CONFLICT DO NOTHING",
                (incident_id, master, name, to_stamp(at.incident_at), to_stamp(at.record_at)),
            )
        await _note_merged(tx, source, incident_id)
    await tx.run("DELETE FROM link WHERE record_id = ?", (source,))
    await join_lanes(tx, [source, master])


async def links_merged_away(tx: Transaction, record_id: str) -> list[Link]:
    """The current links that a merge moved away from this record, oldest first."""
    sql = "SELECT incident_id FROM merged_record WHERE record_id = ?"
    incidents = {await _survivor(tx, row[0]) for row in await tx.rows(sql, (record_id,))}
    if not incidents:
        return []
    master = await master_of(tx, record_id)
    return [link for link in await links_of(tx, [master]) if link.incident_id in incidents]


async def moved_links(tx: Transaction, source: str) -> list[Link]:
    """The current links that a merge moved away from this incident, oldest first."""
    sql = "SELECT record_id FROM merged_link WHERE incident_id = ?"
    records = [row[0] for row in await tx.rows(sql, (source,))]
    if not records:
        return []
    survivor = await _survivor(tx, source)
    return [link for link in await links_of(tx, records) if link.incident_id == survivor]


async def merged_incidents(tx: Transaction, records: Collection[str]) -> dict[str, set[str]]:
    """By record: the incidents that took it along when they were merged into another."""
    found: dict[str, set[str]] = {}
    for chunk in chunks(records):
        sql = f"SELECT record_id, incident_id FROM merged_link WHERE record_id IN ({marks(chunk)})"
        for record_id, incident_id in await tx.rows(sql, chunk):
            found.setdefault(record_id, set()).add(incident_id)
    return found


async def count_links(tx: Transaction) -> tuple[int, int]:
    """The number of active links, and of those that are paused."""
    total = await tx.row("SELECT count(*) FROM link WHERE is_active = 1")
    # Runs every few seconds: from the few pauses to their links, not the other way round.
    paused = await tx.row(
        "SELECT count(*) FROM pause CROSS JOIN lane_member CROSS JOIN link "
        "WHERE lane_member.lane = pause.lane AND link.incident_id = lane_member.member "
        "AND pause.ended_at IS NULL AND link.is_active = 1"
    )
    return (int(total[0]), int(paused[0])) if total and paused else (0, 0)


async def join_lanes(tx: Transaction, members: Collection[str]) -> str:
    """The one lane of all these incidents and records; joins several lanes into one."""
    return (await join_all(tx, [members]))[0]


async def join_all(tx: Transaction, groups: Sequence[Collection[str]]) -> list[str]:
    """The lane of each group of incidents and records, after all groups were joined in order."""
    members = {member for group in groups for member in group}
    lane_of: dict[str, str] = {}
    for chunk in chunks(members):
        sql = f"SELECT member, lane FROM lane_member WHERE member IN ({marks(chunk)})"
        lane_of |= dict(await tx.rows(sql, chunk))
    known = frozenset(lane_of)
    for group in groups:
        lanes = {lane_of[member] for member in group if member in lane_of}
        keep = min(lanes) if lanes else min(group)
        for lane in lanes - {keep}:
            await _merge_lane(tx, lane, keep)
            lane_of = {key: keep if its == lane else its for key, its in lane_of.items()}
        lane_of |= dict.fromkeys(group, keep)
    await tx.run_many(
        "INSERT INTO lane_member (member, lane) VALUES (?, ?)",
        [(member, lane_of[member]) for member in sorted(members - known)],
    )
    return [lane_of[next(iter(group))] for group in groups]


async def _merge_lane(tx: Transaction, lane: str, keep: str) -> None:
    await tx.run("UPDATE lane_member SET lane = ? WHERE lane = ?", (keep, lane))
    await tx.run("UPDATE action SET lane = ? WHERE lane = ?", (keep, lane))
    await pauses.join(tx, lane, keep)


async def remove_link(tx: Transaction, incident_id: str, record_id: str) -> bool:
    """Removes a link; False if there is none."""
    sql = "DELETE FROM link WHERE incident_id = ? AND record_id = ?"
    return await tx.run(sql, (incident_id, record_id)) > 0


async def set_link_active(
    tx: Transaction, incident_id: str, record_id: str, *, active: bool
) -> bool:
    """Makes one link active or inactive; False if there is none."""
    sql = "UPDATE link SET is_active = ? WHERE incident_id = ? AND record_id = ?"
    return await tx.run(sql, (int(active), incident_id, record_id)) > 0


async def read_recent(
    tx: Transaction, incident_id: str, record_id: str, *, limit: int = 5
) -> list[dict[str, str | None]]:
    """The last actions on an incident or its record, newest first."""
    rows = await tx.rows(
        'SELECT id, "do", state, reason, created_at FROM action WHERE incident_id = ? '
        "OR record_id = ? ORDER BY seq DESC, part DESC LIMIT ?",
        (incident_id, record_id, limit),
    )
    keys = ("action_id", "action", "outcome", "reason", "at")
    return [dict(zip(keys, row, strict=True)) for row in rows]
