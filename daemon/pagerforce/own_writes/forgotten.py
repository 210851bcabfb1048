"""Finds own writes that a restored backup has forgotten, among what is read again. Pure.

The database has no trace of these writes (see store/restored.py). They are recognised by their
author and, as soon as the other side has been read, by their effects there. In all other cases an
author alone never proves a write (ADR 1). The price of doing nothing twice: a change by a person
who shares the account, made between a backup and its restore, is recorded, but no rule is tried on
it.
"""

from collections.abc import Collection, Iterable

from msgspec import Struct

from pagerforce.model.ids import RecordId, Side, is_same_record_id
from pagerforce.model.incident import LogEntry
from pagerforce.model.keys import IncidentKey, parse_incident_key
from pagerforce.model.record import Comment
from pagerforce.model.restore import Doubt, Turn


class OwnUsers(Struct, frozen=True):
    """The PagerDuty users of own writes: ``ids``, or anybody (``act_as = "actor"``)."""

    ids: Collection[str] = frozenset()
    may_be_anybody: bool = False


NOBODY = OwnUsers()


class OwnEntries(Struct, frozen=True):
    """Recognises log entries of forgotten writes. ``doubt`` None: there was no restore."""

    doubt: Doubt | None = None
    ours: OwnUsers = NOBODY

    def should_wait(self, entry: LogEntry) -> bool:
        """Whether a note must be read again once Salesforce has been read."""
        if entry.type != "annotate" or not self._is_forgotten_time(entry):
            return False
        is_open = self.doubt is not None and self.doubt.turn in (Turn.PAGERDUTY, Turn.SALESFORCE)
        return is_open and (self.ours.may_be_anybody or entry.agent.id in self.ours.ids)

    def is_forgotten(self, entry: LogEntry) -> bool:
        """Whether an entry comes from a forgotten own write."""
        if not self._is_forgotten_time(entry):
            return False
        if entry.type == "trigger":
            return self.find_key(entry) is not None
        return entry.type != "annotate" and entry.agent.id in self.ours.ids

    def find_key(self, entry: LogEntry) -> IncidentKey | None:
        """The incident key in the entry of an own page that may be forgotten."""
        current = entry.current
        if current is None or not self._is_forgotten_time(entry):
            return None
        return parse_incident_key(current.incident_key)

    def records_of(self, entries: Iterable[LogEntry]) -> set[RecordId]:
        """The records of own pages that may be forgotten."""
        keys = (self.find_key(entry) for entry in entries)
        return {key.record_id for key in keys if key is not None}

    def _is_forgotten_time(self, entry: LogEntry) -> bool:
        return self.doubt is not None and self.doubt.covers_time(Side.PAGERDUTY, entry.at)


class OwnComments(Struct, frozen=True):
    """Recognises comments of forgotten writes. ``user_id``: the integration user in Salesforce."""

    doubt: Doubt | None = None
    user_id: str | None = None

    def is_forgotten(self, comment: Comment) -> bool:
        """Whether a comment comes from a forgotten own write."""
        if self.doubt is None or self.user_id is None or comment.author.id is None:
            return False
        is_ours = is_same_record_id(comment.author.id, self.user_id)
        return is_ours and self.doubt.covers_time(Side.SALESFORCE, comment.created_at)
