"""An entry of the new type is an event with both states: a rule sees the title change."""

import sys
from pathlib import Path

import anyio

from rules.kit import PAGE, is_, rule, staged


async def main(folder):
    note = {"do": "pagerduty.add_note", "text": "was {{ old.incident.title }}"}
    changed = [is_("event.type", "equals", "title_change"), is_("incident.title", "changed")]
    async with staged(folder, PAGE, rule("tell", "pagerduty", changed, note)) as (rig, daemon):
        _, incident_id = await rig.paged(daemon)
        title = rig.pd.incident(incident_id)["title"]
        rig.pd.set_title(incident_id, "another title")
        rig.pd.add_entry(incident_id, "title_change_log_entry", "Title changed")
        await daemon.step()
        assert rig.notes_of(incident_id) == [f"was {title}"]
        kinds = {"source": "pagerduty", "type": "title_change"}
        assert daemon.sample("events_total", **kinds) == 1


anyio.run(main, Path(sys.argv[1]))
