"""One thing of many that raises."""


def titles(rig):
    return [item["title"].rpartition(": ")[2] for item in rig.incidents()]


async def turn(rig, daemon, seconds=3.0):
    """One turn of each loop, through what contains defects."""
    rig.advance(seconds)
    for loop in (daemon.parts.pagerduty, daemon.parts.salesforce):
        await loop._turn()
    await daemon.deliver()
