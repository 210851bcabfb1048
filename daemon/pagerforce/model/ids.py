"""Identifiers of both sides and their normal forms.

Fact: ``salesforce.ids-of-two-lengths``.
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NewType

IncidentId = NewType("IncidentId", str)
RecordId = NewType("RecordId", str)
ActionId = NewType("ActionId", str)
EventId = NewType("EventId", str)

_RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class Side(StrEnum):
    """One of the two synchronised systems; the value is the word that users see."""

    PAGERDUTY = "pagerduty"
    SALESFORCE = "salesforce"

    @property
    def other(self) -> "Side":
        """The opposite side."""
        return Side.SALESFORCE if self is Side.PAGERDUTY else Side.PAGERDUTY


def is_plain_id(text: str) -> bool:
    """Whether a text may be an id of PagerDuty; other text must not get into a URL of its API."""
    return _PLAIN_ID.fullmatch(text) is not None


def record_suffix(short: str) -> str:
    """The three characters that make a 15-character record id safe to compare without case."""
    chunks = (short[start : start + 5] for start in range(0, 15, 5))
    return "".join(
        _SUFFIX[sum(1 << place for place, letter in enumerate(chunk) if letter.isupper())]
        for chunk in chunks
    )


def is_record_id(text: str) -> bool:
    """Whether the text has the form of a Salesforce Id, 15 or 18 characters."""
    return _RECORD_ID.fullmatch(text) is not None


def find_record_id(text: str) -> RecordId | None:
    """As ``parse_record_id``; None if the text is no Id."""
    return _find_record_id(text) if len(text) in (15, 18) else None


@lru_cache(maxsize=8192)  # every row has Ids of users
def _find_record_id(text: str) -> RecordId | None:
    return parse_record_id(text) if is_record_id(text) else None


def parse_record_id(text: str) -> RecordId:
    """Converts a 15- or 18-character Salesforce Id to its 18-character form.

    An 18-character Id is kept unchanged: only the server knows its true suffix.

    Raises:
        ValueError: the text is not an Id.
    """
    if not is_record_id(text):
        raise ValueError(f"{text!r} is not a Salesforce Id (15 or 18 letters and digits)")
    return RecordId(text + record_suffix(text) if len(text) == 15 else text)


def is_same_record_id(left: str, right: str) -> bool:
    """Whether two texts are the Id of the same record: 15 and 18 characters compare as one Id."""
    return is_record_id(left) and is_record_id(right) and left[:15] == right[:15]


def event_id_of(entry_id: str) -> EventId:
    """The event of a log entry. Entries are append-only: an entry's id identifies the change."""
    return EventId(f"pd:{entry_id}")
