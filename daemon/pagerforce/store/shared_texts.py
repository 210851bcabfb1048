"""Texts that many events of the journal have in common, each stored once.

The contexts of events (the linked record of an incident's event, or the linked incident of a record's)
and the traces of the rules that they met are the same for many events. Short texts stand in the event
itself.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from pagerforce.store.codec import Encoder
from pagerforce.store.database import Transaction
from pagerforce.store.snapshots import chunks, marks

FIND_ID = "(SELECT id FROM shared_text WHERE digest = ?)"
"""The number of a stored text, in SQL; null for no digest."""

_INLINE = 200  # characters: a shorter text is not worth a row and a search


def stored(column: str) -> str:
    """An event's ``context`` or ``rules``, in SQL; null if the shared text is lost."""
    return (
        f"CASE WHEN {column}_id IS NULL THEN {column} "
        f"ELSE (SELECT shared_text.data FROM shared_text WHERE shared_text.id = {column}_id) END"
    )


class SharedText(Struct, frozen=True):
    """A text as an event stores it: in itself, or by digest."""

    inline: str
    digest: str | None = None
    data: str = ""


def share(data: str, empty: str) -> SharedText:
    """A text in the form for an event. ``empty``: what the event's column has if it is shared."""
    if len(data) <= _INLINE:
        return SharedText(data)
    digest = hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return SharedText(empty, digest, data)


def share_contexts(found: Sequence[Mapping[str, object]], encoder: Encoder) -> list[SharedText]:
    """The texts of contexts, in the same order. Contexts of the same objects are encoded once."""
    known: dict[object, SharedText] = {}
    texts = []
    for context in found:
        key = _identity(context)
        text = known.get(key)
        if text is None:
            text = known[key] = share(encoder.to_text(context), "{}")
        texts.append(text)
    return texts


def _identity(context: Mapping[str, object]) -> object:
    """Equal for contexts with the same parts; valid while the contexts exist."""
    return tuple(
        (name, *((key, id(item)) for key, item in value.items()))
        if isinstance(value, Mapping)
        else (name, tuple(value) if isinstance(value, list) else id(value))
        for name, value in context.items()
    )


async def put(tx: Transaction, texts: Iterable[SharedText]) -> None:
    """Stores the shared texts of a batch of events."""
    rows = {text.digest: text.data for text in texts if text.digest is not None}
    if rows:
        # A damaged text is replaced.
        await tx.run_many(
            "INSERT INTO shared_text (digest, data) VALUES (?, ?) ON CONFLICT (digest) "
            "DO UPDATE SET data = excluded.data WHERE shared_text.data <> excluded.data",
            list(rows.items()),
        )


async def used_by(tx: Transaction, seqs: Sequence[int]) -> list[int]:
    """The numbers of the shared texts of these events."""
    chosen = f"FROM event WHERE seq IN ({marks(seqs)})"
    rows = await tx.rows(
        f"SELECT context_id {chosen} AND context_id IS NOT NULL "
        f"UNION SELECT rules_id {chosen} AND rules_id IS NOT NULL",
        [*seqs, *seqs],
    )
    return [int(row[0]) for row in rows]


async def drop_unused(tx: Transaction, ids: Sequence[int]) -> None:
    """Deletes those of these texts that no event uses any more."""
    for chunk in chunks([str(number) for number in ids]):
        await tx.run(
            f"DELETE FROM shared_text WHERE id IN ({marks(chunk)}) "
            "AND NOT EXISTS (SELECT 1 FROM event WHERE context_id = shared_text.id) "
            "AND NOT EXISTS (SELECT 1 FROM event WHERE rules_id = shared_text.id)",
            [int(number) for number in chunk],
        )
