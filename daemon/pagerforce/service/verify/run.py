"""Runs both tests, one after the other, and always closes what they created."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import msgspec
from msgspec import Struct

from pagerforce.model.beliefs import BELIEFS
from pagerforce.model.ids import Side
from pagerforce.model.value import Json
from pagerforce.service.verify.findings import Findings
from pagerforce.service.verify.pagerduty import play_incident
from pagerforce.service.verify.salesforce import RecordStory
from pagerforce.service.verify.scene import Say, Scene

_STORY_SECONDS = 240.0
_CLOSE_SECONDS = 60.0
_HURRIED_SECONDS = 8.0
"""The time for closing when the process must end: a service manager waits ten seconds."""


class Outcome(Struct):
    """The results of a run.

    Attributes:
        left: what could not be closed, with advice for each.
    """

    findings: Findings = msgspec.field(default_factory=Findings)
    seen: dict[str, Json] = msgspec.field(default_factory=dict)
    left: list[str] = msgspec.field(default_factory=list)


async def run_incident(scene: Scene, outcome: Outcome, say: Say) -> None:
    """Runs the test with the incident, and closes it."""
    async with _closing(scene.incidents.close_all, outcome):
        with anyio.move_on_after(_STORY_SECONDS) as limit:
            await play_incident(scene, say)
        _note_end(outcome, Side.PAGERDUTY, is_cut=limit.cancelled_caught)
    outcome.seen["pagerduty"] = scene.seen


async def run_record(story: RecordStory, outcome: Outcome) -> None:
    """Runs the test with the record, and deletes it."""
    async with _closing(story.records.close_all, outcome):
        with anyio.move_on_after(_STORY_SECONDS) as limit:
            await story.play()
        _note_end(outcome, Side.SALESFORCE, is_cut=limit.cancelled_caught)
    outcome.seen["salesforce"] = story.seen


def leave_side(outcome: Outcome, side: Side, reason: str) -> None:
    """Notes that the remaining beliefs about this side are not tested."""
    names = [name for name, one in BELIEFS.items() if one.side is side and not one.untried]
    outcome.findings.leave(names, reason)


def _note_end(outcome: Outcome, side: Side, *, is_cut: bool) -> None:
    if is_cut:
        leave_side(outcome, side, f"the test took longer than {_STORY_SECONDS:.0f} s")


@asynccontextmanager
async def _closing(
    close_all: Callable[[], Awaitable[list[str]]], outcome: Outcome
) -> AsyncIterator[None]:
    """Closes what was created when the block ends, also if it is cancelled or fails."""
    patience = _HURRIED_SECONDS
    try:
        yield
        patience = _CLOSE_SECONDS
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(patience) as limit:
            outcome.left += await close_all()
        if limit.cancelled_caught:
            outcome.left.append(
                "not everything was closed in time: run verify again, it closes the rest first"
            )
