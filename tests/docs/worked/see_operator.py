"""A rule with the new operator creates an incident only if the condition is true."""

import sys
from pathlib import Path

import anyio

from rules.kit import SHORT, is_, rule, staged


async def main(folder):
    page = {"do": "pagerduty.create_incident", "title": "{{ record.Name }}", "service": "PNET001"}
    has_word = rule("page", "salesforce", [is_(f"record.{SHORT}", "has_word", "Down")], page)
    async with staged(folder, has_word) as (rig, daemon):
        rig.open_record("the downlink is slow")
        await daemon.step()
        assert rig.incidents() == []
        rig.open_record("core switch DOWN again")
        await daemon.step()
        assert len(rig.incidents()) == 1


anyio.run(main, Path(sys.argv[1]))
