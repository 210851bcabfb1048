"""The daemon's connections to the outside, except its clock."""

import random
from collections.abc import Mapping

import httpx
import msgspec
from msgspec import Struct

from pagerforce.model.ids import Side
from pagerforce.model.ports import Random
from pagerforce.store.state import State


class Outside(Struct, frozen=True):
    """The daemon's connections to the outside, except its clock; the simulation replaces them.

    Attributes:
        random: for the jitter of waits.
        state: None: the state that the configuration names.
        transports: replacements of the network, by side.
    """

    random: Random = msgspec.field(default_factory=random.SystemRandom)
    state: State | None = None
    transports: Mapping[Side, httpx.AsyncBaseTransport] = msgspec.field(default_factory=dict)
