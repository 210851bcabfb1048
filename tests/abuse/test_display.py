"""What people read can't be forged: hostile text in everything that comes from outside, through every command.

The commands are found in the program, so that a new one is missed here until it has its row.
"""

import ast
import json
import logging
import os
import pwd
import re
import socket
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
import structlog
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

import pagerforce
from abuse.hostile import BYTES, EVIL, FOR_PEOPLE, UNKEPT, check_json, check_people
from cli.test_commands_page import walk
from cli.test_progress import on_terminal
from inprocess import invoke
from pagerforce.cli.app import app
from pagerforce.observe.log import get_log, setup_log
from pagerforce.observe.metrics import Metrics
from pagerforce.service.control.answer import line_of, progress_line
from pagerforce.service.pages import Condition, front_page
from pagerforce.service.systemd import Notifier
from pagerforce.store.codec import to_stamp
from process import command, open_stage, until
from setup.staged import REPOSITORY

RUNNER = Path(__file__).parents[1] / "control" / "as_user.py"
SOURCE = Path(pagerforce.__file__).parent
P = "BMCServiceDesk__"
INCIDENT = f"{P}Incident__c"
KEPT = EVIL.replace(UNKEPT, "")

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
    "failed retry": [["{action}"], ["{evil}"]],
    "failed discard": [["--all"], ["{evil}"]],
    "log-level": [["debug"], ["{evil}"]],
    "backup": [["{folder}/copy"], ["{folder}/no/{evil}"]],
    "restore": [["{folder}/copy"], ["{rules}"]],
    "init": [["{folder}/{evil}"], ["--region", "{evil}"], ["--instance", "{evil}"]],
}
"""How each command is called; ``restore`` is refused while the daemon runs."""
AGAIN = [("rules show", []), ("log", ["--audit"]), ("links list", [])]
"""Once more at the end: what the commands before have left."""
APART = {"run", "demo", "sandbox"}
"""Those that have a test of their own below."""

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


def in_toml(text):
    """As a basic string of TOML takes it."""
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text)  # fmt: skip


def hostile_rules():
    return RULES % {"evil": in_toml(KEPT)}


def all_commands():
    return {name for name, _ in walk(get_command(app))}


def test_every_command_of_the_program_is_attacked():
    assert set(ASKED) | APART == all_commands()
    assert not set(ASKED) & APART


# A daemon in a hostile world -------------------------------------------------------------------------


async def poison(stage):
    """Brings hostile text into what the daemon reads and keeps; gives the ids to ask for."""
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
    pd.set_title(incident, f"another {KEPT}")  # leaves no entry: drift sees it before the polls do
    return {"incident": incident, "record": record, "action": action}


async def dead_letter(database):
    """Waits until both rules that must fail have; gives one that the other side refused in its own words."""
    found = {}

    def look():
        found.update(database.execute("SELECT id, reason FROM action WHERE state = 'dead_letter'"))
        return len(found) >= 2

    await until(look, "two dead letters", 60)
    return next(key for key, reason in found.items() if "\x1b[31m" in reason)


def pause(database, incident):
    """As the loop limit does, with a hostile reason."""
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
    """The files that commands are given, under names that attack too."""
    rules, broken = folder / f"rules {KEPT.replace('/', '')}.toml", folder / "broken.toml"
    rules.write_text(hostile_rules())
    key = in_toml(KEPT)
    broken.write_text(
        f'[[rulesets]]\n"{key}" = 1\nname = "{key}"\nrules = [ {{ "{key}" = "{key}" }} ]\n'
    )
    return {"rules": str(rules), "broken": str(broken), "folder": str(folder), "evil": EVIL}


def called(names):
    """Every command line of the table, for people and with --json, in the table's order."""
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
    """People's output is plain; JSON is JSON; an error is for people either way."""
    check_people(err, (name, words, "standard error"))
    if "--json" in words:
        check_json(out, (name, words))
    else:
        check_people(out, (name, words))
    assert "Traceback" not in err, (name, words, err)


def hostile_stage_rules():
    """The sandbox's own rules under hostile names, and those that must fail."""
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


