"""Advises to verify, before the first write, that both accounts behave as pagerforce assumes."""

from pagerforce.config.checkline import CheckLine, remark
from pagerforce.config.schema import Config

BEFORE_LIVE = remark(
    "beliefs.before_live",
    "mode: shadow",
    "before going live, run `pagerforce verify SERVICE`: it tests what pagerforce assumes about"
    " both accounts, with a test incident and a test record",
)

ADVICE = (BEFORE_LIVE,)


def believing_lines(config: Config) -> list[CheckLine]:
    """Returns one line of advice as long as the daemon writes nothing."""
    return [BEFORE_LIVE.line()] if config.daemon.mode == "shadow" else []
