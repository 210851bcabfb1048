"""After a restore: whether an incident's log shows that an action was already done.

Repeating it could undo a later change by people: for example, somebody has reopened an incident
that pagerforce had resolved. So the current state alone proves nothing.
Facts: docs/vendors/pagerduty.md#log-entries.
"""

from collections.abc import Sequence

from pagerforce.model.action import Task
from pagerforce.model.durations import CLOCK_KNOWN_TO
from pagerforce.model.expectation import EntryExpected, Expectation
from pagerforce.model.incident import LogEntry
from pagerforce.pagerduty.actions.history import read_history
from pagerforce.pagerduty.actions.tools import PagerDutyTools, incident_id_of


async def find_earlier_doing(
    tools: PagerDutyTools, task: Task, expected: Sequence[Expectation]
) -> LogEntry | None:
    """The log entry of the same action before the restore; None if there is none.

    Raises:
        RemoteError: the log could not be read to its end, or an entry of it is malformed.
    """
    if task.doubt_since is None or not expected:
        return None
    since = task.doubt_since - CLOCK_KNOWN_TO
    entries = await read_history(tools.client, incident_id_of(task), since)
    found = (
        entry
        for entry in reversed(entries)
        if entry.at >= since and any(_is_fulfilled(item, entry) for item in expected)
    )
    return next(found, None)


def _is_fulfilled(expected: Expectation, entry: LogEntry) -> bool:
    """Compares type, author and, if the entry has one, the value. Entries of others do not count.

    An assignment that accompanies an acknowledgement does not prove the acknowledgement.
    """
    if not isinstance(expected, EntryExpected) or expected.keeps_status:
        return False
    if entry.type != expected.type or not expected.actor_id or entry.agent.id != expected.actor_id:
        return False
    if expected.priority is not None and entry.priority is not None:
        return expected.priority in (entry.priority.id, entry.priority.name)
    if expected.assignee is not None and entry.assignees is not None:
        return expected.assignee in {person.id for person in entry.assignees}
    return True
