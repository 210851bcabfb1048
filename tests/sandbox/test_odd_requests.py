"""Requests that hold what is no text: both sandboxes answer proper JSON and go on."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.running import open_sandbox
from rig import INCIDENT, JANE, open_rig

LONE = "\\ud800 x \\udc00\\ud83d\\ude00"
WHOLE = "� x �\U0001f600"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
async def lines(tmp_path):
    """Clients of both sandboxes, with credentials."""
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        access = await daemon.parts.salesforce_side.client.session.access()
        key = (rig.desk.folder / "pagerduty.key").read_text().strip()
        headers = {"Authorization": f"Token token={key}", "From": "integration@example.com"}
        json_type = {"Content-Type": "application/json"}
        async with (
            httpx.AsyncClient(base_url=rig.desk.pagerduty_url, headers=headers | json_type) as pd,
            httpx.AsyncClient(
                base_url=rig.desk.salesforce_url,
                headers={"Authorization": f"Bearer {access.token}"} | json_type,
            ) as sf,
        ):
            yield rig, pd, sf


async def test_half_a_surrogate_pair_in_pagerduty(lines):
    rig, pd, _ = lines
    services = (await pd.get("/services")).json()["services"]
    service = json.dumps({"id": services[0]["id"], "type": "service_reference"})
    body = f'{{"incident": {{"type": "incident", "title": "{LONE}", "service": {service}}}}}'
    made = await pd.post("/incidents", content=body)
    assert made.status_code == 201, made.text
    incident = made.json()["incident"]
    assert incident["title"] == WHOLE
    note = await pd.post(
        f"/incidents/{incident['id']}/notes", content=f'{{"note": {{"content": "{LONE}"}}}}'
    )
    assert note.json()["note"]["content"] == WHOLE
    assert (await pd.get("/log_entries", params={"include[]": "channels"})).status_code == 200
    assert rig.pd.annotate(incident["id"], "as before", by=JANE)


async def test_half_a_surrogate_pair_in_salesforce(lines):
    _, _, sf = lines
    data = "/services/data/v62.0"
    made = await sf.post(f"{data}/sobjects/Case", content=f'{{"Subject": "{LONE}"}}')
    assert made.status_code == 201, made.text
    found = (await sf.get(f"{data}/sobjects/Case/{made.json()['id']}")).json()
    assert found["Subject"] == WHOLE
    soql = f"SELECT Id FROM Case WHERE Subject = '{LONE}'"
    part = f'{{"method": "GET", "url": "{data}/query?q={soql}", "referenceId": "a"}}'
    both = await sf.post(f"{data}/composite", content=f'{{"compositeRequest": [{part}]}}')
    assert both.status_code == 200
    assert both.json()["compositeResponse"][0]["httpStatusCode"] in (200, 400)
    for odd in ("%ED%A0%80", "%FF", "\\ud800"):
        raw = await sf.get(f"{data}/query?q=SELECT+Id+FROM+{INCIDENT}+WHERE+Name='{odd}'")
        assert raw.status_code in (200, 400)
        raw.json()


@pytest.mark.parametrize("number", ["9" * 400, "1" + "0" * 30, "-" + "9" * 25, "1e999"])
async def test_numbers_beyond_64_bits(lines, number):
    _, pd, sf = lines
    body = f'{{"incident": {{"type": "incident", "title": "x", "urgency": {number}}}}}'
    assert (await pd.post("/incidents", content=body)).status_code == 400
    case = await sf.post("/services/data/v62.0/sobjects/Case", content=f'{{"Subject": {number}}}')
    assert case.status_code in (201, 400)
    case.json()


async def test_nesting_without_end(tmp_path):
    async with open_sandbox(tmp_path, clock=ManualClock(START)) as desk:
        key = (desk.folder / "pagerduty.key").read_text().strip()
        headers = {"Authorization": f"Token token={key}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(base_url=desk.pagerduty_url, headers=headers) as pd:
            answer = await pd.post("/incidents", content="[" * 100_000)
            assert answer.status_code == 400
            answer.json()
