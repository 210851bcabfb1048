"""Steps of the test incident that concern its assignees and its status."""

from pagerforce.errors import RefusedError
from pagerforce.pagerduty.client import POLICIES
from pagerforce.service.verify.entries import (
    Raw,
    agent_of,
    assigned,
    assignees_of,
    by_service,
    channel_of,
    of_type,
)
from pagerforce.service.verify.findings import items, mapping, refusal, texts, word
from pagerforce.service.verify.scene import Scene, first


async def trigger(scene: Scene) -> None:
    """Triggers the incident: somebody is paged."""
    scene.id = await scene.incidents.trigger()
    new = await scene.after("trigger", "trigger")
    scene.other = await _find_other(scene)
    trigger = first(of_type(new, "trigger"))
    if trigger is None:
        scene.absent("trigger", "rest-trigger-summary", "own-entries-bear-writer")
        return
    summary = str(trigger.get("summary"))
    is_website = summary.rstrip(".") == "Triggered through the website"
    said = "those words" if is_website else f"other words ({len(summary)} characters)"
    scene.judge("rest-trigger-summary", "Triggered through the website", said, holds=is_website)
    kind, agent = agent_of(trigger)
    scene.judge(
        "own-entries-bear-writer",
        f"agent user {texts(sorted(scene.cast.ours))}",
        f"agent {kind} {agent}",
        holds=agent in scene.cast.ours,
    )
    _judge_first_call(scene, of_type(new, "assign"))


def _judge_first_call(scene: Scene, calls: list[Raw]) -> None:
    if not calls:
        scene.leave("the trigger left no assign entry", "policy-assigns-by-service")
        return
    seen = {f"{agent_of(entry)[0]}, {channel_of(entry)}" for entry in calls}
    scene.judge(
        "policy-assigns-by-service",
        "service, auto",
        texts(sorted(seen)),
        holds=seen == {"service, auto"},
    )


async def _find_other(scene: Scene) -> str:
    """Returns another person to assign to: the person on call, else one that the policy names."""
    candidates = assigned(scene.state)
    policy_id = mapping(scene.state.get("escalation_policy")).get("id")
    if isinstance(policy_id, str):
        policy = await scene.incidents.client.fetch_one(POLICIES, policy_id)
        for rule in items(policy.get("escalation_rules")):
            for target in items(rule.get("targets")):
                if str(target.get("type")).startswith("user"):
                    candidates.append(word(target.get("id")))
    return next((one for one in candidates if one not in scene.cast.ours and one != "?"), "")


async def find(scene: Scene) -> None:
    """Searches for the incident by its key."""
    params = {
        "incident_key": scene.incidents.key,
        "service_ids[]": [scene.incidents.service_id],
        "date_range": "all",
    }
    page = await scene.incidents.client.fetch_incidents(params)
    rows = items(list(page.rows))
    found = [word(row.get("id")) for row in rows]
    shows = [row.get("incident_key") == scene.incidents.key for row in rows]
    scene.judge(
        "incident-found-by-key",
        f"{scene.id} with its key",
        f"{len(found)} incidents, {sum(shows)} with the key",
        holds=found == [scene.id] and all(shows),
    )


async def trigger_again(scene: Scene) -> None:
    """Triggers a second incident with the same key."""
    try:
        second = await scene.incidents.trigger()
    except RefusedError as error:
        is_400 = error.status == 400
        scene.judge("incident-key-refused-while-open", "HTTP 400", refusal(error), holds=is_400)
    else:
        said = f"accepted: incident {word(second)}"
        scene.judge("incident-key-refused-while-open", "HTTP 400", said, holds=second == scene.id)


async def acknowledge(scene: Scene) -> None:
    """Acknowledges the incident, which takes it from its assignee."""
    before = assigned(scene.state)
    new = await scene.act("acknowledge", "acknowledge", status="acknowledged")
    entry = first(of_type(new, "acknowledge"))
    if set(before) & scene.cast.ours:
        scene.leave(
            "the incident was already assigned to pagerforce's user",
            "acknowledge-assigns-to-writer",
            "service-assigns-beside-acknowledge",
        )
    else:
        now = assigned(scene.state)
        is_ours = len(now) == 1 and now[0] in scene.cast.ours
        expected = f"assigned to {texts(sorted(scene.cast.ours))}"
        scene.judge(
            "acknowledge-assigns-to-writer",
            expected,
            f"assigned to {texts(now)}",
            holds=is_ours,
        )
        if now != before:
            _judge_companion(scene, new, entry)
    _judge_status_kept(scene, new)


