"""Changes in the very second of the daemon's first start are evaluated once, of each kind."""

import pytest

from rig import INCIDENT, JANE, before, open_rig


@pytest.mark.parametrize("moment", ["just before the start", "while the baseline is read"])
async def test_what_happens_in_the_second_of_the_first_start_is_an_event_once(tmp_path, moment):
    async with open_rig(tmp_path) as rig:
        old = rig.open_record("from before")
        rig.advance(10.25)
        news = []

        def happen():
            rig.advance(0.25)
            incident_id = rig.pd.trigger("PDBA001", "Replication lag")["id"]
            rig.pd.annotate(incident_id, "look at this", by=JANE)
            rig.comment(old, "still there")
            news.extend((incident_id, rig.open_record("Core switch down", priority="1")))
            rig.advance(0.25)

        if moment == "just before the start":
            happen()
        else:
            before(rig.desk.salesforce_faults, "GET", "/query", happen)
        for _ in range(2):
            async with rig.daemon() as daemon:
                await daemon.step(4, seconds=30)
                incident_id, record_id = news
                made = {record: incident for incident, record, _ in await daemon.links()}
                told = [
                    (x["source"], x["event"], x["incident"] or x["record"])
                    for x in await daemon.log()
                    if not x["echo_of"] and x["event"] != "update"
                ]
                assert sorted(x for x in told if x[1] in ("trigger", "annotate")) == [
                    ("pagerduty", "annotate", incident_id),
                    ("pagerduty", "trigger", incident_id),
                ]
                assert sorted(x for x in told if x[0] == "salesforce") == [
                    ("salesforce", "comment", old),
                    ("salesforce", "create", record_id),
                ]
                assert len(rig.incidents()) == 2, "one incident created"
                assert len(rig.sf.rows(INCIDENT)) == 3, "one record for the incident of monitoring"
                assert made[record_id] != incident_id
