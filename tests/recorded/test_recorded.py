"""Small inputs in the form of real accounts: read, folded and evaluated by the daemon's own parts.

``pagerduty/NAME.json`` is the content of the log, newest first; ``NAME.expected.json`` has PagerDuty's
state before and after, and the expected result: each entry's type, with the status and the
assignees right after it, and the rules it met. An ``echo`` is not evaluated: it is ``ours``, or PagerDuty
did it without a person (``consequence``).
"""

from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from pagerforce.config.load import load_config
from pagerforce.config.secret import load_secrets
from pagerforce.model.ids import Side
from pagerforce.service.catalog import CATALOG
from pagerforce.service.outside import Outside
from pagerforce.service.wiring import wire
from pagerforce.store import journal
from recorded.replay import Recording, names
from rig import HostClock

OBJECT = "BMCServiceDesk__Incident__c"
CONFIG = """
[daemon]
state_dir = "%(folder)s/state"
control_socket = ""
[metrics]
listen = ""
[pagerduty]
api_url = "https://pagerduty.example.com"
api_key_file = "%(folder)s/pagerduty.key"
from_email = "integration@example.com"
[salesforce]
login_url = "https://salesforce.example.com"
consumer_key = "key"
username = "integration@example.com"
private_key_file = "%(folder)s/salesforce.key"
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "all"
"""
RULE = """
[[rulesets.rules]]
name = "%s"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [{ field = "%s", op = "%s", value = "%s" }]
actions = [%s]
"""
WRITE = (
    '{ do = "salesforce.set_field", field = "BMCServiceDesk__shortDescription__c", value = "x" }'
)
RULES = (
    ("take it", "event.type", "equals", "custom", '{ do = "pagerduty.acknowledge" }'),
    *(
        (f"became {status}", "incident.status", "changed_to", status, WRITE)
        for status in ("triggered", "acknowledged", "resolved")
    ),
)


def lay_out(folder, private_key):
    for name, content in (("salesforce.key", private_key), ("pagerduty.key", b"key")):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    (folder / "state").mkdir()
    path = folder / "config.toml"
    path.write_text(CONFIG % {"folder": folder} + "".join(RULE % rule for rule in RULES))
    return path


class Replay:
    """A daemon that reads a recording, stepped by hand."""

    def __init__(self, recording, parts, clock):
        self.recording = recording
        self.parts = parts
        self.clock = clock

    async def poll_at(self, moment):
        self.clock.advance(max(0.0, (moment - self.recording.now).total_seconds()))
        self.recording.now = moment
        await self.poll()

    async def poll(self):
        await self.parts.pagerduty_reader.poll()
        await self.parts.deliverer.drain()

    async def end(self):
        """Nothing more comes; then the open incidents are compared."""
        await self.poll_at(self.recording.now + timedelta(seconds=30))
        self.parts.pagerduty_reader.reconcile_soon()
        await self.poll_at(self.recording.now + timedelta(minutes=5))

    async def journal(self):
        """The events, each with its line of the log."""
        async with self.parts.database.read() as tx:
            log = await journal.read_log(tx, journal.Filter())
            events = await journal.read_events(tx, [entry["seq"] for entry in log])
        return [(events[entry["seq"]], entry) for entry in log]

    def contradictions(self):
        """How often the incident contradicted its entries."""
        return sum(
            sample.value
            for family in self.parts.metrics.registry.collect()
            if family.name.startswith("pagerforce_contradictions")
            for sample in family.samples
            if sample.name.endswith("_total")
        )


@asynccontextmanager
async def replayed(folder, private_key, name, *, is_included):
    loaded = load_config(lay_out(folder, private_key), catalog=CATALOG, environ={})
    recording = Recording(name, is_included=is_included)
    clock = HostClock(recording.now)
    silent = httpx.MockTransport(lambda _request: httpx.Response(503))
    outside = Outside(transports={Side.PAGERDUTY: recording.transport(), Side.SALESFORCE: silent})
    secrets = load_secrets(loaded.config, {})
    async with wire(loaded, secrets, clock, {}, is_shadow=False, outside=outside) as parts:
        await parts.pagerduty_reader.start()
        replay = Replay(recording, parts, clock)
        await replay.poll()
        yield replay


def shown(event, entry, wanted):
    """The result for an entry, as far as the case specifies it."""
    incident, echo = event.incident, entry["echo_of"]
    found = {
        "entry": event.id.removeprefix("pd:"),
        "type": event.type,
        "status": incident.status and incident.status.value,
        "assignees": sorted(person.id for person in incident.assignees),
    }
    if echo is not None:
        found["echo"] = "consequence" if echo.startswith("(") else "ours"
    if "note" in wanted:
        found["note"] = event.note
    if "message" in wanted:
        found["message"] = event.message
    if "priority" in wanted:
        found["priority"] = incident.priority and incident.priority.name
    return found


async def check(replay):
    expected = replay.recording.expected
    wanted = {item["entry"]: item for item in expected["events"]}
    found, met = [], {}
    for event, entry in await replay.journal():
        entry_id = event.id.removeprefix("pd:")
        found.append(shown(event, entry, wanted.get(entry_id, {})))
        for rule in entry["rules"]:
            if rule["matched"]:
                met.setdefault(rule["rule"], []).append(entry_id)
    if not replay.recording.is_included:  # then nobody knows yet whom a trigger notifies
        for item in (*found, *expected["events"]):
            if item["type"] == "trigger":
                item.pop("assignees")
    assert found == expected["events"]
    assert met == expected["rules"]
    assert replay.contradictions() == 0


def test_every_input_has_its_expected_result_next_to_it():
    assert len(names()) >= 15
    for name in names():
        recording = Recording(name, is_included=True)
        assert recording.entries, name
        assert recording.expected["events"], name


@pytest.mark.parametrize("name", names())
async def test_what_comes_in_one_poll(tmp_path, private_key, name):
    """All of it at once, so that the returned incident is the final one."""
    await play_at_once(tmp_path, private_key, name, is_included=True)


@pytest.mark.parametrize("name", names())
async def test_what_comes_in_one_poll_without_the_incident(tmp_path, private_key, name):
    await play_at_once(tmp_path, private_key, name, is_included=False)


async def play_at_once(tmp_path, private_key, name, *, is_included):
    async with replayed(tmp_path, private_key, name, is_included=is_included) as replay:
        recording = replay.recording
        if recording.prelude:
            await replay.poll_at(recording.times()[0] + timedelta(seconds=1))
        recording.is_over = True
        await replay.poll_at(recording.times()[-1] + timedelta(seconds=1))
        await replay.end()
        await check(replay)


@pytest.mark.parametrize("name", names())
async def test_what_comes_second_by_second(tmp_path, private_key, name):
    """A poll after each second with an event."""
    async with replayed(tmp_path, private_key, name, is_included=False) as replay:
        recording = replay.recording
        for moment in recording.times():
            recording.is_over = recording.is_over or moment == recording.times()[-1]
            await replay.poll_at(moment + timedelta(milliseconds=900))
        await replay.end()
        await check(replay)
