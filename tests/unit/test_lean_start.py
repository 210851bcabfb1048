"""The daemon's process loads only what it needs: each module costs start time and memory for good."""

import subprocess
import sys
from pathlib import Path

from pagerforce import __version__
from pagerforce.cli import service
from pagerforce.cli.app import app
from pagerforce.config.load import load_config
from pagerforce.model.ids import Side
from pagerforce.observe.metrics import Metrics
from pagerforce.service.catalog import CATALOG
from pagerforce.service.clock import SystemClock
from pagerforce.service.sides import Net

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"

# The place from where each of these comes in by mistake.
NEEDLESS = {
    "rich": "cli/display.py and cli/progress.py import it when they print; lean.py keeps structlog from it",
    "pygments": "comes with rich",
    "httpx._main": "httpx's own command line; lean.py leaves it out",
    "markdown_it": "only for the runbook's page: service/pages.py",
    "tomli_w": "writes configurations: cli/rules.py and config/starter.py",
    "pagerforce.sandbox": "for the demo and the commands that serve it",
    "pagerforce.cli.app": "all commands; `run` starts by cli/service.py",
    "pagerforce.service.check": "for `pagerforce check`: service/control/check.py",
    "pagerforce.service.verify": "for `pagerforce verify`: service/control/verify.py",
    "pagerforce.config.starter": "for `pagerforce init`",
}
SHARED = {"app", "console", "display", "root", "run", "service"}
LOAD = """
import sys
from pagerforce.__main__ import command_line
command_line(sys.argv[1:])
print(*sys.modules, sep="\\n")
"""

LOOK = """
from httpcore._synchronization import current_async_library

class Finder:
    asked = []

    def find_spec(self, name, path=None, target=None):
        self.asked.append(name)

sys.meta_path.insert(0, Finder())
assert current_async_library() == "asyncio"
print("looked for", Finder.asked)
"""


def loaded_by(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *words], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_daemon_loads_no_other_command_and_nothing_that_it_rarely_needs():
    loaded = loaded_by("run", "--config", "none.toml")
    assert "pagerforce.service.daemon" in loaded, (
        "this test no longer loads what `pagerforce run` loads"
    )
    found = [f"{name} ({why})" for name, why in NEEDLESS.items() if name in loaded]
    assert not found, (
        f"`pagerforce run` loads: {'; '.join(found)}. `python -X importtime` shows who imports it"
    )
    commands = {
        name.removeprefix("pagerforce.cli.")
        for name in loaded
        if name.startswith("pagerforce.cli.")
    }
    assert commands <= SHARED, f"`pagerforce run` loads other commands: {sorted(commands - SHARED)}"


def test_no_request_looks_for_a_module_that_is_not_installed():
    """Each request would look through all of Python's folders, several times."""
    found = subprocess.run(
        [sys.executable, "-c", LOAD + LOOK, "run"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.endswith("looked for []\n")


def test_run_alone_is_the_same_command_as_among_the_others():
    (alone,) = service.app.registered_commands
    assert alone.callback in [info.callback for info in app.registered_commands]
    assert service.app.info.cls is app.info.cls


def test_any_other_word_loads_every_command():
    for words in (["--help"], ["status"], []):
        assert "pagerforce.cli.verify" in loaded_by(*words), words


def test_all_clients_share_the_certificate_authorities():
    """Reading the system's takes longer than anything else between the imports and the first poll."""
    loaded = load_config(EXAMPLE, catalog=CATALOG, environ={})
    net = Net(SystemClock(), Metrics(__version__, []))
    clients = [
        net.transport(side, loaded) for side in (Side.PAGERDUTY, Side.SALESFORCE, Side.SALESFORCE)
    ]
    assert len({id(client) for client in clients}) == 3
    assert len({id(client._direct._pool._ssl_context) for client in clients}) == 1