def _judge_companion(scene: Scene, new: list[Raw], entry: Raw | None) -> None:
    if entry is None:
        scene.absent("acknowledge", "service-assigns-beside-acknowledge")
        return
    beside = by_service(new, entry.get("created_at"))
    others = len(of_type(new, "assign")) - len(beside)
    scene.judge(
        "service-assigns-beside-acknowledge",
        "1 assign entry by service, auto, in that second",
        f"{len(beside)} such, {others} other assign entries",
        holds=len(beside) == 1,
    )


def _judge_status_kept(scene: Scene, new: list[Raw]) -> None:
    if not of_type(new, "assign"):
        scene.leave("there was no assign entry with it", "service-assign-keeps-status")
        return
    status = word(scene.state.get("status"))
    scene.judge(
        "service-assign-keeps-status", "acknowledged", status, holds=status == "acknowledged"
    )


async def reassign(scene: Scene) -> None:
    """Assigns the acknowledged incident to another person."""
    if not scene.other:
        reason = "there is nobody else to assign to: the policy names no other person"
        scene.leave(reason, "reassign-ends-acknowledgement", "one-entry-per-target")
        return
    if not scene.is_acknowledged():
        return
    new = await scene.act("reassign", "assign", assignments=_targets(scene.other))
    scene.judge_ended("reassign-ends-acknowledgement", new, "assign")


async def acknowledge_kept(scene: Scene) -> None:
    """Acknowledges the incident and assigns it to another person in one write."""
    name = "acknowledge-with-assignments-keeps-both"
    if not scene.other:
        scene.leave("there is nobody else to assign to: the policy names no other person", name)
        return
    if scene.is_acknowledged():
        scene.leave("the incident was still acknowledged", name)
        return
    expected = f"acknowledged, assigned to {scene.other}"
    try:
        await scene.act(
            "acknowledge and assign",
            "assign",
            status="acknowledged",
            assignments=_targets(scene.other),
        )
    except RefusedError as error:
        scene.judge(name, expected, refusal(error), holds=False)
        return
    seen = f"{word(scene.state.get('status'))}, assigned to {texts(assigned(scene.state))}"
    scene.judge(name, expected, seen, holds=seen == expected)


async def assign_two(scene: Scene) -> None:
    """Assigns the incident to two people at once."""
    if not scene.other:
        return
    ours = min(scene.cast.ours)
    new = await scene.act("assign to two", "assign", assignments=_targets(scene.other, ours))
    calls = of_type(new, "assign")
    counts = [len(assignees_of(entry)) for entry in calls]
    scene.judge(
        "one-entry-per-target",
        "2 entries, 1 assignee each",
        f"{len(calls)} entries with {texts(map(str, counts))} assignees",
        holds=counts == [1, 1],
    )


async def escalate(scene: Scene) -> None:
    """Escalates the acknowledged incident."""
    if not await scene.acknowledged_again():
        return
    levels = await _levels(scene)
    try:
        new = await scene.act("escalate", "escalate", escalation_level=min(2, levels))
    except RefusedError as error:
        hint = "; run with --urgency high" if scene.state.get("urgency") == "low" else ""
        scene.leave(f"escalate: {refusal(error)}{hint}", "escalate-ends-acknowledgement")
        return
    scene.judge_ended("escalate-ends-acknowledgement", new, "escalate")


async def _levels(scene: Scene) -> int:
    policy_id = mapping(scene.state.get("escalation_policy")).get("id")
    policy = await scene.incidents.client.fetch_one(POLICIES, str(policy_id))
    return max(1, len(items(policy.get("escalation_rules"))))


async def delegate(scene: Scene) -> None:
    """Delegates the acknowledged incident to another policy."""
    if not scene.cast.policy_id:
        reason = "it would page other people: give an escalation policy with --policy to test it"
        scene.leave(reason, "delegate-ends-acknowledgement", "delegate-names-no-targets")
        return
    is_acknowledged = await scene.acknowledged_again()
    policy = {"id": scene.cast.policy_id, "type": "escalation_policy_reference"}
    new = await scene.act("delegate", "delegate", escalation_policy=policy)
    entry = first(of_type(new, "delegate"))
    if entry is None:
        scene.absent("delegate", "delegate-names-no-targets")
        return
    named, beside = assignees_of(entry), by_service(new, entry.get("created_at"))
    scene.judge(
        "delegate-names-no-targets",
        "no assignees, assign entries by service in that second",
        f"{len(named)} assignees, {len(beside)} such entries",
        holds=not named and bool(beside),
    )
    if is_acknowledged:
        scene.judge_ended("delegate-ends-acknowledgement", new, "delegate")


def _targets(*user_ids: str) -> list[dict[str, dict[str, str]]]:
    return [{"assignee": {"id": one, "type": "user_reference"}} for one in user_ids]
