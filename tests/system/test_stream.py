"""The real daemon with a stream: its metric, ``status``, its health while a connect is held, its end."""

import json

from process import command, open_stage, until
from rig import INCIDENT, RAJ, P


def open_record(stage, text):
    sf = stage.desk.salesforce
    values = {
        f"{P}shortDescription__c": text,
        f"{P}FKCategory__c": sf.find_id(f"{P}Category__c", Name="Network"),
        f"{P}FKPriority__c": sf.find_id(f"{P}Priority__c", Name="1"),
        f"{P}FKStatus__c": sf.find_id(f"{P}Status__c", Name="NEW"),
    }
    return sf.insert(INCIDENT, values, by=RAJ)


async def test_a_change_pages_at_once_although_polls_are_an_hour_apart(tmp_path):
    async with open_stage(tmp_path) as stage:
        stage.edit("[salesforce]", '[salesforce]\nstream = "cometd"\nstream_poll_interval = "1h"')
        async with stage.daemon() as daemon:
            await daemon.ready()
            streaming = stage.desk.salesforce.streaming
            await until(lambda: streaming.connects >= 2, "a held connect")
            assert await daemon.sample("stream_up") == 1
            open_record(stage, "Core switch down")
            await until(lambda: len(stage.desk.pagerduty.incidents()) == 1, "the page")
            _, said, _ = await command("status", "--json", config=stage.desk.config)
            stream = json.loads(said)["stream"]
            assert (stream["up"], stream["reason"], stream["not_covered"]) == (True, "", {})
            assert INCIDENT in stream["covered"]
            assert stream["events"] >= 1
            _, said, _ = await command("status", config=stage.desk.config)
            assert "stream        up since" in said
            seconds = await daemon.stop()
            assert seconds < 10
            assert "Core switch down" not in daemon.log.read_text()
        _, said, _ = await command("status", config=stage.desk.config)
        assert "stream        unknown" in said
