"""``links``: shows and changes the links of incidents and records."""

from collections.abc import Sequence
from typing import Literal

from pagerforce.errors import NotFoundError
from pagerforce.model.ids import is_same_record_id
from pagerforce.model.link import Link
from pagerforce.model.value import Json, format_instant
from pagerforce.service.control.desk import Desk, Name, Request
from pagerforce.service.control.naming import anything_called, incident_called, record_called
from pagerforce.service.control.pairs import Both, look_up, store_pair
from pagerforce.store import links, pauses
from pagerforce.store.database import Transaction

_PAUSES = 5  # of a link, the newest


class AllLinks(Request):
    """Asks for every link."""


class OneId(Request):
    """An incident's id or number, or a record's Id or Name."""

    id: Name


class Pair(Request):
    """An incident and a record."""

    incident: Name
    record: Name


class PairEdit(Pair):
    """The changes of a link; what is left out stays as it is."""

    state: Literal["active", "inactive"] | None = None
    new_incident: Name | None = None
    new_record: Name | None = None


async def list_links(desk: Desk, _: AllLinks) -> Json:
    """Returns every link, oldest first, as docs/reference/commands.md shows it."""
    async with desk.read() as tx:
        return [show_link(link) async for link in links.iter_links(tx)]


async def show_links(desk: Desk, request: OneId) -> Json:
    """Returns the links of one incident or record, with pauses.

    Raises:
        NotFoundError: there are none.
    """
    async with desk.read() as tx:
        found = await find_links(tx, await anything_called(tx, request.id.strip()))
        if not found:
            raise NotFoundError(f"{request.id} is linked to nothing")
        return [await _in_full(tx, link) for link in found]


async def _in_full(tx: Transaction, link: Link) -> Json:
    found = await pauses.pauses_of(tx, link.incident_id)
    return {
        **show_link(link),
        "pauses": [
            {
                "began_at": format_instant(item.began_at),
                "until": format_instant(item.until),
                "ended_at": None if item.ended_at is None else format_instant(item.ended_at),
                "reason": item.reason,
                "evidence": list(item.evidence),
            }
            for item in found[:_PAUSES]
        ],
        "recent": await links.read_recent(tx, link.incident_id, link.record_id),
    }


async def add_link(desk: Desk, request: Pair) -> Json:
    """Links an incident and a record that both exist; an existing link stays.

    Raises:
        NotFoundError: one of them does not exist.
        RemoteError: a request to a side failed.
    """
    both = await look_up(desk, request.incident, request.record)
    return await _link(desk, both, None)


async def edit_link(desk: Desk, request: PairEdit) -> Json:
    """Makes a link active or inactive, or moves it to another incident or record.

    Raises:
        NotFoundError: there is no such link, or the new incident or record does not exist.
        RemoteError: a request to a side failed.
    """
    async with desk.read() as tx:
        old = await _one(tx, request.incident, request.record)
    if request.new_incident is not None or request.new_record is not None:
        both = await look_up(
            desk,
            request.new_incident or old.incident_id,
            request.new_record or old.record_id,
        )
        return await _link(desk, both, old, active=request.state != "inactive")
    active = request.state != "inactive"
    async with desk.change(
        {"state": request.state}, **_subject(old.incident_id, old.object, old.record_id)
    ) as tx:
        await links.set_link_active(tx, old.incident_id, old.record_id, active=active)
        return show_link(await _one(tx, old.incident_id, old.record_id))


async def _link(desk: Desk, both: Both, old: Link | None, *, active: bool = True) -> Json:
    """Stores a pair; it replaces the old link if there is one."""
    moved = {} if old is None else {"from": [old.incident_id, old.record_id]}
    subject = _subject(both.incident.id, both.record.object, both.record.id)
    async with desk.change(moved, **subject) as tx:
        if old is not None:
            await links.remove_link(tx, old.incident_id, old.record_id)
        await store_pair(tx, both)
        await links.set_link_active(tx, both.incident.id, both.record.id, active=active)
        answer = show_link(await _one(tx, both.incident.id, both.record.id))
    desk.wake()
    return answer


async def remove_link(desk: Desk, request: Pair) -> Json:
    """Removes a link: neither side is changed.

    Raises:
        NotFoundError: there is no such link.
    """
    async with desk.read() as tx:
        old = await _one(tx, request.incident, request.record)
    async with desk.change({}, **_subject(old.incident_id, old.object, old.record_id)) as tx:
        if not await links.remove_link(tx, old.incident_id, old.record_id):
            raise NotFoundError(f"{request.incident} and {request.record} are not linked")
    return show_link(old)


async def resume_link(desk: Desk, request: OneId) -> Json:
    """Ends the pause of an incident's (or record's) links.

    Raises:
        NotFoundError: nothing is linked to it.
    """
    async with desk.read() as tx:
        called = await anything_called(tx, request.id.strip())
        found = await find_links(tx, called)
    if not found:
        raise NotFoundError(f"{request.id} is linked to nothing")
    first = found[0]
    subject = _subject(first.incident_id, first.object, first.record_id)
    async with desk.change({}, **subject) as tx:
        was_paused = await pauses.resume(tx, first.incident_id, desk.home.clock.now())
        found = await find_links(tx, called)
    desk.wake()
    return {"resumed": was_paused, "links": [show_link(link) for link in found]}


async def find_links(tx: Transaction, subject: str) -> Sequence[Link]:
    """Returns the links of an incident or record; a record's id has 15 or 18 characters."""
    return [
        link
        for link in await links.find_links(tx, subject)
        if link.incident_id == subject or is_same_record_id(link.record_id, subject)
    ]


async def _one(tx: Transaction, incident: str, record: str) -> Link:
    incident_id = await incident_called(tx, incident.strip())
    record_id = await record_called(tx, record.strip())
    for link in await find_links(tx, record_id):
        if link.incident_id == incident_id and is_same_record_id(link.record_id, record_id):
            return link
    raise NotFoundError(f"{incident} and {record} are not linked")


def show_link(link: Link) -> dict[str, Json]:
    """Returns a link as docs/reference/commands.md shows it."""
    return {
        "incident": link.incident_id,
        "object": link.object,
        "record": link.record_id,
        "state": link.state.value,
        "created_at": format_instant(link.created_at),
    }


def _subject(incident: str, name: str, record: str) -> dict[str, str]:
    return {"incident": incident, "object_name": name, "record": record}
