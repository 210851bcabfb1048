"""The daemon's connections to the outside, except its clock."""

import random
from collections.abc import Mapping

import httpx
import msgspec
from msgspec import Struct

from pagerforce.model.ids import Side
from pagerforce.model.ports import Random
from pagerforce.store.sqlite.engine import CONNECT, IN_THREAD, Connect, RunBlocking


class Outside(Struct, frozen=True):
    """The daemon's connections to the outside, except its clock; the simulation replaces them.

    Attributes:
        random: for the jitter of waits.
        connect: opens the state database.
        run_blocking: runs calls that wait for the disk.
        transports: replacements of the network, by side.
    """

    random: Random = msgspec.field(default_factory=random.SystemRandom)
    connect: Connect = CONNECT
    run_blocking: RunBlocking = IN_THREAD
    transports: Mapping[Side, httpx.AsyncBaseTransport] = msgspec.field(default_factory=dict)
