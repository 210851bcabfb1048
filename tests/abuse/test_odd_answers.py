"""Single malformed answers of either side: each costs its row, and no restart makes it worse."""

import gzip
import json
import re
import resource
from contextlib import suppress
from datetime import timedelta

import httpx
import pytest

from control.kit import open_direct
from fuzz.clients import Clock, Observer
from fuzz.recording import Tap
from pagerforce.errors import MalformedError, RemoteError
from pagerforce.pagerduty.client import PagerDutyClient, open_http
from pagerforce.wire.bounds import bounds_of
from pagerforce.wire.transport import OPERATION
from rig import INCIDENT, JANE, open_rig

HUGE = b"9" * 400
MIB = 1 << 20


class Bender:
    """Changes the answers to some operations, while it is switched on."""

    def __init__(self, monkeypatch) -> None:
        self.operations: frozenset[str] = frozenset()
        self.change = lambda body: body
        self.headers: dict[str, str] = {}
        self.count = 0
        Tap(self).put_in(monkeypatch)

    def bend(self, *operations, change=None, **headers) -> None:
        self.operations, self.count = frozenset(operations), 0
        self.change = change or (lambda body: body)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __call__(self, request, response, body):
        headers = {k: v for k, v in response.headers.items() if k != "content-length"}
        if request.extensions.get(OPERATION) in self.operations:
            changed = self.change(body)
            self.count += changed != body or bool(self.headers)
            body, headers = changed, headers | self.headers
        return httpx.Response(response.status_code, headers=headers, content=body)


@pytest.fixture
def bender(monkeypatch):
    return Bender(monkeypatch)


async def poll(daemon):
    for reader in (daemon.parts.pagerduty_reader, daemon.parts.salesforce_reader):
        with suppress(RemoteError):
            await reader.poll()
    await daemon.deliver()


async def test_an_incident_number_of_400_digits_is_a_flaw_and_survives_a_restart(tmp_path, bender):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            _, incident_id = await rig.paged(daemon)
            bender.bend(
                "log_entries.list",
                "incidents.list",
                change=lambda b: re.sub(rb'("incident_number": ?)\d+', rb"\g<1>" + HUGE, b),
            )
            rig.pd.trigger("PDBA001", "Replication lag")
            rig.pd.annotate(incident_id, "odd", by=JANE)
            await daemon.step(3)
            assert bender.count > 0
            assert len(rig.sf.rows(INCIDENT)) == 2
            assert daemon.sample("events_total", source="pagerduty", type="other") > 0
        async with rig.daemon() as daemon:
            await rig.paged(daemon, "another")
        async with open_direct(rig) as office:
            assert (await office.ask("status"))["outbox"]["unreadable"] == {}
            assert await office.ask("log")


@pytest.mark.parametrize("value", [HUGE, b"1e999", b"[" * 40 + b"]" * 40, b'"' + b"x" * MIB + b'"'])
async def test_an_impossible_custom_field_holds_nothing_up(tmp_path, bender, value):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        daemon.parts.pagerduty_reader.needs_custom_fields = lambda: True
        daemon.parts.pagerduty_reader.source._include.append("custom_fields")
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.set_custom_field(incident_id, "ticket", "T-1", by=JANE)
        bender.bend("incidents.get", change=lambda b: b.replace(b'"T-1"', value))
        rig.pd.annotate(incident_id, "goes on", by=JANE)
        await daemon.step(3)
        assert bender.count > 0
        assert rig.comments_of(record_id) == ["[PagerDuty - Jane Doe] goes on"]


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 GMT",
    ],
)
async def test_a_date_header_of_another_century_moves_nothing(tmp_path, bender, date):
    everything = (
        "log_entries.list",
        "incidents.list",
        "services.time",
        "composite",
        "query",
        "login",
    )
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            bender.bend(*everything, date=date)
            rig.sf.expire_tokens()
            await rig.paged(daemon)
            assert bender.count > 0
            await daemon.parts.pruner.prune(lambda: None)
            bender.bend()
            record_id, incident_id = await rig.paged(daemon, "afterwards")
            rig.pd.annotate(incident_id, "heard", by=JANE)
            await daemon.step(2)
            assert rig.comments_of(record_id) == ["[PagerDuty - Jane Doe] heard"]


@pytest.mark.parametrize("year", ["9999", "0001", "2999"])
async def test_rows_of_another_century_are_flaws_and_do_not_move_the_cursor(tmp_path, bender, year):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        stamps = re.compile(rb'(?<=")\d{4}(-\d\d-\d\dT\d\d:\d\d:\d\d)')
        bender.bend(
            "composite",
            "query",
            "log_entries.list",
            "incidents.list",
            change=lambda b: stamps.sub(year.encode() + rb"\1", b),
        )
        rig.pd.annotate(incident_id, "heard late", by=JANE)
        for _ in range(3):
            rig.advance(30)
            await poll(daemon)
        assert bender.count > 0
        bender.bend()
        for _ in range(3):
            rig.advance(30)
            await poll(daemon)
        assert rig.comments_of(record_id) == ["[PagerDuty - Jane Doe] heard late"]
        await rig.paged(daemon, "afterwards")


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "deflate", "gzip"])
async def test_a_bomb_is_refused_before_it_is_unpacked(coding):
    bomb = gzip.compress(b"\0" * (64 * MIB), compresslevel=9)
    packed = gzip.compress(bomb) if coding == "gzip, gzip" else bomb
    tap = Bomb(packed, coding)
    observer = Observer()
    async with open_http(
        api_url="http://127.0.0.1:1",
        api_key="key",
        timeout_seconds=30,
        ca_file=None,
        observer=observer,
        transport=tap,
    ) as http:
        client = PagerDutyClient(http, deadline_seconds=30, observer=observer, clock=Clock())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(MalformedError):
            await client.fetch_abilities()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 16 * 1024  # KiB; the bomb is four times as large
        assert tap.sent < 3 * MIB


