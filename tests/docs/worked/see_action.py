"""A rule with the new action is loaded, carried out in the sandbox, and recognised as pagerforce's own."""

import sys
from pathlib import Path

import anyio

from pagerforce.service.catalog import SPECS
from rules.kit import PAGE, SHORT, is_, rule, staged

DO = "pagerduty.set_urgency"


async def main(folder):
    calm = [is_(f"record.{SHORT}", "changed_to", "calm")]
    heard = [is_("event.type", "equals", "urgency_change")]
    lower = rule("lower", "salesforce", calm, {"do": DO, "urgency": "low"})
    echo = rule("echo", "pagerduty", heard, {"do": "pagerduty.add_note", "text": "heard"})
    async with staged(folder, PAGE, lower, echo) as (rig, daemon):
        record_id, incident_id = await rig.paged(daemon)
        assert rig.pd.incident(incident_id)["urgency"] == "high"
        rig.change(record_id, shortDescription="calm")
        await daemon.step(3)
        assert rig.pd.incident(incident_id)["urgency"] == "low"
        assert daemon.sample("actions_total", action=DO, outcome="delivered") == 1
        entries = [entry["type"] for entry in rig.pd.entries()]
        assert "urgency_change_log_entry" in entries
        assert rig.notes_of(incident_id) == []
    assert SPECS[DO].sets is not None


anyio.run(main, Path(sys.argv[1]))
