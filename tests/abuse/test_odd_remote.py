"""The real daemon while a proxy changes the answers of a real sandbox.

``ABUSE=10``: 1,000 changed answers per side. ``ABUSE_SEED=7``: others.
"""

import json
import os
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from fuzz.oddity import make_odd
from fuzz.proxy import open_proxy
from process import command, open_stage
from rig import HISTORY, INCIDENT, JANE, RAJ, P

ABUSE = int(os.environ.get("ABUSE", "1"))
SEED = os.environ.get("ABUSE_SEED", "0")
ANSWERS = min(100 * ABUSE, 1000) if ABUSE > 1 else 40
TURN = 10 if ABUSE == 1 else 20  # tenths of a second
PAIRS = 2 if ABUSE == 1 else 6
MIB = 1 << 20
LIMIT = 512 * MIB
PATIENCE = 180.0 + 240 * ABUSE


class Story:
    """What people do on both sides."""

    def __init__(self, desk) -> None:
        self.desk = desk
        self.pd, self.sf = desk.pagerduty, desk.salesforce
        self.count = 0
        self.records: dict[str, str] = {}
        self.said: set[str] = set()
        self.pairs: list[tuple[str, str]] = []

    def _id(self, kind: str, name: str) -> str:
        return self.sf.find_id(f"{P}{kind}__c", Name=name)

    def page(self) -> str:
        """A record of the highest priority: the rules create an incident."""
        self.count += 1
        title = f"trouble {self.count}"
        values = {
            f"{P}shortDescription__c": title,
            f"{P}FKCategory__c": self._id("Category", "Network"),
            f"{P}FKPriority__c": self._id("Priority", "1"),
            f"{P}FKStatus__c": self._id("Status", "NEW"),
        }
        self.records[title] = self.sf.insert(INCIDENT, values, by=RAJ)
        return title

    def talk(self) -> None:
        """A comment and a note for each linked pair."""
        for number, (record_id, incident_id) in enumerate(self.pairs):
            values = {
                f"{P}FKIncident__c": record_id,
                f"{P}FKAction__c": self._id("Action", "Notes"),
                f"{P}note__c": f"comment {self.count} {number}",
            }
            self.sf.insert(HISTORY, values, by=RAJ)
            self.pd.annotate(incident_id, f"note {self.count} {number}", by=JANE)
            self.said |= {f"note {self.count} {number}", f"comment {self.count} {number}"}

    def pages(self) -> Counter[str]:
        """The number of incidents for each trouble."""
        titles = (incident["title"] for incident in self.pd.incidents())
        return Counter(title.rpartition(": ")[2] for title in titles)

    def copies(self) -> Counter[str]:
        """How often each text was copied."""
        notes = [
            note["content"] for item in self.pd.incidents() for note in self.pd.notes(item["id"])
        ]
        bodies = [row[f"{P}note__c"] for row in self.sf.rows(HISTORY)]
        return Counter(text.rpartition("] ")[2] for text in (*notes, *bodies))


def peak_of(pid: int) -> int:
    """The most memory a process has had, in bytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


async def eventually(look, what, seconds=PATIENCE):
    with anyio.move_on_after(seconds):
        while not look():
            await anyio.sleep(0.1)
        return
    raise AssertionError(f"not within {seconds} s: {what()}")


async def test_odd_answers_cost_time_and_nothing_else(tmp_path):
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(open_stage(tmp_path))
        desk = stage.desk
        proxies = {}
        for side, url in (("pagerduty", desk.pagerduty_url), ("salesforce", desk.salesforce_url)):
            opening = open_proxy(url, make_odd, f"{side} {SEED}")
            proxies[side] = await stack.enter_async_context(opening)
            stage.edit(url, proxies[side].url)
        stage.edit("[salesforce]\n", "[salesforce]\ndaily_call_budget = 100000000\n")
        # A failing side is polled ever more rarely, up to this multiple of the interval.
        stage.edit('poll_interval = "0.3s"', 'poll_interval = "0.1s"')
        # People do more here in a minute than on one link in a day.
        stage.edit("[pagerduty]\n", "[delivery]\nloop_limit = 10000\n\n[pagerduty]\n")
        story = Story(desk)
        async with stage.daemon() as running:
            await running.ready()
            for side, other in (("pagerduty", "salesforce"), ("salesforce", "pagerduty")):
                await _fuzz(running, story, proxies[side], other)
            await _settle(running, story)
            peak = peak_of(running.process.pid)
            assert peak < LIMIT, peak / MIB
            counts = {side: (proxy.seen, proxy.changed) for side, proxy in proxies.items()}
            (tmp_path / "figures.json").write_text(json.dumps({**counts, "peak_mib": peak // MIB}))
            await running.stop()
            assert running.process.returncode == 0
        for words in (("status",), ("log", "--json"), ("failed", "list"), ("links", "list")):
            code, _, err = await command(*words, config=desk.config)
            assert code == 0, (words, err)
            assert "Traceback" not in err
        async with stage.daemon() as running:
            await running.ready()
            title = story.page()
            await eventually(lambda: story.pages()[title] == 1, story.pages)
            code, out, _ = await command("status", "--json", config=desk.config)
            assert code == 0
            assert json.loads(out)["outbox"]["unreadable"] == {}
            await running.stop()


async def sample(running, name, **labels):
    """A metric of the daemon; its answer may take a while on a slow machine."""
    for _ in range(30):
        value = await running.sample(name, **labels)
        if value is not None:
            return value
    raise AssertionError(f"no answer: {name}")


async def _fuzz(running, story, proxy, other):
    """Changes the answers of one side, while work on the other side must continue."""
    await _is_up(running, other)  # its answers may have been changed until now
    story.pairs = [await _pair(running, story) for _ in range(PAIRS)]
    proxy.is_on = True
    before = await sample(running, "last_success_timestamp_seconds", source=other)
    goal = proxy.changed + ANSWERS
    with anyio.fail_after(PATIENCE):
        while proxy.changed < goal:
            story.page()
            story.talk()
            for _ in range(TURN):
                await anyio.sleep(0.1)
                assert running.process.returncode is None, running.log.read_text()[-5000:]
            up = await sample(running, "source_up", source=other)
            assert up == 1, f"{other} went down while the other side was odd"
    proxy.is_on = False
    after = await sample(running, "last_success_timestamp_seconds", source=other)
    assert after > before


async def _is_up(running, source):
    with anyio.fail_after(PATIENCE):
        while await sample(running, "source_up", source=source) != 1:
            await anyio.sleep(0.1)


async def _pair(running, story):
    """A record and its incident, linked."""
    links = await sample(running, "links")
    title = story.page()
    await eventually(lambda: story.pages()[title] == 1, story.pages)
    while await sample(running, "links") == links:
        await anyio.sleep(0.1)
    return story.records[title], story.pd.incidents()[-1]["id"]


async def _settle(running, story):
    """With valid answers again, both sides agree on everything that happened: each exactly once."""
    pages = Counter(story.records.keys())
    await eventually(lambda: story.pages() >= pages, lambda: pages - story.pages())

    def missing() -> set[str]:
        copies = story.copies()
        return {text for text in story.said if copies[text] < 2}

    await eventually(lambda: not missing(), missing)
    assert story.pages() == pages
    twice = {
        text: times for text, times in story.copies().items() if times != 2 and text in story.said
    }
    assert twice == {}
    assert await sample(running, "dead_letters") == 0
    assert "internal_error" not in running.log.read_text()


@pytest.fixture(autouse=True)
def anyio_backend():
    return "asyncio"
