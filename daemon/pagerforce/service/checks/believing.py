"""Before anything is written: do the accounts behave as pagerforce believes of them."""

from pagerforce.config.checkline import CheckLine, remark
from pagerforce.config.schema import Config

BEFORE_LIVE = remark(
    "beliefs.before_live",
    "mode: shadow",
    "before going live, have `pagerforce verify SERVICE` compare both accounts with what pagerforce"
    " believes of them, on a test incident and a test record",
)

ADVICE = (BEFORE_LIVE,)


def believing_lines(config: Config) -> list[CheckLine]:
    """One line of advice, as long as the daemon writes nothing."""
    return [BEFORE_LIVE.line()] if config.daemon.mode == "shadow" else []
