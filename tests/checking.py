"""``check`` against the sandbox over HTTP, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pagerforce.config.checkline import CheckLine, Kind
from pagerforce.config.load import Loaded, load_config
from pagerforce.sandbox.clock import SandboxClock
from pagerforce.sandbox.running import RunningSandbox, open_sandbox
from pagerforce.service.catalog import CATALOG
from pagerforce.service.check import check_online

P = "BMCServiceDesk__"
INCIDENT, HISTORY = f"{P}Incident__c", f"{P}IncidentHistory__c"
OBJECT = '[[objects]]\npreset = "remedyforce-incident"\n'
SOURCE = f'{P}contactType__c = "Event"'


def rule(
    *actions: str,
    run_on: str = "pagerduty",
    name: str = "x",
    conditions: str = "",
    object_name: str = INCIDENT,
) -> str:
    """A rule as TOML; ``actions`` are the insides of inline tables."""
    listed = ", ".join(f"{{ {action} }}" for action in actions)
    return (
        f'[[rulesets]]\nname = "{name}"\n[[rulesets.rules]]\nname = "{name}"\n'
        f'object = "{object_name}"\nrun_on = "{run_on}"\n'
        f"conditions = [{conditions}]\nactions = [{listed}]\n"
    )


class Checked:
    """What one run of ``check`` said."""

    def __init__(self, lines: list[CheckLine]) -> None:
        self.lines = lines

    @property
    def todo(self) -> list[str]:
        """Codes of what must be done."""
        return [line.code for line in self.lines if line.kind is Kind.TODO]

    @property
    def remarks(self) -> list[str]:
        return [line.code for line in self.lines if line.kind is Kind.REMARK]

    def only_todo(self) -> CheckLine:
        """The one line that says what to do."""
        (line,) = (line for line in self.lines if line.kind is Kind.TODO)
        return line

    def about(self, code: str) -> CheckLine:
        """The one line of an advice."""
        (line,) = (line for line in self.lines if line.code == code)
        return line

    def has(self, what: str) -> bool:
        """Whether something is said to be well."""
        return any(line.kind is Kind.OK and line.what.startswith(what) for line in self.lines)


class Bench:
    """A sandbox and its configuration, to be spoilt and checked."""

    def __init__(self, desk: RunningSandbox) -> None:
        self.desk = desk
        self.pd, self.sf = desk.pagerduty, desk.salesforce
        self.directory = desk.pagerduty.state.directory

    def edit(self, old: str, new: str) -> None:
        text = self.desk.config.read_text()
        assert old in text, old
        self.desk.config.write_text(text.replace(old, new))

    def load(self) -> Loaded:
        return load_config(self.desk.config, catalog=CATALOG, environ={})

    async def check(self) -> Checked:
        return Checked(await check_online(self.load(), {}))


@asynccontextmanager
async def open_bench(
    folder: Path,
    rules: str = OBJECT,
    *,
    clock: SandboxClock | None = None,
    tls: bool = False,
) -> AsyncIterator[Bench]:
    async with open_sandbox(folder, rules=rules, clock=clock, tls=tls) as desk:
        yield Bench(desk)
