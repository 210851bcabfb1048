"""The test with the incident: each step acts, reads PagerDuty raw and judges beliefs.

If a step is refused or fails, its beliefs stay untested; the next step continues from there.
"""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from pagerforce.errors import RemoteError
from pagerforce.service.verify import handling, telling
from pagerforce.service.verify.entries import has_fraction
from pagerforce.service.verify.findings import refusal
from pagerforce.service.verify.scene import PREFIX, Say, Scene


class Step(Struct, frozen=True):
    """A step, and the beliefs that it tests."""

    name: str
    play: Callable[[Scene], Awaitable[None]]
    beliefs: tuple[str, ...]


STEPS = (
    Step(
        "trigger",
        handling.trigger,
        ("rest-trigger-summary", "own-entries-bear-writer", "policy-assigns-by-service"),
    ),
    Step("find by key", handling.find, ("incident-found-by-key",)),
    Step("second trigger", handling.trigger_again, ("incident-key-refused-while-open",)),
    Step(
        "acknowledge",
        handling.acknowledge,
        (
            "acknowledge-assigns-to-writer",
            "service-assigns-beside-acknowledge",
            "service-assign-keeps-status",
        ),
    ),
    Step("notes", telling.annotate, ("annotate-entry-bears-text", "newest-first-within-second")),
    Step("status update", telling.update, ("status-update-entry-bears-message",)),
    Step("reassign", handling.reassign, ("reassign-ends-acknowledgement",)),
    Step(
        "acknowledge and assign",
        handling.acknowledge_kept,
        ("acknowledge-with-assignments-keeps-both",),
    ),
    Step("assign to two", handling.assign_two, ("one-entry-per-target",)),
    Step("escalate", handling.escalate, ("escalate-ends-acknowledgement",)),
    Step(
        "delegate",
        handling.delegate,
        ("delegate-ends-acknowledgement", "delegate-names-no-targets"),
    ),
    Step("priority", telling.prioritise, ("priority-change-entry",)),
    Step("urgency", telling.calm, ("urgency-change-entry",)),
    Step(
        "title and resolve",
        telling.resolve,
        ("title-leaves-no-entry", "resolved-empties-assignments", "resolve-entry-bears-note"),
    ),
    Step("reopen", telling.reopen, ("acknowledge-reopens", "reopen-leaves-no-entry")),
)


async def play_incident(scene: Scene, say: Say) -> None:
    """Runs the steps in order; ends early if there is no incident."""
    for step in STEPS:
        await say(step.name)
        names = [PREFIX + item for item in step.beliefs]
        try:
            await step.play(scene)
        except RemoteError as error:
            scene.findings.leave(names, f"{step.name}: {refusal(error)}")
            if not scene.id:
                _leave_all(scene, f"there is no test incident ({step.name}: {refusal(error)})")
                return
        scene.findings.leave(names, f"{step.name}: the step before did not lead to it")
    _judge_times(scene)


def _leave_all(scene: Scene, reason: str) -> None:
    names = [PREFIX + item for step in STEPS for item in step.beliefs]
    scene.findings.leave([*names, f"{PREFIX}whole-seconds"], reason)


def _judge_times(scene: Scene) -> None:
    stamps = [entry.get("created_at") for entry in scene.log]
    stamps += [scene.state.get(key) for key in ("created_at", "last_status_change_at")]
    odd = sum(has_fraction(stamp) for stamp in stamps)
    seen = f"{odd} of {len(stamps)} times with a fraction"
    scene.judge("whole-seconds", "no fraction", seen, holds=odd == 0)
