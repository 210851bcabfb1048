"""The journal's events as the rules saw them, newest first, as lines that are not parsed here."""

import json
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Transaction
from pagerforce.store.journal import begin_of, last_seq
from pagerforce.store.shared_texts import stored

_PAGE = 20
_LARGEST = 1_000_000  # characters of an event; a larger one is left out


class Place(Struct, frozen=True):
    """A position in the journal. ``first`` / ``last``: the range to read."""

    before: int
    first: int
    last: int


class Page(Struct, frozen=True):
    """Some events. ``place``: where to continue; None at the end. ``share``: the share done."""

    lines: Sequence[bytes]
    place: Place | None
    share: float


async def read_page(tx: Transaction, since: datetime | None, place: Place | None) -> Page:
    """The next events that met rules, without echoes; ``place``: None to begin."""
    if place is None:
        last = await last_seq(tx)
        row = await tx.row("SELECT min(seq) FROM event")
        oldest = int(row[0] or 0) if row else 0
        place = Place(last + 1, oldest if since is None else await begin_of(tx, since), last)
    context = stored("context")
    rows = await tx.rows(
        "SELECT seq, seen_at, CASE WHEN echo_of IS NULL AND at >= ? "
        f"AND length(data) + length({context}) <= ? THEN data END, {context} "
        "FROM event WHERE seq < ? AND seq >= ? ORDER BY seq DESC LIMIT ?",
        ("" if since is None else to_stamp(since), _LARGEST, place.before, place.first, _PAGE),
    )
    lines = [_line(*row[1:]) for row in rows if row[2] is not None]
    if len(rows) < _PAGE:
        return Page(lines, None, 1.0)
    before = int(rows[-1][0])
    share = (place.last - before) / (place.last - place.first + 1)
    return Page(lines, Place(before, place.first, place.last), share)


def _line(seen_at: str, data: str, context: str) -> bytes:
    text = (
        f'{{"recorded":{{"seen_at":{json.dumps(seen_at)},"event":{data},"context":{context}}}}}\n'
    )
    return text.encode("utf-8", "surrogatepass")
