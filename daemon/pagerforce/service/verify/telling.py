"""Steps of the test incident that concern its log."""

from pagerforce.errors import RefusedError
from pagerforce.pagerduty.client import PRIORITIES
from pagerforce.service.verify.entries import Raw, of_type
from pagerforce.service.verify.findings import items, mapping, refusal, texts, word
from pagerforce.service.verify.incidents import TITLE
from pagerforce.service.verify.scene import Scene, first

_NOTES = 3


async def annotate(scene: Scene) -> None:
    """Adds several notes at once."""
    wanted = [
        f"[pagerforce verify] note {place + 1} <&> \u00e4\nsecond line" for place in range(_NOTES)
    ]
    known = list(scene.log)
    for text in wanted:
        await scene.incidents.client.send_note(scene.id, text, scene.incidents.email)
    found: list[Raw] = []
    for _ in wanted:  # each wait ends with at least one entry
        found = await scene.incidents.wait_for(scene.id, "annotate", known)
        if len(of_type(found, "annotate")) >= len(wanted):
            break
    scene.keep("notes", found)
    notes = of_type(found, "annotate")
    bodies = [mapping(entry.get("channel")).get("summary") for entry in notes]
    if not notes:
        scene.absent("annotate", "annotate-entry-bears-text")
        return
    matching = sum(body in wanted for body in bodies)
    scene.judge(
        "annotate-entry-bears-text",
        f"{_NOTES} entries with the text",
        f"{len(notes)} entries, {matching} with the text",
        holds=matching == _NOTES,
    )
    if matching == _NOTES:
        places = [wanted.index(body) for body in bodies if isinstance(body, str)]
        _judge_order(scene, notes, places)


def _judge_order(scene: Scene, notes: list[Raw], places: list[int]) -> None:
    stamps = [str(entry.get("created_at")) for entry in notes]
    if len(set(stamps)) == len(stamps):
        scene.leave("no two entries shared a second", "newest-first-within-second")
        return
    scene.judge(
        "newest-first-within-second",
        "3, 2, 1",
        texts(str(place + 1) for place in places),
        holds=places == sorted(places, reverse=True),
    )


async def update(scene: Scene) -> None:
    """Sends a status update, if requested."""
    if not scene.cast.tells_subscribers:
        reason = "it would reach subscribers: allow it with --status-update"
        scene.leave(reason, "status-update-entry-bears-message")
        return
    known, text = list(scene.log), "[pagerforce verify] a test, nothing is wrong"
    await scene.incidents.client.send_status_update(scene.id, text, scene.incidents.email)
    new = await scene.incidents.wait_for(scene.id, "status_update", known)
    scene.keep("status update", new)
    entry = first(of_type(new, "status_update"))
    if entry is None:
        scene.absent("status_update", "status-update-entry-bears-message")
        return
    message = entry.get("message")
    said = "the text" if message == text else "none" if message is None else "another text"
    scene.judge("status-update-entry-bears-message", "the text", said, holds=message == text)


async def prioritise(scene: Scene) -> None:
    """Sets another priority, if the account has priorities."""
    page = await scene.incidents.client.fetch_page(PRIORITIES, {})
    rows = [row for row in items(list(page.rows)) if isinstance(row.get("id"), str)]
    if not rows:
        scene.leave("the account has no priorities", "priority-change-entry")
        return
    priority = {"id": rows[-1]["id"], "type": "priority_reference"}
    new = await scene.act("priority", "priority_change", priority=priority)
    entry = first(of_type(new, "priority_change"))
    named = mapping(mapping((entry or {}).get("channel")).get("new_priority"))
    is_named = entry is not None and named.get("name") == rows[-1].get("name")
    said = (
        "no such entry" if entry is None else f"new_priority with {texts(map(word, sorted(named)))}"
    )
    scene.judge(
        "priority-change-entry",
        "an entry whose new_priority has the name",
        said,
        holds=is_named,
    )


async def calm(scene: Scene) -> None:
    """Sets another urgency."""
    if scene.state.get("urgency") != "high":
        reason = "the incident is of low urgency: run with --urgency high"
        scene.leave(reason, "urgency-change-entry")
        return
    new = await scene.act("urgency", "urgency_change", urgency="low")
    if scene.state.get("urgency") != "low":
        scene.leave("the service sets the urgency itself", "urgency-change-entry")
        return
    entries = of_type(new, "urgency_change")
    said = f"{len(entries)} such entries"
    scene.judge("urgency-change-entry", "1 such entry", said, holds=len(entries) == 1)


async def resolve(scene: Scene) -> None:
    """Sets a new title, then resolves the incident."""
    known = list(scene.log)
    await scene.incidents.change(scene.id, title=f"{TITLE} (2)")
    text = "[pagerforce verify] resolved"
    await scene.incidents.change(scene.id, status="resolved", resolution=text)
    new = await scene.incidents.wait_for(scene.id, "resolve", known)
    await scene.look("title and resolve", new)
    entry = first(of_type(new, "resolve"))
    if entry is None:
        scene.absent("resolve", "resolve-entry-bears-note", "title-leaves-no-entry")
    else:
        is_there = entry.get("note") == text
        said = "the text" if is_there else "something else, or nothing"
        scene.judge("resolve-entry-bears-note", "the text", said, holds=is_there)
        scene.judge_silent("title-leaves-no-entry", new, {"resolve", "annotate"})
    counts = [len(items(scene.state.get(k))) for k in ("assignments", "acknowledgements")]
    scene.judge(
        "resolved-empties-assignments",
        "0 assignments, 0 acknowledgements",
        f"{counts[0]} assignments, {counts[1]} acknowledgements",
        holds=scene.state.get("status") == "resolved" and counts == [0, 0],
    )


async def reopen(scene: Scene) -> None:
    """Opens the incident again, and resolves it again."""
    known = list(scene.log)
    try:
        await scene.incidents.change(scene.id, status="acknowledged")
    except RefusedError as error:
        scene.judge(
            "acknowledge-reopens", "acknowledged", f"refused: {refusal(error)}", holds=False
        )
        return
    await scene.look("reopen", [])
    status = word(scene.state.get("status"))
    is_open = status == "acknowledged"
    scene.judge("acknowledge-reopens", "acknowledged", status, holds=is_open)
    if not is_open:
        return
    await scene.incidents.change(scene.id, status="resolved")
    new = await scene.incidents.wait_for(scene.id, "resolve", known)
    scene.keep("resolve again", new)
    if of_type(new, "resolve"):
        allowed = {"resolve", "acknowledge", "assign"}
        scene.judge_silent("reopen-leaves-no-entry", new, allowed)
    else:
        scene.absent("resolve", "reopen-leaves-no-entry")