async def test_no_command_shows_what_a_terminal_obeys(tmp_path):
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
    # The attack has reached them: a command without any of it proves nothing. What these print is not
    # hostile here; it is in ``spoil_answers``.
    harmless = {"status", "check", "links list", "links resume", "rules rollback", "log-level"}
    spared = {name for name in ASKED if not re.search(r"\\(x1b|u001b)\[31m", "".join(seen[name]))}
    assert spared <= harmless
    assert r"\u202e" in "".join(seen["why"])
    assert r"[bold red]loud :warning: \ttab\r\nPFORGED" in "".join(seen["drift"])
    assert "# revision 1: rules pre\\x1b]0;owned" in "".join(seen["rules show"])
    await anyio.to_thread.run_sync(spoil_answers, lines, answers)
    show_reads_back(lines, answers)


def show_reads_back(lines, answers):
    """What ``rules show`` prints is TOML for the very rules that ``--json`` names."""
    shown, as_json = [
        out
        for (name, words), (_, out, _) in zip(lines, answers, strict=True)
        if name == "rules show" and words[2:] in ([], ["--json"])
    ][:2]
    read = tomllib.loads(shown)
    assert read["rulesets"] == json.loads(as_json)["rulesets"]
    assert read["maps"] == json.loads(as_json)["maps"]


def spoil_answers(lines, answers):
    """Every command once more on its own answer, with every text in it hostile, also those that can't be yet."""
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
    """The same with hostile text added to every text, but for words that the command looks at."""
    if isinstance(value, dict):
        return {name: spoilt(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [spoilt(item, key) for item in value]
    if isinstance(value, str):
        return value if key in {"kind", "event", "code"} else value + EVIL + "\ud800"
    return EVIL if value is None and key in {"problem", "reason", "detail", "waits_for"} else value


@contextmanager
def answering(answer):
    """Has every command answered by this."""
    modules = [module for name, module in sys.modules.items() if name.startswith("pagerforce.cli.")]
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            if hasattr(module, "ask"):
                patch.setattr(module, "ask", lambda *_, **__: answer)
        patch.setattr("pagerforce.cli.check.find_daemon", lambda _: Path("socket"))
        patch.setattr("pagerforce.cli.check.call_daemon", lambda *_: answer)
        yield


# Where no daemon is needed -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_usage_errors_and_file_names_are_quoted_as_text(name, tmp_path):
    words = name.split()
    config = tmp_path / EVIL.replace(UNKEPT, "").replace("/", "")
    config.write_text(
        f'[daemon]\n"{in_toml(KEPT)}" = "{in_toml(KEPT)}"\nmode = "{in_toml(KEPT)}"\n'
    )
    code, out, err = invoke(*words, "--help")
    assert code == 0
    check_people(out + err, "help")
    for arguments in (
        [*words, f"--{EVIL}"],
        [*words, *[EVIL] * 9],
        [*words, "--config"],
        [EVIL],
        [words[0], EVIL],
        [*words, "x", "y", "--config", str(config)],
        [*words, "--config", str(config)],
        [*words, "--config", str(config / "none")],
    ):
        if name in {"demo", "sandbox"} and arguments[-2:] != ["--config"] and len(arguments) == len(words) + 2:  # fmt: skip
            continue  # they have no use for it, and start
        if name == "init" and "--config" in arguments:
            continue
        code, out, err = invoke(*arguments)
        assert code != 0, arguments
        check_people(out + err, arguments)
        assert "Traceback" not in err, (arguments, err)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8", [b"check", b"--config", BYTES]),
        ("utf-8", [b"links", BYTES]),
        ("ascii", [b"init", b"\xe2\x98\x83" + BYTES]),
        ("iso-8859-1", [b"check", b"--config", b"\xe2\x98\x83" + BYTES]),
    ],
)
def test_the_bytes_of_an_argument_are_shown_whatever_the_locale(tmp_path, encoding, words):
    """Bytes that are no UTF-8, and streams that can't take what UTF-8 can: shown, never a traceback."""
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"pagerforce", *words],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        timeout=60,
    )
    text = (done.stdout + done.stderr).decode(encoding)
    check_people(text, (encoding, words))
    assert "Traceback" not in text, text
    assert r"\x1b[31m" in text
    assert r"\udcff" in text


