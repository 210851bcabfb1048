"""Answers that are lost, and the turns until what was tried is tried again."""


async def settle(daemon, turns=4):
    """Lets retries come due: their backoff is bounded by minutes."""
    await daemon.step(turns, seconds=70)


async def heard(daemon):
    """Types of PagerDuty's events that were not taken for echoes of ours."""
    log = [entry for entry in await daemon.log() if entry["source"] == "pagerduty"]
    return [entry["event"] for entry in log if entry["echo_of"] is None]
