"""Actions that act on several incidents or records: one part for each."""

from collections.abc import Sequence

from pagerforce.model.outbox import Action
from pagerforce.store.database import Transaction


async def split(tx: Transaction, action: Action, targets: Sequence[str]) -> None:
    """Turns an action that acts on several incidents or records into one part for each.

    It may have been tried when there was only one of them: what that brings back is awaited by the
    part that now acts there.
    """
    await tx.run("UPDATE action SET target = ? WHERE id = ?", (targets[0], action.id))
    parts = [
        (f"{action.id}-{number + 1}", number, target, action.id)
        for number, target in enumerate(targets)
        if number > 0
    ]
    await tx.run_many(
        "INSERT INTO action (id, seq, part, event_seq, ruleset, rule, position, do, object, written, "
        "args, lane, is_page, target, state, next_at, created_at, depth, is_uncertain, "
        "first_attempt_at, doubt_since) "
        "SELECT ?, seq, ?, event_seq, ruleset, rule, position, do, object, written, "
        "args, lane, is_page, ?, state, next_at, created_at, depth, is_uncertain, "
        "first_attempt_at, doubt_since FROM action WHERE id = ?",
        parts,
    )
    await tx.run_many(
        "UPDATE expectation SET action_id = ? WHERE action_id = ? AND subject = ?",
        [(part_id, action_id, target) for part_id, _, target, action_id in parts],
    )


async def has_part_on(tx: Transaction, action: Action, target: str) -> bool:
    """Whether another part of the same action acts on this target."""
    row = await tx.row(
        "SELECT 1 FROM action WHERE seq = ? AND id <> ? AND target = ? LIMIT 1",
        (action.seq, action.id, target),
    )
    return row is not None