def test_on_a_terminal_too_and_with_colours_that_are_ours(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(f'[daemon]\n"{in_toml(KEPT)}" = 1\n')
    _, shown = on_terminal("check", "--offline", "--config", str(config), code="")
    assert FOR_PEOPLE.search(shown.replace("\r\n", "\n")) is None
    assert r"\x1b[31m" in shown
    table = f"""
from pagerforce.cli.console import out, print_table
print_table([{{"id": {KEPT!r}, "reason": {KEPT!r}}}], ("id", "reason"), "none")
out.line({KEPT!r}, mark="OK", style="green")
"""
    _, shown = on_terminal(code=table, columns="400")
    ours = shown.replace("\r\n", "\n").replace("\x1b[32mOK \x1b[0m", "").replace("\x1b[1m", "")
    assert FOR_PEOPLE.search(ours.replace("\x1b[0m", "")) is None, ours
    assert ":warning:" in shown


def test_the_bar_draws_what_it_is_told_as_text():
    bar = f"""
from pagerforce.cli.progress import Bar
with Bar("x", is_wanted=True) as bar:
    bar._appear()
    bar.show({KEPT!r})
    bar._progress.refresh()
"""
    _, shown = on_terminal(code=bar, columns="600")
    assert r"\x1b]0;owned\x07\x1b[2J" in shown
    assert not re.search("\x1b\\]|\x1b\\[2J|[\x07\x7f-\x9f\u202a-\u202e\u2028\u2029]", shown)


def test_a_pipe_gets_no_colours_whatever_the_environment_wants(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    code = """
from pagerforce.cli.console import out, print_table
out.line("fine", mark="OK", style="green")
out.rule("heading")
print_table([{"id": "1"}], ("id",), "none")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    check_people(done.stdout.decode(), "forced")


async def test_the_sandbox_and_the_demo_show_their_folder_as_text(tmp_path):
    folder = tmp_path / KEPT.replace("/", "")
    ports = ("--pagerduty-port", "0", "--salesforce-port", "0")
    process = await anyio.open_process(
        [sys.executable, "-m", "pagerforce", "sandbox", "--dir", str(folder), *ports]
    )
    text = b""
    try:
        with anyio.fail_after(60):
            async for chunk in process.stdout:
                text += chunk
                if b"Ctrl-C" in text:
                    break
    finally:
        process.terminate()
        await process.wait()
    check_people(text.decode(), "sandbox")
    assert rb"\x1b[31m" in text
    code, out, err = await command("demo", "--rules", str(folder / "none"), "--dir", str(tmp_path))
    assert code == 1
    check_people(out + err, "demo")
    assert r"\x1b[31m" in err
    assert "Traceback" not in err


def test_the_demo_tells_its_story_through_the_same_place():
    story = f"""
import anyio
from pagerforce.cli.display import out
from pagerforce.sandbox.story import Story
async def play():
    story = Story(out)
    story.chapter({KEPT!r})
    story.deed({KEPT!r}, {KEPT!r})
    story.fact({KEPT!r}, None)
    out.line(story.verdict())
anyio.run(play)
"""
    done = subprocess.run(
        [sys.executable, "-c", story], capture_output=True, check=True, timeout=60
    )
    check_people(done.stdout.decode(), "demo")


def test_a_defect_is_reported_with_its_text_shown(monkeypatch):
    def broken(*_):
        raise RuntimeError(KEPT) from KeyError(KEPT)

    monkeypatch.setattr("pagerforce.cli.status.ask", broken)
    code, _, err = invoke("status", "--config", str(REPOSITORY / "config.toml.example"))
    assert code == 1
    assert "RuntimeError" in err
    check_people(err, "traceback")


# The daemon's log, systemd, the page, the metrics --------------------------------------------------------


@pytest.fixture
def logged(tmp_path):
    """Sets the log up and gives what was written."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = (tmp_path / "log").open("w", encoding="utf-8")

    def set_up(form, *, is_journal):
        root.handlers.clear()
        found = os.fstat(stream.fileno())
        name = f"{found.st_dev}:{found.st_ino}" if is_journal else ""
        setup_log("debug", form, stream, environ={"JOURNAL_STREAM": name})

        def text():
            stream.flush()
            return (tmp_path / "log").read_bytes().decode()

        return text

    yield set_up
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    stream.close()


class Hostile:
    def __repr__(self):
        return EVIL


@pytest.mark.parametrize("is_journal", [True, False])
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_value_in_the_log_makes_no_second_line(logged, form, is_journal):
    text = logged(form, is_journal=is_journal)
    log = get_log("test")
    bad = f"x\n<3>ready {EVIL}\ud800"
    log.error("refused", user=bad, command=[bad, {bad: bad}], uid=ValueError(bad))
    log.error("refused", user="\x1b[2J", command=Hostile(), uid=True)
    lines = text().rstrip("\n").split("\n")
    assert len(lines) == 2
    assert "x1b[2J" in lines[1] or "u001b[2J" in lines[1]
    check_people(text(), form)
    if form == "json":
        first = json.loads(lines[0].removeprefix("<3>"))
        assert first["user"] == bad, "what is parsed is what was logged"


@pytest.mark.parametrize("is_journal", [True, False])
def test_what_a_library_says_makes_no_second_line(logged, is_journal):
    text = logged("json", is_journal=is_journal)
    library = logging.getLogger("library")
    library.warning("%s", f"one\n<3>two {EVIL}")
    (line,) = text().rstrip("\n").split("\n")
    error = ValueError(f"one\n<3>two {EVIL}")
    library.error("it failed", exc_info=(ValueError, error, None))
    check_people(text(), "library")
    assert sum("two" in item for item in text().split("\n")) == 2
    assert line.startswith("<4>WARNING" if is_journal else "WARNING")


def test_an_answer_on_the_control_socket_is_one_line_whatever_is_in_it():
    for line in (line_of("result", [EVIL + "\ud800"]), progress_line(EVIL + "\ud800", 0.5)):
        (only,) = line.decode("ascii").splitlines()
        assert EVIL + "\ud800" in (
            json.loads(only).get("progress"),
            *json.loads(only).get("result", ()),
        )


def test_a_status_for_systemd_is_one_assignment(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).send(
            "READY=1", f"STATUS=waiting for {EVIL}\nMAINPID=1"
        )
        text = receiver.recv(65_536).decode()
    assert [line.partition("=")[0] for line in text.split("\n")] == ["READY", "STATUS"]
    check_people(text, "STATUS")


def test_the_page_and_the_metrics_carry_names_as_text():
    metrics = Metrics("1", ["pagerduty.add_note"])
    metrics.declare_rules([(EVIL, EVIL)])
    metrics.count_match(EVIL, EVIL)
    page = front_page(Condition(metrics.registry, [f"<b>{EVIL}"], [EVIL]))
    check_people(page, "page")
    assert "<b>" not in page
    text = generate_latest(metrics.registry).decode()
    check_people(text, "metrics")
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "pagerforce_rule_matches_total"
    ]
    assert [sample.value for sample in samples] == [1.0]


# Nobody goes around it -----------------------------------------------------------------------------------

PRINTING = {"print", "input", "breakpoint", "os.write", "os.writev"}
PRINTING |= {f"sys.{name}" for name in ("stdout", "stderr", "__stdout__", "__stderr__")}
PRINTING |= {f"typer.{name}" for name in ("echo", "secho", "prompt", "confirm", "progressbar")}
LIBRARIES = ("rich", "colorama", "click", "getpass", "readline")
MAY_PRINT = {Path("cli/display.py"), Path("cli/progress.py"), Path("observe/log.py")}


def around(tree):
    """Where a module prints by itself."""
    for node in ast.walk(tree):
        for name in named(node):
            if name in PRINTING or name.split(".")[0] in LIBRARIES:
                yield node.lineno, name


def named(node):
    """What a node imports, or the function or attribute it speaks of."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return [f"{node.value.id}.{node.attr}"]
    if isinstance(node, ast.Import):
        return [item.name for item in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module}.{item.name}" for item in node.names)]
    return []


def test_only_one_place_prints():
    found = {}
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE)
        places = list(around(ast.parse(path.read_text())))
        if places and name not in MAY_PRINT:
            found[str(name)] = places
    assert found == {}


def test_the_check_for_it_sees_each_way_around():
    for code in (
        "print('x')",
        "import sys\nsys.stdout.write('x')",
        "from sys import stderr",
        "import typer\ntyper.echo('x')",
        "from typer import echo",
        "from rich.console import Console",
        "import rich",
        "import os\nos.write(1, b'x')",
    ):
        assert list(around(ast.parse(code))), code