class Bomb(httpx.AsyncBaseTransport):
    """Answers with a compressed body, piece by piece."""

    def __init__(self, body: bytes, coding: str) -> None:
        self.body, self.coding, self.sent = body, coding, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": self.coding}, stream=Pieces(self))


class Pieces(httpx.AsyncByteStream):
    def __init__(self, bomb: Bomb) -> None:
        self._bomb = bomb

    async def __aiter__(self):
        for start in range(0, len(self._bomb.body), 4096):
            self._bomb.sent += 4096
            yield self._bomb.body[start : start + 4096]


def _padded(body: bytes, key: str, name: str, text: str) -> bytes:
    """Adds a member to every row of a list."""
    page = json.loads(body)
    for row in page[key]:
        row[name] = text
    return json.dumps(page).encode()


async def test_pages_that_are_too_large_are_read_in_smaller_ones(tmp_path, bender):
    text = "x" * (bounds_of("log_entries.list").size // 10)
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        bender.bend("log_entries.list", change=lambda b: _padded(b, "log_entries", "extra", text))
        for number in range(15):
            rig.pd.annotate(incident_id, f"note {number}", by=JANE)
        await daemon.step(3)
        assert bender.count > 2
        assert len(rig.comments_of(record_id)) == 15
        bender.bend("log_entries.list", change=lambda b: _padded(b, "log_entries", "x", text * 11))
        rig.pd.annotate(incident_id, "never seen", by=JANE)
        await daemon.step(1)
        assert daemon.sample("events_total", source="pagerduty", type="other") > 0


async def test_rows_that_are_too_large_together_are_asked_for_in_smaller_pages(tmp_path, bender):
    size = bounds_of("composite").size // 10

    def fatten(body: bytes) -> bytes:
        page = json.loads(body)
        for part in page["compositeResponse"]:
            for row in part["body"].get("records", ()):
                row["extra"] = "x" * size
        return json.dumps(page).encode()

    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        bender.bend("composite", change=fatten)
        made = [rig.open_record(f"trouble {number}", priority="1") for number in range(25)]
        for _ in range(3):
            rig.advance(10)
            await poll(daemon)
        assert bender.count > 2
        assert len(rig.incidents()) == len(made)


async def test_lists_that_never_end_are_abandoned(tmp_path, bender):
    def more(body: bytes) -> bytes:
        page = json.loads(body) | {"more": True}
        return json.dumps(page).encode()

    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        _, incident_id = await rig.paged(daemon)
        asked = daemon.parts.pagerduty_side.client.line
        bender.bend("log_entries.list", "incidents.list", change=more)
        rig.pd.annotate(incident_id, "heard", by=JANE)
        before = asked.reads_sent
        rig.advance(400)
        await poll(daemon)
        assert asked.reads_sent - before < 200
        bender.bend()
        rig.advance(400)
        await daemon.step(2)
        assert len(daemon.rig.incidents()) == 1


async def test_a_text_of_megabytes_does_not_fill_the_state(tmp_path, bender):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        people = b"[" + b",".join([b'{"assignee": {"id": "PJANE01"}}'] * 15_000) + b"]"
        bender.bend(
            "log_entries.list",
            "incidents.list",
            change=lambda b: (
                re.sub(rb'"title": ?"[^"]*"', b'"title": "' + b"t" * MIB + b'"', b)
                .replace(b'"assignments":[', b'"assignments":' + people + b', "was":[')
                .replace(b'"assignments": [', b'"assignments": ' + people + b', "was": [')
            ),
        )
        rig.pd.annotate(incident_id, "heard", by=JANE)
        rig.advance(400)
        await daemon.step(3)
        assert bender.count > 0
        assert rig.comments_of(record_id) == ["[PagerDuty - Jane Doe] heard"]
        async with daemon.parts.database.read() as tx:
            assert await tx.size_bytes() < 3 * MIB


async def test_a_cursor_in_the_future_is_set_back(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record_id, incident_id = await rig.paged(daemon)
            async with daemon.parts.database.write() as tx:
                await tx.run("UPDATE cursor SET stamp = '2199-01-01T00:00:00.000000Z'")
        rig.pd.annotate(incident_id, "while it was down", by=JANE)
        rig.comment(record_id, "from below")
        rig.advance(timedelta(hours=1).total_seconds())
        async with rig.daemon() as daemon:
            await daemon.step(2)
            assert rig.comments_of(record_id)[-1] == "[PagerDuty - Jane Doe] while it was down"
            assert len(rig.notes_of(incident_id)) == 2
            assert len(rig.incidents()) == 1
            assert await daemon.dead_letters() == []
