"""One of many things raises."""


def titles(rig):
    return [item["title"].rpartition(": ")[2] for item in rig.incidents()]


async def turn(rig, daemon, seconds=3.0):
    """Runs one turn of each loop, inside the code that contains internal errors."""
    rig.advance(seconds)
    for loop in (daemon.parts.pagerduty, daemon.parts.salesforce):
        await loop._turn()
    await daemon.deliver()
