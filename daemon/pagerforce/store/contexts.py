"""Contexts of the journal: what rules saw besides an event, each text stored once.

The linked record of an incident's event, or the linked incident of a record's event, is the same for
many events. Short contexts stand in the event itself.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pagerforce.store.codec import Encoder
from pagerforce.store.database import Transaction
from pagerforce.store.snapshots import marks

TEXT = (
    "CASE WHEN context_id IS NULL THEN context "
    "ELSE (SELECT context.data FROM context WHERE context.id = context_id) END"
)
"""An event's context, in SQL; null if it is lost."""
FIND_ID = "(SELECT id FROM context WHERE digest = ?)"
"""The number of a stored context, in SQL; null for no digest."""

_INLINE = 200  # characters: a shorter context is not worth a row and a search


@dataclass(frozen=True, slots=True)
class ContextText:
    """A context as an event stores it: in itself, or by digest."""

    inline: str
    digest: str | None = None
    data: str = ""


def encode(found: Sequence[Mapping[str, object]], encoder: Encoder) -> list[ContextText]:
    """The texts of contexts, in the same order. Those of equal content from the same objects are one."""
    known: dict[object, ContextText] = {}
    texts = []
    for context in found:
        key = _identity(context)
        text = known.get(key)
        if text is None:
            text = known[key] = _text(encoder.to_text(context))
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


def _text(data: str) -> ContextText:
    if len(data) <= _INLINE:
        return ContextText(data)
    digest = hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return ContextText("{}", digest, data)


async def put(tx: Transaction, texts: Sequence[ContextText]) -> None:
    """Stores the contexts of a batch of events."""
    rows = {text.digest: text.data for text in texts if text.digest is not None}
    if rows:
        # A damaged text is replaced.
        await tx.run_many(
            "INSERT INTO context (digest, data) VALUES (?, ?) ON CONFLICT (digest) "
            "DO UPDATE SET data = excluded.data WHERE context.data <> excluded.data",
            list(rows.items()),
        )


async def used_by(tx: Transaction, seqs: Sequence[int]) -> list[int]:
    """The numbers of the contexts of these events."""
    rows = await tx.rows(
        f"SELECT DISTINCT context_id FROM event WHERE seq IN ({marks(seqs)}) "
        "AND context_id IS NOT NULL",
        seqs,
    )
    return [int(row[0]) for row in rows]


async def drop_unused(tx: Transaction, ids: Sequence[int]) -> None:
    """Deletes those of these contexts that no event uses any more."""
    await tx.run(
        f"DELETE FROM context WHERE id IN ({marks(ids)}) "
        "AND NOT EXISTS (SELECT 1 FROM event WHERE context_id = context.id)",
        ids,
    )
