"""``docs/runbook.md``: its commands run in the situation they are for, and print what it shows.

A block that starts with ```` ```console NAME ```` is run in the situation of that name below, line after
line in a shell, against a real daemon and the sandbox. Commands of other programs (systemctl,
journalctl) are in blocks without a name.
"""

import json
import os
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import ANY

import anyio
import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from process import open_stage, until
from shown import alike, examples, renamed

pytestmark = pytest.mark.monitoring

PAGE = Path(__file__).parents[2] / "docs" / "runbook.md"
INCIDENT, P = "BMCServiceDesk__Incident__c", "BMCServiceDesk__"
# The page's names.
NAMES = {
    "incident": "QABC123DEF456G",
    "record": "a0R000000000001EAA",
    "action": "a0123456789abcdef012",
}
ADDRESS = "http://127.0.0.1:9479"
ANSWERING = f"""
[[rulesets]]
name = "Notes"
[[rulesets.rules]]
name = "Answer every note"
object = "{INCIDENT}"
run_on = "pagerduty"
conditions = [{{ field = "event.type", op = "equals", value = "annotate" }}]
actions = [{{ do = "pagerduty.add_note", text = "seen by us" }}]
"""


class Scene:
    """A running daemon with a problem."""

    def __init__(self, stage, running):
        self.stage, self.running = stage, running
        self.sf, self.pd = stage.desk.salesforce, stage.desk.pagerduty
        self.ids = {}

    def open_record(self, priority="1"):
        values = {
            f"{P}shortDescription__c": "Core switch down",
            f"{P}FKCategory__c": self.sf.find_id(f"{P}Category__c", Name="Network"),
            f"{P}FKPriority__c": self.sf.find_id(f"{P}Priority__c", Name=priority),
        }
        self.ids["record"] = self.sf.insert(INCIDENT, values, by="raj.patel@example.com")

    async def page(self):
        self.open_record()
        await until(lambda: len(self.pd.incidents()) == 1, "a page")
        self.ids["incident"] = self.pd.incidents()[0]["id"]

    async def action(self, outcome):
        """Waits for an action with this outcome."""
        with anyio.fail_after(60):
            while "action" not in self.ids:
                _, out, _ = await self.run("pagerforce log --json")
                for entry in map(json.loads, out.splitlines()):
                    for one in entry["actions"]:
                        if one["outcome"] == outcome:
                            self.ids["action"] = one["action_id"]
                await anyio.sleep(0.1)

    async def count(self, name, wanted, **labels):
        with anyio.fail_after(60):
            while (await self.running.sample(name, **labels) or 0) < wanted:
                await anyio.sleep(0.1)

    async def run(self, line):
        line = renamed(line, NAMES, self.ids).replace(ADDRESS, self.stage.url)
        with anyio.fail_after(60):
            done = await anyio.run_process(
                ["bash", "-c", line],
                check=False,
                cwd=self.stage.desk.folder,
                env={**os.environ, "PATH": f"{self.stage.desk.folder}/bin:{os.environ['PATH']}"}
                | {"COLUMNS": "200", "NO_PROXY": "127.0.0.1"},
            )
        desk, shown = self.stage.desk, [done.stdout.decode(), done.stderr.decode()]
        for old, new in (
            (desk.pagerduty_url, "https://api.pagerduty.com"),
            (desk.salesforce_url, "https://acme.my.salesforce.com"),
        ):
            shown = [text.replace(old, new) for text in shown]
        return done.returncode, *shown


async def well(scene):
    await scene.page()


async def pagerduty_down(scene):
    await scene.page()
    scene.stage.desk.pagerduty_faults.add(
        Fault(FaultKind.ERROR_BEFORE, count=1_000_000, status=503)
    )
    scene.open_record()
    await scene.action("pending")
    await scene.count("poll_failures", 3, source="pagerduty")


async def credentials_refused(scene):
    scene.stage.desk.pagerduty_faults.add(
        Fault(FaultKind.ERROR_BEFORE, count=1_000_000, status=401)
    )
    await scene.count("poll_failures", 1, source="pagerduty")


