"""Reads an incident's log since the event that caused an action.

The API has no conditional writes. So before a write the log answers two questions: has somebody
else made another decision since, and has an earlier attempt without an answer taken effect?
Facts: ``pagerduty.no-conditional-write``, ``pagerduty.own-entries-bear-writer``.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

from pagerforce.errors import MalformedError
from pagerforce.model.action import Task
from pagerforce.model.ids import IncidentId, Side
from pagerforce.model.incident import LogEntry
from pagerforce.pagerduty.actions.tools import Writer
from pagerforce.pagerduty.client import MAX_DEPTH, Page, PagerDutyClient
from pagerforce.pagerduty.decode import decode_log_entry, decode_rows
from pagerforce.pagerduty.windows import in_order

IsWanted = Callable[[LogEntry], bool]


async def read_history(
    client: PagerDutyClient, incident_id: IncidentId, since: datetime
) -> list[LogEntry]:
    """The incident's entries since a second, oldest first.

    Raises:
        RemoteError: the log could not be read to its end.
    """
    return await read_pages(partial(client.fetch_incident_log_entries, incident_id, since))


async def read_pages(fetch: Callable[[int], Awaitable[Page]]) -> list[LogEntry]:
    """All pages of a part of a log, oldest entry first; ``fetch`` takes the offset.

    Raises:
        RemoteError: it could not be read to its end.
    """
    found: dict[str, LogEntry] = {}
    positions: dict[str, int] = {}
    offset = 0
    while offset < MAX_DEPTH:
        page = await fetch(offset)
        entries, flaws = decode_rows(page.rows, decode_log_entry, "log entry")
        if flaws:
            raise MalformedError(f"log_entries: {flaws[0].where} {flaws[0].what}")
        found |= {entry.id: entry for entry in entries}
        positions |= {entry.id: at for at, entry in enumerate(entries, start=offset)}
        offset += len(page.rows)
        if not page.more or not page.rows:
            break
    return in_order(found.values(), positions)


def was_done(
    entries: Sequence[LogEntry], task: Task, writer: Writer, kind: str, is_wanted: IsWanted
) -> bool:
    """Whether the writer's last entry of this kind, since the event, has the wanted effect.

    Only the last counts: earlier ones may come from earlier actions that were delivered late.
    """
    event_at = task.event_at.replace(microsecond=0)
    ours = [entry for entry in entries if entry.type == kind and _is_by(entry, writer)]
    return bool(ours) and ours[-1].at >= event_at and is_wanted(ours[-1])


def is_overruled(
    entries: Sequence[LogEntry],
    task: Task,
    writer: Writer,
    kinds: Sequence[str],
    is_wanted: IsWanted,
) -> bool:
    """Whether somebody else made another decision since the event; in a tie, theirs wins."""
    return any(
        entry.type in kinds
        and _is_later(entry, task)
        and not _is_by(entry, writer)
        and not is_wanted(entry)
        for entry in entries
    )


def _is_by(entry: LogEntry, writer: Writer) -> bool:
    return writer.user_id is not None and entry.agent.id == writer.user_id


def _is_later(entry: LogEntry, task: Task) -> bool:
    """An event from PagerDuty is itself an entry of its second, so that second does not count."""
    event_at = task.event_at.replace(microsecond=0)
    return entry.at >= event_at if task.event_source is Side.SALESFORCE else entry.at > event_at
