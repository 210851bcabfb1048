"""``docs/reference/commands.md``: every example is run, against a running daemon and the sandbox.

A block that starts with ```` ```console ```` is run, command after command, in one story; blocks
with ```` ```console stopped ```` run after it, without the daemon. The output must contain each shown
line, once ids, times and numbers are normalised, or for JSON the keys at every level. A line ``...``
stands for omitted lines.
"""

import json
import os
import pwd
import shlex
import sys
from pathlib import Path

import anyio
from typer.main import get_command

from pagerforce.cli.app import app
from process import open_stage, until
from shown import alike, examples, renamed

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
RUNNER = Path(__file__).parents[1] / "control" / "as_user.py"
INCIDENT = "BMCServiceDesk__Incident__c"
P = "BMCServiceDesk__"
# Names on the page, and their names in the story below.
NAMES = {
    "incident": "QABC123DEF456G",
    "record": "a0R000000000001EAA",
    "action": "a0123456789abcdef012",
    "folder": "/srv/moved",
}
EXTRA = """
[[rulesets]]
name = "Notes"
[[rulesets.rules]]
name = "Tell which floor"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [ { field = "event.type", op = "equals", value = "acknowledge" } ]
actions = [ { do = "pagerduty.add_note", text = "{{ incident.title | translate('floor') }}" } ]
[maps.floor]
"Core switch down" = "2"
"""
QUIET = """
[[rulesets]]
name = "Quiet"
[[rulesets.rules]]
name = "Page quietly"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [ { field = "record.BMCServiceDesk__FKPriority__r.Name", op = "equals", value = "1" } ]
actions = [ { do = "pagerduty.create_incident", title = "{{ record.Name }}", urgency = "low" } ]
"""


def shape(value):
    """The keys of JSON at every level; of a list those of its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def is_shown(wanted, real):
    """Whether everything on the page is in the output; an empty value on the page may have content."""
    if wanted == {}:  # omitted on the page
        return isinstance(real, dict)
    if isinstance(wanted, dict) and isinstance(real, dict):
        return wanted.keys() == real.keys() and all(is_shown(v, real[k]) for k, v in wanted.items())
    if isinstance(wanted, list) and isinstance(real, list):
        return is_shown(wanted[0], real[0])
    return True


async def story(stage):
    """A page, acknowledged: one link, one dead letter. Returns the ids."""
    sf, pd = stage.desk.salesforce, stage.desk.pagerduty
    values = {
        f"{P}shortDescription__c": "Printer on fire",
        f"{P}FKCategory__c": sf.find_id(f"{P}Category__c", Name="Network"),
        f"{P}FKPriority__c": sf.find_id(f"{P}Priority__c", Name="1"),
    }
    record_id = sf.insert(INCIDENT, values)
    await until(lambda: len(pd.incidents()) == 1, "a page", 60)
    incident_id = pd.incidents()[0]["id"]
    pd.acknowledge(incident_id, by="PJANE01")

    def status():
        return sf.row(f"{P}Status__c", sf.row(INCIDENT, record_id)[f"{P}FKStatus__c"])["Name"]

    await until(lambda: status() == "ACKNOWLEDGED", "the acknowledgement", 60)
    return {"incident": incident_id, "record": record_id}


async def run_all(lines, config, folder):
    commands = [[*shlex.split(line)[1:], "--config", str(config)] for line in lines]
    with anyio.fail_after(300):
        done = await anyio.run_process(
            [sys.executable, str(RUNNER), pwd.getpwuid(os.geteuid()).pw_name],
            input=json.dumps(commands).encode(),
            env={**os.environ, "COLUMNS": "200"},
            cwd=folder,
        )
    return json.loads(done.stdout)


async def play(tmp_path):
    """Runs every example; returns (command line, shown lines, exit code, output)."""
    async with open_stage(tmp_path) as stage:
        rules = stage.desk.folder / "rules.d" / "rules.toml"
        rules.write_text(rules.read_text() + EXTRA)
        (tmp_path / "quiet.toml").write_text(QUIET)
        async with stage.daemon() as running:
            await running.ready(60)
            ids = await story(stage) | {"folder": str(tmp_path / "moved")}
            config = stage.desk.config
            ((_, out, _),) = await run_all(["pagerforce failed list --json"], config, tmp_path)
            ids["action"] = json.loads(out)[0]["id"]
            played = await run_page("console", ids, config, tmp_path)
            await running.stop()
        return played + await run_page("console stopped", ids, config, tmp_path)


async def run_page(mark, ids, config, folder):
    wanted = examples(PAGE.read_text(), mark)
    assert wanted, mark
    answers = await run_all([renamed(x, NAMES, ids) for x, _ in wanted], config, folder)
    return [
        (line, shown, code, out + err)
        for (line, shown), (code, out, err) in zip(wanted, answers, strict=True)
    ]


async def test_every_example_shows_what_it_really_prints(tmp_path):
    for line, shown, code, output in await play(tmp_path):
        assert code == 0, (line, output)
        real = output.splitlines()
        if shown and shown[0].startswith(("{", "[")):
            assert is_shown(shape(json.loads(shown[0])), shape(json.loads(real[0]))), (
                line,
                real[0],
            )
            continue
        there = {alike(item) for item in real}
        for item in shown:
            assert item == "..." or alike(item) in there, (line, item, output)


def test_every_command_has_an_example_here_and_in_its_help():
    text = PAGE.read_text()
    for name, command in walk(get_command(app)):
        assert f"$ pagerforce {name}" in text, name
        assert f"Example: pagerforce {name}" in (command.help or ""), name


def walk(group, prefix=""):
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from walk(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


if __name__ == "__main__":  # prints the examples with their real output, to be copied to the page
    import tempfile

    async def show():
        with tempfile.TemporaryDirectory() as name:
            for line, _, code, output in await play(Path(name)):
                print(f"$ {line}   [{code}]\n{output}")  # noqa: T201

    anyio.run(show)
