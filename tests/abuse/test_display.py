"""Output for people can't be forged: hostile text in all data from outside, through every command.

The list of commands comes from the program: a new command without a row here fails the test.
"""

import json
import os
import pwd
import re
import sqlite3
import sys
import tomllib
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from typer.main import get_command

import pagerforce
from abuse.hostile import EVIL, KEPT, UNKEPT, check_json, check_people, in_toml
from cli.test_commands_page import walk
from inprocess import invoke
from pagerforce.cli.app import app
from pagerforce.store.codec import to_stamp
from process import open_stage, until
from setup.staged import REPOSITORY

RUNNER = Path(__file__).parents[1] / "control" / "as_user.py"
SOURCE = Path(pagerforce.__file__).parent
P = "BMCServiceDesk__"
INCIDENT = f"{P}Incident__c"

ASKED = {
    "status": [[]],
    "log": [[], ["--audit"], ["--incident", "{incident}"], ["--record", "{record}"]],
    "why": [["{action}"], ["{evil}"]],
    "failed list": [[]],
    "failed show": [["{action}"], ["{evil}"]],
    "links list": [[]],
    "links show": [["{incident}"], ["{record}"], ["{evil}"]],
    "rules list": [[]],
    "rules show": [[], ["{evil}"]],
    "rules check": [["{rules}"], ["{broken}"], ["{evil}"]],
    "simulate": [["--rules", "{rules}"], ["--rules", "{broken}"], ["--events", "{evil}"]],
    "check": [[], ["--offline", "--plan"]],
    "drift": [["--all"]],
    "rules apply": [["{rules}"], ["{broken}"]],
    "links edit": [
        ["{incident}", "{record}", "--state", "inactive"],
        ["{evil}", "{evil}", "--state", "active"],
    ],
    "links add": [["{incident}", "{record}"], ["{evil}", "{evil}"]],
    "links remove": [["{evil}", "{record}"], ["{incident}", "{record}"]],
    "links resume": [["{incident}"], ["{evil}"]],
    "rules rollback": [[]],
    "test": [["{evil}"], ["{service}", "--timeout", "0.1"]],
    "verify": [["{service}"], ["{evil}", "--yes", "--report", "{folder}/report"]],
    "failed retry": [["{action}"], ["{evil}"]],
    "failed discard": [["--all"], ["{evil}"]],
    "log-level": [["debug"], ["{evil}"]],
    "backup": [["{folder}/copy"], ["{folder}/no/{evil}"]],
    "restore": [["{folder}/copy"], ["{rules}"]],
    "state copy": [
        ["--to", "sqlite://{folder}/{evil}"],
        ["--to", "{evil}", "--connection", "{evil}"],
    ],
    "init": [["{folder}/{evil}"], ["--region", "{evil}"], ["--instance", "{evil}"]],
}
"""The arguments of each command; ``restore`` is refused while the daemon runs."""
AGAIN = [("rules show", []), ("log", ["--audit"]), ("links list", [])]
"""Once more at the end: the results of the commands before."""
APART = {"run", "demo", "sandbox"}
"""Commands with a test of their own below."""

SERVICE_MAPPING = """
[[service_mappings]]
name = "Databases"
object = "BMCServiceDesk__Incident__c"
field = "BMCServiceDesk__FKCategory__c"
value = { lookup = { Name = "Database" } }
service = "PDBA001"
inbound = false
"""

RULES = """
[[rulesets]]
name = "Remedyforce to PagerDuty %(evil)s"
[[rulesets.rules]]
name = "Page for priority 1 %(evil)s"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [
  { field = "record.BMCServiceDesk__FKPriority__r.Name", op = "equals", value = "1" },
  { field = "record.BMCServiceDesk__shortDescription__c", op = "not_equals", value = "%(evil)s" },
]
actions = [ { do = "pagerduty.create_incident", title = "{{ record.BMCServiceDesk__shortDescription__c }} %(evil)s" } ]
[[rulesets.rules]]
name = "Dies of a title %(evil)s"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [ { field = "event.type", op = "equals", value = "acknowledge" } ]
actions = [ { do = "pagerduty.add_note", text = "{{ incident.title | translate('floor') }}" } ]
[[rulesets.rules]]
name = "Refused by the other side %(evil)s"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [ { field = "event.type", op = "equals", value = "acknowledge" } ]
actions = [ { do = "salesforce.set_field", field = "BMCServiceDesk__incidentResolution__c", value = "{{ incident.title }}" } ]
[maps.floor]
"%(evil)s" = "2"
"""


def hostile_rules():
    return RULES % {"evil": in_toml(KEPT)}


