"""Real answers of the sandbox to every call of pagerforce's clients, with errors of both vendors."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import httpx

from pagerforce.errors import RemoteError
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.wire import transport
from pagerforce.wire.transport import OPERATION
from rig import INCIDENT, JANE, P, open_rig

_ROWS = 10
IN_PARTS = " in parts"  # a query or an update that is one of several in a request
_WRITES = {"incidents.create", "incidents.update", "notes.create", "create", "update", "upsert"}
RULES = (Path(__file__).parents[1] / "kills" / "rules.toml").read_text()


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer. ``operation`` is the client's own name of the call."""

    host: str
    operation: str
    is_write: bool
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __str__(self) -> str:
        return f"{self.operation} {self.status}"


class Tap:
    """Receives answers right after the network; gives each to ``pass_on``, which may change it."""

    def __init__(self, pass_on) -> None:
        self._pass_on = pass_on

    def put_in(self, monkeypatch) -> None:
        # Patched: the product has no way to change answers, and the daemon's own setup must run.
        inner = transport._EnvironmentTransport.handle_async_request
        pass_on = self._pass_on

        async def handle(this, request: httpx.Request) -> httpx.Response:
            response = await inner(this, request)
            body = b"".join([chunk async for chunk in response.aiter_raw()])
            await response.aclose()
            return pass_on(request, response, body)

        monkeypatch.setattr(transport._EnvironmentTransport, "handle_async_request", handle)


async def _play(folder: Path, monkeypatch) -> list[Recorded]:
    found: dict[tuple[str, int], list[Recorded]] = {}

    def keep(request, response, body):
        name = str(request.extensions.get(OPERATION))
        is_several = request.url.path.endswith("/composite") and name in ("query", "update")
        operation = f"{name}{IN_PARTS}" if is_several else name
        item = Recorded(
            str(request.url),
            operation,
            name in _WRITES,
            response.status_code,
            tuple(response.headers.items()),
            body,
        )
        found.setdefault((operation, item.status), []).append(item)
        return httpx.Response(response.status_code, headers=response.headers, content=body)

    Tap(keep).put_in(monkeypatch)
    async with open_rig(folder, RULES) as rig, rig.daemon() as daemon:
        await _live_a_day(rig, daemon)
        await _meet_errors(rig, daemon)
    return [_trim(item) for items in found.values() for item in sorted(items, key=_size)[-2:]]


FEEDS = 4
"""Parts of a poll's composite request: two objects and their comments."""


def _size(item: Recorded) -> int:
    return len(item.body)


def _trim(item: Recorded) -> Recorded:
    """With the first rows of each list: corruption rarely hits the hundredth row of a kind."""
    try:
        found = _shorten(json.loads(item.body))
    except ValueError:
        return item
    if item.operation == "composite":
        # The query for parents is another query in each poll; the feeds come first.
        found["compositeResponse"] = found["compositeResponse"][:FEEDS]
    return replace(item, body=json.dumps(found).encode())


def _shorten(value):
    if isinstance(value, dict):
        return {key: _shorten(item) for key, item in value.items()}
    if isinstance(value, list):
        step = max(1, len(value) // _ROWS)
        return [_shorten(item) for item in value[::step]]
    return value


async def _live_a_day(rig, daemon) -> None:
    record_id = rig.open_record()
    incident_id = rig.pd.trigger("PDBA001", "Replication lag")["id"]
    await daemon.step()
    rig.comment(record_id, "sécond floor ☎ is back")
    for incident in rig.incidents():
        rig.pd.annotate(incident["id"], "lööking", by=JANE)
        rig.pd.set_priority(incident["id"], "P2", by=JANE)
        rig.pd.acknowledge(incident["id"], by=JANE)
        rig.pd.reassign(incident["id"], ["PSAMLE1"], by=JANE)
        rig.pd.set_urgency(incident["id"], "low", by=JANE)
        rig.pd.set_custom_field(incident["id"], "ticket", "T-1", by=JANE)
    await daemon.step()
    rig.change(record_id, FKPriority=rig.id_of("Priority", "1"))
    await daemon.step()
    rig.pd.resolve(incident_id, by=JANE)
    await daemon.step()
    await daemon.parts.pagerduty_reader.source.find_incident(incident_id)
    await daemon.parts.pagerduty_side.directory.find_escalation_policy("Network on call")
    await daemon.parts.pagerduty_side.directory.find_workflow("Bridge call")
    await daemon.parts.salesforce_side.client.fetch_limits()
    sf = daemon.parts.salesforce_side.client
    await sf.query(f"SELECT Id, {P}FKCategory__r.Name FROM {INCIDENT}")
    await sf.update(INCIDENT, record_id, {f"{P}shortDescription__c": "a request of its own"})


async def _meet_errors(rig, daemon) -> None:
    pd, sf = daemon.parts.pagerduty_side.client, daemon.parts.salesforce_side.client
    calls = [
        lambda: pd.fetch_incident("PNOSUCH"),
        lambda: pd.send_incident({"type": "incident"}, "nobody@example.com"),
        lambda: sf.query("SELECT Nonsense FROM Case"),
        lambda: sf.create("Case", {"Status": "New", "Nonsense": 1}),
        lambda: sf.fetch_describe("Nonsense"),
    ]
    for call in calls:
        with suppress(RemoteError):
            await call()
    for kind, status in ((FaultKind.ERROR_BEFORE, 503), (FaultKind.TOO_MANY, 429)):
        for faults in (rig.desk.pagerduty_faults, rig.desk.salesforce_faults):
            faults.add(Fault(kind, count=1, status=status))
        for call in (pd.fetch_abilities, sf.fetch_limits):
            with suppress(RemoteError):
                await call()
    rig.sf.expire_tokens()
    with suppress(RemoteError):
        await sf.fetch_limits()


def record(folder: Path, monkeypatch) -> list[Recorded]:
    return anyio.run(_play, folder, monkeypatch)
