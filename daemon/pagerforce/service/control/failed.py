"""``failed``: shows dead letters, tries them again, or discards them."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from pagerforce.config.load import Loaded
from pagerforce.errors import NotFoundError, PagerforceError
from pagerforce.model.action import Purpose
from pagerforce.model.outbox import DOUBT, Action, ActionState
from pagerforce.model.value import Json
from pagerforce.service.catalog import SPECS
from pagerforce.service.control.desk import Desk, Name, Request
from pagerforce.service.control.journal import ActionId, why
from pagerforce.store import journal, letters, outbox
from pagerforce.store.database import Transaction


class AllLetters(Request):
    """Asks for every dead letter."""


class SomeLetters(Request):
    """Names dead letters by id, or all present ones."""

    ids: Annotated[tuple[Name, ...], Field(max_length=10_000)] = ()
    all: bool = False


async def list_failed(desk: Desk, _: AllLetters) -> Json:
    """Returns every dead letter, oldest first, as docs/reference/commands.md shows it."""
    async with desk.read() as tx:
        return await journal.read_dead_letters(tx)


async def show_failed(desk: Desk, request: ActionId) -> Json:
    """Returns the history of one dead letter.

    Raises:
        NotFoundError: there is no such action, or it is not a dead letter.
    """
    async with desk.read() as tx:
        await _one(tx, request.id)
    return await why(desk, request)


async def retry_failed(desk: Desk, request: SomeLetters) -> Json:
    """Puts dead letters back into the outbox; none if one of them does not exist.

    The count of attempts continues; the time for retries starts again. The next attempt first
    searches for the effect of an earlier one, unless nothing can be searched for or the last search
    ended in doubt: then the operator has looked. Arguments that could not be filled in are filled
    in again, from the rule in force.

    Raises:
        NotFoundError: there is no such dead letter.
    """
    loaded = await desk.loaded()
    now = desk.home.clock.now()
    async with desk.read() as tx:
        found = await _chosen(tx, request)
    for action in found:
        async with desk.change(
            {"id": action.id}, incident=action.incident_id, record=action.record_id
        ) as tx:
            current = await _one(tx, action.id)
            await letters.revive(
                tx,
                current,
                now,
                written=_written(current, loaded),
                is_uncertain=await _is_uncertain(tx, current),
            )
    desk.wake()
    return {"retried": [action.id for action in found]}


async def discard_failed(desk: Desk, request: SomeLetters) -> Json:
    """Discards dead letters for good; they stay in the journal as discarded.

    Raises:
        NotFoundError: there is no such dead letter.
    """
    async with desk.read() as tx:
        found = await _chosen(tx, request)
    for action in found:
        async with desk.change(
            {"id": action.id}, incident=action.incident_id, record=action.record_id
        ) as tx:
            current = await _one(tx, action.id)
            reason = f"discarded by {desk.caller.user}; it was: {current.reason}"
            await letters.discard(tx, action.id, reason, desk.home.clock.now())
    return {"discarded": [action.id for action in found]}


async def _chosen(tx: Transaction, request: SomeLetters) -> Sequence[Action]:
    if not request.ids and not request.all:
        raise PagerforceError("name the dead letters by their ids, or give --all")
    ids = request.ids or await letters.dead_letter_ids(tx)
    return [await _one(tx, action_id) for action_id in dict.fromkeys(ids)]


async def _one(tx: Transaction, action_id: str) -> Action:
    action = await outbox.find_action(tx, action_id)
    if action is None:
        raise NotFoundError(f"there is no action {action_id}")
    if action.state is not ActionState.DEAD_LETTER:
        raise NotFoundError(f"{action_id} is {action.state.value}, not a dead letter")
    return action


async def _is_uncertain(tx: Transaction, action: Action) -> bool:
    """Whether an earlier attempt may have taken effect, and its effect can be searched for.

    If the last search ended in doubt, the operator has looked.
    """
    if not SPECS[action.do].is_repeatable:
        return False
    attempts = await letters.read_attempts(tx, action.id)
    if attempts and attempts[-1]["verdict"] == DOUBT:
        return False
    return action.is_uncertain or any(item["verdict"] in (None, "unknown") for item in attempts)


def _written(action: Action, loaded: Loaded) -> Mapping[str, Json]:
    """Returns the arguments to fill in: the present rule's, if they were never filled in."""
    if action.args is not None:
        return action.written
    if action.is_copy:
        return _comment_template(action, loaded)
    for rule in loaded.rules:
        if (rule.ruleset, rule.name) == (action.ruleset, action.rule):
            calls = rule.actions[action.position : action.position + 1]
            return next((call.args for call in calls if call.do == action.do), action.written)
    return action.written


def _comment_template(action: Action, loaded: Loaded) -> Mapping[str, Json]:
    for item in loaded.config.objects:
        if item.name == action.object and item.comments is not None:
            is_note = SPECS[action.do].purpose is Purpose.NOTE
            comments = item.comments
            return {"text": comments.note_template if is_note else comments.comment_template}
    return action.written
