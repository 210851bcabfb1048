"""Secrets do not leak: after a full life at debug level no output or file contains them.

Searched: what the daemon wrote and logged, its database with all side files, its metrics and
probes, its command line in the process list, and what every command printed. Customers' text must be
neither in the log nor in the metrics.
"""

import signal
from pathlib import Path

import anyio
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pagerforce.sandbox.faults import Fault, FaultKind
from process import command, open_stage, until

API_KEY = "sandbox-account-key"
JWT_BEGIN = "eyJhbGciOi"
CUSTOMER_TEXT = "Zanzibar-Quokka-4711"
INCIDENT = "BMCServiceDesk__Incident__c"


TROUBLE = (
    Fault(FaultKind.ERROR_BEFORE, count=1, status=500),
    Fault(FaultKind.TOO_MANY, count=1),
    Fault(FaultKind.DROP_BEFORE, count=1),
    Fault(FaultKind.DROP_AFTER, count=1),
    Fault(FaultKind.MALFORMED, count=1),
)


def private_parts(path: Path) -> list[str]:
    """What must not be found: lines of the PEM, and the private number in decimal and hexadecimal."""
    pem = path.read_text()
    key = load_pem_private_key(pem.encode(), password=None)
    number = key.private_numbers().d
    body = [line for line in pem.splitlines() if "-----" not in line]
    return [body[0], body[len(body) // 2], body[-2], str(number), f"{number:x}"]


def record(stage) -> str:
    sf = stage.desk.salesforce
    return sf.insert(
        INCIDENT,
        {
            "BMCServiceDesk__shortDescription__c": CUSTOMER_TEXT,
            "BMCServiceDesk__FKCategory__c": sf.find_id("BMCServiceDesk__Category__c", Name="Network"),
            "BMCServiceDesk__FKPriority__c": sf.find_id("BMCServiceDesk__Priority__c", Name="1"),
        },
    )  # fmt: skip


async def live_through_trouble(stage, running) -> None:
    """Work, then refused credentials, errors, dropped connections, a garbled answer, a failed reload."""
    desk = stage.desk
    record(stage)
    await until(lambda: len(desk.pagerduty.incidents()) == 1, "a page", 30)
    desk.pagerduty_faults.add(Fault(FaultKind.ERROR_BEFORE, count=1, status=401))
    for faults in (desk.pagerduty_faults, desk.salesforce_faults):
        for fault in TROUBLE:
            faults.add(fault)
    record(stage)
    await until(lambda: "401" in running.log.read_text(), "a refusal in the log", 30)
    rules = desk.folder / "rules.d" / "bad.toml"
    rules.write_text(f'[[rulesets]]\nname = "{CUSTOMER_TEXT}"\ntoken = "{API_KEY}"\n')
    running.process.send_signal(signal.SIGHUP)
    await until(lambda: "reload_refused" in running.log.read_text(), "the refusal", 30)
    rules.unlink()


async def everything_shown(stage, running) -> dict[str, str]:
    """Everything that people and programs can see, by its place."""
    listed = await anyio.run_process(["ps", "-ww", "-o", "args=", "-p", str(running.process.pid)])
    shown = {"process list": listed.stdout.decode()}
    for path in ("/metrics", "/-/healthy", "/-/ready"):
        response = await running.get(path)
        assert response is not None
        shown[path] = response.text + str(response.headers)
    config = stage.desk.config
    for words in (
        ["status"], ["status", "--json"], ["log"], ["log", "--json"], ["links", "list"], ["failed", "list", "--json"],
        ["check"], ["check", "--json"], ["simulate"],
    ):  # fmt: skip
        code, out, err = await command(*words, config=config)
        assert code in {0, 1}, (words, err)
        shown[" ".join(words)] = out + err
    return shown


async def test_after_a_full_life_at_debug_level_no_secret_is_left_anywhere(tmp_path):
    async with open_stage(tmp_path) as stage:
        stage.edit("[daemon]", '[daemon]\nlog_level = "debug"')
        tokens: set[str] = set()
        async with stage.daemon() as running:
            await running.ready(60)
            await live_through_trouble(stage, running)
            shown = await everything_shown(stage, running)
            # white-box: the sandbox rightly shows its sessions to nobody
            tokens |= set(stage.desk.salesforce.tokens._sessions)
            await running.stop()
        stage.desk.pagerduty_faults.clear()
        stage.desk.salesforce_faults.clear()
        async with stage.daemon() as running:
            await until(lambda: len(stage.desk.pagerduty.incidents()) == 2, "the other page", 60)
            tokens |= set(stage.desk.salesforce.tokens._sessions)
            await running.stop()
        assert tokens, "the daemon never logged in"
        secrets = [API_KEY, *private_parts(tmp_path / "salesforce.key"), *tokens, JWT_BEGIN]
        shown["log"] = running.log.read_text()
        assert "debug" in shown["log"]
        for path in (tmp_path / "state").iterdir():
            shown[f"state/{path.name}"] = path.read_bytes().decode("latin-1")
        leaks = [where for where, text in shown.items() for secret in secrets if secret in text]
        assert leaks == []
        assert "Traceback" not in shown["log"]
        for where in ("log", "/metrics", "status", "status --json"):
            assert CUSTOMER_TEXT not in shown[where], where


async def test_a_key_that_is_wrong_is_refused_without_being_shown(tmp_path):
    async with open_stage(tmp_path) as stage:
        wrong = "w-WrongKeyOfSomebody20"
        (tmp_path / "pagerduty.key").write_text(wrong)
        code, out, err = await command("check", config=stage.desk.config)
        assert code == 1
        assert wrong not in out + err
        assert "PagerDuty" in out


async def test_the_key_in_the_environment_stays_out_of_everything_that_is_printed(tmp_path):
    async with open_stage(tmp_path) as stage:
        wrong = "w-WrongKeyOfSomebody20"
        for words in (["check", "--json"], ["check", "--offline"]):
            _, out, err = await command(
                *words, config=stage.desk.config, PAGERFORCE_PAGERDUTY_API_KEY=wrong
            )
            assert wrong not in out + err
