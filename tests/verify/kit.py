"""Running ``pagerforce verify`` against the sandbox, and what it leaves there."""

import json
from contextlib import asynccontextmanager

from pagerforce.model.beliefs import BELIEFS
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.running import open_sandbox
from pagerforce.service.clock import SystemClock
from pagerforce.service.control.desk import Desk, Home
from pagerforce.service.control.operations import OPERATIONS
from pagerforce.service.control.peers import Caller
from pagerforce.service.control.roles import Role

INCIDENT = "BMCServiceDesk__Incident__c"
TEXT = "BMCServiceDesk__shortDescription__c"
TRIED = [name for name, item in BELIEFS.items() if not item.untried]
# The incident's story takes less than half a second here: time to look at it half-way.
SLOW = Fault(FaultKind.LATENCY, method="PUT", path="^/incidents/", seconds=2.0)


def statuses(found):
    return {item["belief"]: item["status"] for item in found["beliefs"]}


def rows(desk):
    """The test records; those that a daemon's rules make of the test incident are none."""
    found = desk.salesforce.rows(INCIDENT)
    return [row for row in found if str(row[TEXT]).startswith("[pagerforce verify: record]")]


def is_closed(desk):
    """Nothing open, nothing left."""
    incidents = desk.pagerduty.incidents()
    return all(one["status"] == "resolved" for one in incidents) and not rows(desk)


@asynccontextmanager
async def asked(folder):
    """A sandbox, and ``verify`` asked of the desk without a daemon and without a state."""
    async with open_sandbox(folder) as desk:

        async def ask(**values):
            async def tell(_text, _share=None):
                pass

            operation = OPERATIONS["verify"]
            request = operation.read(json.dumps({"service": "PNET001", **values}).encode())
            caller = Caller(0, "root", frozenset({Role.ADMIN}))
            home = Home(desk.config, {}, SystemClock(), None)
            return await operation.run(Desk(caller, "verify", home, tell), request)

        yield desk, ask
