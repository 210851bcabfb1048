"""Change events on their way: dropped, repeated, delayed, refused, at random. No promise depends on them."""

import json
from dataclasses import dataclass, field
from random import Random

import anyio
import httpx

from pagerforce.sandbox.salesforce import SalesforceWorld
from pagerforce.sandbox.salesforce.streaming import HISTORY, INCIDENT, StreamRefusal

PATH = "/cometd/"
SHARE = 0.3  # of the seeds
_REFUSALS = (
    ("handshake", "403::Organization concurrent user limit exceeded", ""),
    ("handshake", "403::Handshake denied", "503::Server is too busy"),
    ("subscribe", "403:denied_by_security_policy:create_denied", ""),
    ("connect", "403::Organization total events daily limit exceeded", ""),
)


def draw_interval(seed: int, calm: int) -> int | None:
    """The stream's pace of a seed; None: it has no stream."""
    dice = Random(f"{seed}/stream")
    return calm * dice.choice([2, 4, 6]) if dice.random() < SHARE else None


@dataclass(slots=True)
class Hints:
    """How the stream of one history fares. ``loses``: the share of events that never arrive."""

    sf: SalesforceWorld
    dice: Random
    loses: float = field(init=False)

    def __post_init__(self) -> None:
        knobs = self.sf.streaming.knobs
        self.loses = self.dice.choice([0.0, 0.1, 0.5, 1.0])
        knobs.heeds_wait = self.dice.random() < 0.5
        knobs.entities = self.dice.choice([{INCIDENT, HISTORY}, {INCIDENT, HISTORY}, {INCIDENT}])

    def before(self) -> None:
        """What happens to the endpoint before a request."""
        knobs, luck = self.sf.streaming.knobs, self.dice.random()
        if luck < 0.02:
            self.sf.streaming.end_clients()
        elif luck < 0.03:
            step, error, reason = self.dice.choice(_REFUSALS)
            knobs.refusals.append(StreamRefusal(step, error, reason))
        elif luck < 0.035:
            knobs.silent_connects = 1

    async def carry(self, response: httpx.Response | None) -> httpx.Response | None:
        """The answer, with some of its events lost or doubled, now or later."""
        if self.dice.random() < 0.1:
            await anyio.sleep(self.dice.uniform(0, 40))
        try:
            messages = [] if response is None else json.loads(response.content)
        except ValueError:
            return response
        if response is None or not isinstance(messages, list):
            return response
        found: list[object] = []
        for message in messages:
            is_event = not str(message.get("channel")).startswith("/meta/")
            if not is_event:
                found.append(message)
            elif self.dice.random() >= self.loses:
                found += [message] * self.dice.choice([1, 1, 1, 2])
        headers = [(k, v) for k, v in response.headers.multi_items() if k != "content-length"]
        return httpx.Response(
            response.status_code, headers=headers, json=found, request=response.request
        )
