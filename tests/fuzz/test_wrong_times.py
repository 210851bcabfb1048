"""Impossible times: a cursor that used one would miss everything after it."""

import httpx

from fuzz.recording import Tap
from pagerforce.wire.transport import OPERATION
from rig import JANE, open_rig


class Clockmaker:
    """Replaces one time by another in the answers to one operation."""

    def __init__(self) -> None:
        self.operation = self.old = self.new = ""
        self.count = 0

    def __call__(self, request, response, body):
        if self.old and request.extensions.get(OPERATION) == self.operation:
            self.count += body.count(self.old.encode())
            body = body.replace(self.old.encode(), self.new.encode())
        headers = {k: v for k, v in response.headers.items() if k != "content-length"}
        return httpx.Response(response.status_code, headers=headers, content=body)


async def test_a_row_from_the_future_does_not_carry_the_cursor_off(tmp_path, monkeypatch):
    clockmaker = Clockmaker()
    Tap(clockmaker).put_in(monkeypatch)
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.advance(100)
        record_id = rig.open_record("odd clock")
        clockmaker.operation = "composite"
        clockmaker.old = rig.record(record_id)["SystemModstamp"].strftime(
            "%Y-%m-%dT%H:%M:%S.000+0000"
        )
        clockmaker.new = "2999-01-01T00:00:00.000+0000"
        await daemon.step()
        assert clockmaker.count > 0
        clockmaker.old = ""
        rig.open_record("afterwards", priority="1")
        await daemon.step(3)
        assert len(rig.incidents()) == 1


async def test_an_entry_of_another_time_is_reported_and_read_once_it_is_fixed(
    tmp_path, monkeypatch
):
    clockmaker = Clockmaker()
    Tap(clockmaker).put_in(monkeypatch)
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.advance(100)
        rig.pd.annotate(incident_id, "odd clock", by=JANE)
        clockmaker.operation = "log_entries.list"
        clockmaker.old = rig.pd.entries(incident_id)[-1]["created_at"]
        clockmaker.new = "1999-01-01T00:00:00Z"
        await daemon.step()
        assert clockmaker.count > 0
        assert rig.comments_of(record_id) == []
        assert daemon.sample("events_total", source="pagerduty", type="other") > 0
        clockmaker.old = ""
        await daemon.step()
        assert rig.comments_of(record_id) == ["[PagerDuty - Jane Doe] odd clock"]
