"""What the daemon stands on besides its clock."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from pagerforce.model.ids import Side
from pagerforce.model.ports import Random
from pagerforce.store.database import CONNECT, IN_THREAD, Connect, RunBlocking


@dataclass(frozen=True, slots=True)
class Outside:
    """What the daemon stands on besides its clock; the simulation stands it on something else.

    Attributes:
        random: for the jitter of waits.
        connect: opens the state database.
        run_blocking: runs what waits for the disk.
        transports: instead of the network, by side.
    """

    random: Random = field(default_factory=random.SystemRandom)
    connect: Connect = CONNECT
    run_blocking: RunBlocking = IN_THREAD
    transports: Mapping[Side, httpx.AsyncBaseTransport] = field(default_factory=dict)
