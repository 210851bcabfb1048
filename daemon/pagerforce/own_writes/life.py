"""The life of an expectation: what the verdict of an attempt does to its expectations. Pure.

An attempt is *certain* if no earlier attempt of its action may have taken effect. The expectations
of an uncertain one may still be met by an earlier attempt, so only those that can no longer be met
are dropped.

    verdict       certain                              uncertain
    Delivered     drop what is now known by id or      the same: the effects name everything
                  snapshot; entries still come
    Skipped       drop all, and read again what        drop values of fields: the record was just
                  was treated as own                   read, and they are not there
    RetryLater    as Skipped                           keep
    HaltSide      as Skipped                           keep
    Rejected      as Skipped                           keep
    Unknown       keep                                 keep

Besides: ``EntryCaused`` adds one, ``NotCaused`` removes some, ``IncidentMade`` turns the page into
its trigger entry, and fields that another write has replaced are no longer expected
(``store.own_writes``).
"""

from typing import TypeAlias

from msgspec import Struct

from pagerforce.model.expectation import (
    CommentExpected,
    EntryExpected,
    Expectation,
    FieldsExpected,
    PageExpected,
    RecordExpected,
    RecordGiven,
)
from pagerforce.model.verdict import (
    Delivered,
    FieldsWritten,
    HaltSide,
    Rejected,
    RetryLater,
    Skipped,
    Unknown,
    Verdict,
)

Kinds: TypeAlias = frozenset[type[Expectation]]

EVERY: Kinds = frozenset(
    {
        PageExpected,
        EntryExpected,
        RecordExpected,
        RecordGiven,
        CommentExpected,
        FieldsExpected,
    }
)
_KNOWN_OTHERWISE: Kinds = EVERY - {PageExpected, EntryExpected}
_NONE: Kinds = frozenset()


class Fate(Struct, frozen=True):
    """What becomes of an action's expectations.

    Attributes:
        dropped: the kinds that are no longer expected.
        is_disowned: nothing was done: what a poll treated as own meanwhile was somebody else's.
    """

    dropped: Kinds = _NONE
    is_disowned: bool = False


_KEEP = Fate()
_SETTLED = Fate(_KNOWN_OTHERWISE)
_NOTHING_DONE = Fate(EVERY, is_disowned=True)
_READ_BACK = Fate(frozenset({FieldsExpected}))

_CERTAIN: dict[type[Verdict], Fate] = {
    Delivered: _SETTLED,
    Skipped: _NOTHING_DONE,
    RetryLater: _NOTHING_DONE,
    HaltSide: _NOTHING_DONE,
    Rejected: _NOTHING_DONE,
    Unknown: _KEEP,
}
_UNCERTAIN: dict[type[Verdict], Fate] = {
    Delivered: _SETTLED,
    Skipped: _READ_BACK,
    RetryLater: _KEEP,
    HaltSide: _KEEP,
    Rejected: _KEEP,
    Unknown: _KEEP,
}


def fate_of(verdict: Verdict, *, is_uncertain: bool) -> Fate:
    """What becomes of an action's expectations after this verdict.

    ``is_uncertain``: an earlier attempt of the action may have taken effect.
    """
    if isinstance(verdict, Delivered) and not _is_read_back(verdict):
        return _KEEP  # the next poll shows what followed from the write
    return (_UNCERTAIN if is_uncertain else _CERTAIN)[type(verdict)]


def _is_read_back(verdict: Delivered) -> bool:
    return all(x.is_followed for x in verdict.effects if isinstance(x, FieldsWritten))
