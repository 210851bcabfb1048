"""A search after a lost answer, with a damaged result: nothing is concluded from it."""

import json

import httpx
import pytest

from fuzz.recording import Tap
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.wire.transport import OPERATION
from rig import HISTORY, INCIDENT, JANE, open_rig


class Blinder:
    """Removes the fields that identify rows from the answers to these operations."""

    def __init__(self) -> None:
        self.operation = ""
        self.count = 0

    def __call__(self, request, response, body):
        if self.operation and request.extensions.get(OPERATION) == self.operation:
            self.count += 1
            body = json.dumps(_blind(json.loads(body))).encode()
        headers = {k: v for k, v in response.headers.items() if k != "content-length"}
        return httpx.Response(response.status_code, headers=headers, content=body)


def _blind(value):
    if isinstance(value, list):
        return [_blind(item) for item in value]
    if isinstance(value, dict):
        return {k: _blind(v) for k, v in value.items() if k not in ("id", "Id")}
    return value


@pytest.fixture
def blinder(monkeypatch):
    blinder = Blinder()
    Tap(blinder).put_in(monkeypatch)
    return blinder


@pytest.mark.parametrize(
    ("operation", "method", "path"),
    [
        ("notes.list", "POST", "/notes"),
        ("query", "POST", HISTORY),
        ("query", "PATCH", INCIDENT),
        ("incidents.list", "POST", r"/incidents$"),
    ],
)
async def test_a_search_that_is_not_understood_sends_nothing_again(
    tmp_path, blinder, operation, method, path
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        faults = rig.desk.pagerduty_faults if "." in operation else rig.desk.salesforce_faults
        faults.add(Fault(FaultKind.DROP_AFTER, count=1, method=method, path=path))
        if operation == "notes.list":
            rig.comment(record_id, "only once")
        elif operation == "incidents.list":
            rig.open_record("the second", priority="1")
        elif path == HISTORY:
            rig.pd.annotate(incident_id, "only once", by=JANE)
        else:
            rig.pd.trigger("PDBA001", "Replication lag")
        await daemon.step(1)
        blinder.operation = operation
        for _ in range(3):
            rig.advance(70)
            await daemon.deliver()
        assert blinder.count > 0
        blinder.operation = ""
        await daemon.step(4, seconds=400)
        texts = rig.notes_of(incident_id) + rig.comments_of(record_id)
        assert len(texts) == (2 if operation == "notes.list" or path == HISTORY else 0)
        is_second = operation == "incidents.list" or path == INCIDENT
        assert len(rig.incidents()) == len(rig.sf.rows(INCIDENT)) == (2 if is_second else 1)
        assert await daemon.dead_letters() == []