def all_commands():
    return {name for name, _ in walk(get_command(app))}


def test_every_command_of_the_program_is_attacked():
    assert set(ASKED) | APART == all_commands()
    assert not set(ASKED) & APART


# A daemon in a hostile world -------------------------------------------------------------------------


async def poison(stage):
    """Puts hostile text into what the daemon reads and stores; returns the ids for the commands."""
    sf, pd = stage.desk.salesforce, stage.desk.pagerduty
    for user in pd.state.directory.users.values():
        user.name = f"{user.name} {KEPT}"
    pd.state.directory.services["PDBA001"].name = f"Database {KEPT}"
    values = {
        f"{P}shortDescription__c": KEPT,
        f"{P}FKCategory__c": sf.find_id(f"{P}Category__c", Name="Network"),
        f"{P}FKPriority__c": sf.find_id(f"{P}Priority__c", Name="1"),
    }
    record = sf.insert(INCIDENT, values)
    await until(lambda: len(pd.incidents()) == 1, "a page", 60)
    incident = pd.incidents()[0]["id"]
    name = f"{P}incidentResolution__c"
    sf.add_rule(INCIDENT, lambda draft, _: KEPT if draft.values.get(name) else None)
    pd.acknowledge(incident, by="PJANE01")
    pd.annotate(incident, KEPT, by="PJANE01")
    with closing(sqlite3.connect(stage.desk.folder / "state" / "pagerforce.db")) as database:
        action = await dead_letter(database)
        pause(database, incident)
    pd.set_title(
        incident, f"another {KEPT}"
    )  # creates no log entry: drift sees it before the polls do
    return {"incident": incident, "record": record, "action": action}


async def dead_letter(database):
    """Waits until both rules that must fail have failed; returns an action that the other side refused."""
    found = {}

    def look():
        found.update(database.execute("SELECT id, reason FROM action WHERE state = 'dead_letter'"))
        return len(found) >= 2

    await until(look, "two dead letters", 60)
    return next(key for key, reason in found.items() if "[31m" in reason)


def pause(database, incident):
    """Pauses a link as the loop limit does, with a hostile reason."""
    ((lane,),) = database.execute("SELECT lane FROM lane_member WHERE member = ?", (incident,))
    now = datetime.now(UTC)
    evidence = [dict.fromkeys(("at", "action_id", "action", "ruleset", "rule"), KEPT)]
    values = (lane, to_stamp(now), to_stamp(now + timedelta(hours=1)), KEPT, json.dumps(evidence))
    with database:
        database.execute(
            "INSERT INTO pause (lane, began_at, until, reason, evidence) VALUES (?, ?, ?, ?, ?)",
            values,
        )


def lay_out(folder):
    """Writes the files that the commands read, with hostile names too."""
    rules, broken = folder / f"rules {KEPT.replace('/', '')}.toml", folder / "broken.toml"
    rules.write_text(hostile_rules())
    key = in_toml(KEPT)
    broken.write_text(
        f'[[rulesets]]\n"{key}" = 1\nname = "{key}"\nrules = [ {{ "{key}" = "{key}" }} ]\n'
    )
    return {"rules": str(rules), "broken": str(broken), "folder": str(folder), "evil": EVIL}


def called(names):
    """Every command line of the table, as text and with --json, in the table's order."""
    for name, way in [(name, way) for name, ways in ASKED.items() for way in ways] + AGAIN:
        words = [*name.split(), *(word.format_map(names) for word in way)]
        if any(UNKEPT in word for word in words) and name in {"simulate", "rules check", "init", "backup"}:  # fmt: skip
            words = [word.replace(UNKEPT, "") for word in words]
        yield name, words
        yield name, [*words, "--json"]


async def run_all(commands, config, folder):
    given = [[*words, "--config", str(config)] for words in commands]
    with anyio.fail_after(400):
        done = await anyio.run_process(
            [sys.executable, str(RUNNER), pwd.getpwuid(os.geteuid()).pw_name],
            input=json.dumps(given).encode(),
            env={**os.environ, "COLUMNS": "200", "NO_PROXY": "127.0.0.1"},
            cwd=folder,
        )
    return json.loads(done.stdout)


def judge(name, words, out, err):
    """Output for people is plain, --json is JSON, and an error is plain text either way."""
    check_people(err, (name, words, "standard error"))
    if "--json" in words:
        check_json(out, (name, words))
    else:
        check_people(out, (name, words))
    assert "Traceback" not in err, (name, words, err)


