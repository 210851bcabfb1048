"""A stored cursor is the position of the last row read, never a time of the clock."""

from datetime import timedelta

from pagerforce.store import cursors
from rig import JANE, open_rig


async def stands_at(daemon):
    async with daemon.parts.database.read() as tx:
        return (await cursors.read_cursors(tx))[cursors.PAGERDUTY].stamp


async def test_pagerdutys_cursor_is_the_newest_entry_even_if_nothing_follows_for_long(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            rig.advance(10)
            incident_id = rig.pd.trigger("PDBA001", "Replication lag")["id"]
            newest = rig.remote.now()
            await daemon.step(1)
            await daemon.step(4, seconds=600)
            assert await stands_at(daemon) == newest
        # More than one window: the last of them are empty.
        rig.advance(10)
        rig.pd.annotate(incident_id, "on it", by=JANE)
        newest = rig.remote.now()
        rig.advance(timedelta(days=65).total_seconds())
        async with rig.daemon() as daemon:
            assert "annotate" in [x["event"] for x in await daemon.log()]
            assert await stands_at(daemon) == newest
