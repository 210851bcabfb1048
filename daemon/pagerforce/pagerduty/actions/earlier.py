"""After a restore: whether an incident's log shows that a change of ours was made already.

What people did since must not be undone by doing it again (an incident that we resolved and somebody
reopened, say), so the present state alone does not tell. Facts: docs/vendors/pagerduty.md#log-entries.
"""

from collections.abc import Sequence

from pagerforce.model.action import Task
from pagerforce.model.durations import CLOCK_KNOWN_TO
from pagerforce.model.expectation import EntryExpected, Expectation
from pagerforce.model.incident import LogEntry
from pagerforce.pagerduty.actions.desk import Desk, incident_id_of
from pagerforce.pagerduty.client import MAX_DEPTH
from pagerforce.pagerduty.decode import decode_log_entry, decode_rows


async def find_earlier_doing(
    desk: Desk, task: Task, expected: Sequence[Expectation]
) -> LogEntry | None:
    """The entry that a forgotten action like this one has left; None where there is none.

    Raises:
        RemoteError: the log could not be read.
    """
    if task.doubt_since is None or not expected:
        return None
    since = task.doubt_since - CLOCK_KNOWN_TO
    offset = 0
    while offset < MAX_DEPTH:
        page = await desk.client.fetch_incident_log_entries(incident_id_of(task), since, offset)
        entries, _ = decode_rows(page.rows, decode_log_entry, "log entry")
        for entry in entries:
            if entry.at >= since and any(_is_fulfilled(item, entry) for item in expected):
                return entry
        offset += len(page.rows)
        if not page.more or not page.rows:
            break
    return None


def _is_fulfilled(expected: Expectation, entry: LogEntry) -> bool:
    """By type, author and, where the entry tells it, value. An author is needed: others act too.

    What came along with an acknowledgement does not say that there was one.
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
