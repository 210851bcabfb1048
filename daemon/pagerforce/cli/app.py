"""Puts the commands together; one line per command."""

from pagerforce.cli.backup import backup, restore
from pagerforce.cli.check import check
from pagerforce.cli.demo import demo
from pagerforce.cli.drift import drift
from pagerforce.cli.failed import failed
from pagerforce.cli.init import init
from pagerforce.cli.links import links
from pagerforce.cli.log import log
from pagerforce.cli.loglevel import log_level
from pagerforce.cli.root import make_root, start
from pagerforce.cli.rules import rules
from pagerforce.cli.run import run
from pagerforce.cli.sandbox import sandbox
from pagerforce.cli.simulate import simulate_rules
from pagerforce.cli.state import state
from pagerforce.cli.status import status
from pagerforce.cli.trial import try_service
from pagerforce.cli.verify import verify
from pagerforce.cli.why import why

app = make_root()
for _command in (
    run,
    init,
    check,
    verify,
    status,
    log,
    why,
    drift,
    backup,
    restore,
    demo,
    sandbox,
):
    app.command()(_command)
app.command("simulate")(simulate_rules)
app.command("log-level")(log_level)
app.command("test")(try_service)
app.add_typer(links, name="links")
app.add_typer(state, name="state")
app.add_typer(rules, name="rules")
app.add_typer(failed, name="failed")


def main() -> None:
    """Runs the command line."""
    start(app)