def hostile_stage_rules():
    """The sandbox's own rules with hostile names, and the rules that must fail."""
    own = (SOURCE / "sandbox" / "rules.toml").read_text()
    head, *rulesets = own.split("[[rulesets]]")
    named = "[[rulesets]]".join(["", *rulesets]).replace(
        'name = "', f'name = "{in_toml(KEPT[:60])} '
    )
    named = named.replace(f'Name = "{in_toml(KEPT[:60])} ', 'Name = "')
    extra = hostile_rules().replace("[[rulesets]]", "", 1)
    rules = extra[extra.index('[[rulesets.rules]]\nname = "Dies') :]
    mapping = SERVICE_MAPPING
    return head + mapping + named + f'\n[[rulesets]]\nname = "Bad {in_toml(KEPT)}"\n' + rules


async def test_no_command_shows_control_characters(tmp_path):
    """Everything from outside is hostile: users, titles, notes, rules, file names, reasons, arguments."""
    async with (
        open_stage(tmp_path, rules=hostile_stage_rules()) as stage,
        stage.daemon() as running,
    ):
        await running.ready(60)
        names = await poison(stage) | lay_out(tmp_path) | {"service": "PDBA001"}
        lines = list(called(names))
        answers = await run_all([words for _, words in lines], stage.desk.config, tmp_path)
        front = (await running.get("/")).text
        metrics = (await running.get("/metrics")).text
        await running.stop()
        log = running.log.read_text()
    seen = {}
    for (name, words), (_, out, err) in zip(lines, answers, strict=True):
        judge(name, words, out, err)
        seen.setdefault(name, []).append(out + err)
    check_people(front, "the page")
    check_people(metrics, "the metrics")
    check_json(log, "the log")
    # The hostile text has reached them: without it a command proves nothing. The output of these has none
    # here; ``spoil_answers`` covers it. While the daemon runs, a restore and a copy are refused first.
    harmless = {"status", "check", "links list", "links resume", "rules rollback", "log-level"}
    harmless |= {"restore", "state copy"}
    spared = {name for name in ASKED if not re.search(r"\\(x1b|u001b)\[31m", "".join(seen[name]))}
    assert spared <= harmless
    assert r"\u202e" in "".join(seen["why"])
    assert r"[bold red]loud :warning: \ttab\r\nPFORGED" in "".join(seen["drift"])
    assert "# revision 1: rules pre\\x1b]0;owned" in "".join(seen["rules show"])
    await anyio.to_thread.run_sync(spoil_answers, lines, answers)
    show_reads_back(lines, answers)


def show_reads_back(lines, answers):
    """``rules show`` prints TOML that loads as the same rules that ``--json`` shows."""
    shown, as_json = [
        out
        for (name, words), (_, out, _) in zip(lines, answers, strict=True)
        if name == "rules show" and words[2:] in ([], ["--json"])
    ][:2]
    read = tomllib.loads(shown)
    assert read["rulesets"] == json.loads(as_json)["rulesets"]
    assert read["maps"] == json.loads(as_json)["maps"]


def spoil_answers(lines, answers):
    """Runs every command again on its own answer with hostile text in each string of it."""
    tried = set()
    for (name, words), (code, out, _) in zip(lines, answers, strict=True):
        if "--json" in words and code == 0 and out and name not in {"backup", "init", "restore"}:
            found = [spoilt(json.loads(line)) for line in out.split("\n") if line]
            answer = {"entries": found, "after": 0, "more": False} if name == "log" else found[0]
            plain = [word for word in words if word != "--json"]
            with answering(answer):
                _, *shown = invoke(*plain, "--config", str(REPOSITORY / "config.toml.example"))
            judge(name, plain, *shown)
            tried.add(name)
    assert {
        "status",
        "log",
        "why",
        "failed list",
        "links show",
        "drift",
        "check",
        "rules apply",
    } <= tried


def spoilt(value, key=""):
    """The same with hostile text added to each string, except words that the command evaluates."""
    if isinstance(value, dict):
        return {name: spoilt(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [spoilt(item, key) for item in value]
    if isinstance(value, str):
        return value if key in {"kind", "event", "code"} else value + EVIL + "\ud800"
    return EVIL if value is None and key in {"problem", "reason", "detail", "waits_for"} else value


@contextmanager
def answering(answer):
    """Every command gets this answer."""
    modules = [module for name, module in sys.modules.items() if name.startswith("pagerforce.cli.")]
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            if hasattr(module, "ask"):
                patch.setattr(module, "ask", lambda *_, **__: answer)
        patch.setattr("pagerforce.cli.check.find_daemon", lambda _: Path("socket"))
        patch.setattr("pagerforce.cli.check.call_daemon", lambda *_: answer)
        yield