async def page_lost(scene):
    scene.stage.desk.pagerduty_faults.add(
        Fault(FaultKind.ERROR_BEFORE, count=2, method="POST", path="/incidents$", status=400)
    )
    scene.open_record()
    await scene.count("dead_letters", 1)
    await scene.action("dead_letter")


async def paused(scene):
    await scene.page()
    scene.pd.annotate(scene.ids["incident"], "who takes it?", by="PJANE01")
    for number in range(4):
        scene.pd.annotate(scene.ids["incident"], f"me {number}", by="PJANE01")
    await scene.count("links_paused", 1)


async def apart(scene):
    """A rule that came into force after the change that it covers."""
    text = (scene.stage.desk.folder / "rules.d" / "rules.toml").read_text()
    rules = text[
        text.index("[[rulesets]]") : text.index('[[rulesets.rules]]\nname = "Acknowledged"')
    ]
    (scene.stage.desk.folder / "fewer.toml").write_text(rules)
    assert await scene.run("pagerforce rules apply fewer.toml") == (0, ANY, "")
    await scene.page()
    scene.pd.acknowledge(scene.ids["incident"], by="PJANE01")
    with anyio.fail_after(60):
        while " acknowledge " not in (await scene.run("pagerforce log"))[1]:
            await anyio.sleep(0.1)
    assert await scene.run("pagerforce rules rollback") == (0, ANY, "")


SITUATIONS = {
    "well": well,
    "pagerduty-down": pagerduty_down,
    "credentials-refused": credentials_refused,
    "page-lost": page_lost,
    "paused": paused,
    "apart": apart,
}


@asynccontextmanager
async def open_scene(folder, name):
    async with open_stage(folder) as stage:
        desk = stage.desk
        if name == "paused":
            rules = desk.folder / "rules.d" / "rules.toml"
            rules.write_text(rules.read_text() + ANSWERING)
            desk.config.write_text(desk.config.read_text() + "\n[delivery]\nloop_limit = 4\n")
        program = desk.folder / "bin" / "pagerforce"
        program.parent.mkdir()
        program.write_text(
            f'#!/bin/sh\nexec {sys.executable} -m pagerforce "$@" --config {desk.config}\n'
        )
        program.chmod(0o755)
        async with stage.daemon() as running:
            await running.ready(60)
            yield Scene(stage, running)


async def play(folder, name):
    """(command line, shown lines, real output) of each example of a situation."""
    async with open_scene(folder, name) as scene:
        await SITUATIONS[name](scene)
        return [
            (line, shown, await scene.run(line))
            for line, shown in examples(PAGE.read_text(), f"console {name}")
        ]


@pytest.mark.parametrize("name", SITUATIONS)
async def test_the_commands_of_a_situation_print_what_the_page_shows(tmp_path, name):
    played = await play(tmp_path, name)
    assert played, "no example on the page"
    for line, shown, (_, out, err) in played:
        there = {alike(item) for item in (out + err).splitlines()}
        assert shown, f"the page does not show what {line} prints"
        for item in shown:
            assert item == "..." or alike(item) in there, (line, item, out + err)


def test_no_example_is_in_a_situation_that_does_not_exist():
    named = set(re.findall(r"^```console (\S+)$", PAGE.read_text(), re.MULTILINE))
    assert named == set(SITUATIONS)


def test_all_pagerforce_commands_are_run():
    """A block without a name is for other programs only."""
    for block in re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        assert "$ pagerforce" not in block, block


if __name__ == "__main__":  # prints the examples with their real output, to be copied to the page
    import tempfile

    async def show():
        for name in SITUATIONS:
            with tempfile.TemporaryDirectory() as folder:
                for line, _, (code, out, err) in await play(Path(folder), name):
                    print(f"[{name}] $ {line}   [{code}]\n{out}{err}")  # noqa: T201

    anyio.run(show)
