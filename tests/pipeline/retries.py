"""Lost answers, and the turns until an attempt is repeated."""


async def settle(daemon, turns=4):
    """Lets retries become due: their backoff is bounded by minutes."""
    await daemon.step(turns, seconds=70)


async def heard(daemon):
    """Types of PagerDuty's events that were not recognised as echoes of pagerforce's writes."""
    log = [entry for entry in await daemon.log() if entry["source"] == "pagerduty"]
    return [entry["event"] for entry in log if entry["echo_of"] is None]
