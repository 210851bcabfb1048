"""Opens the stream once to learn what the org offers, for ``check``."""

from collections.abc import Sequence

from msgspec import Struct

from pagerforce.salesforce.stream import bayeux
from pagerforce.salesforce.stream.bayeux import BayeuxAnswer
from pagerforce.salesforce.stream.channels import change_channel, channels_of
from pagerforce.salesforce.stream.conversation import Conversation, Loss, Step
from pagerforce.salesforce.stream.line import StreamLine
from pagerforce.salesforce.stream.patience import End, EndKind

_FAREWELL_SECONDS = 5.0
_TRIES = 2  # a login that the server did not see is named in another way


class Probed(Struct, frozen=True):
    """What a subscription to every object came to.

    Attributes:
        by_events: objects with change events.
        by_topic: objects with a PushTopic only.
        refused: object -> the server's reason.
        end: why the stream could not be opened; None if it could.
    """

    by_events: frozenset[str] = frozenset()
    by_topic: frozenset[str] = frozenset()
    refused: tuple[tuple[str, str], ...] = ()
    end: End | None = None


async def probe(line: StreamLine, names: Sequence[str]) -> Probed:
    """Subscribes to every object once and leaves again; waits for no event."""
    found = Probed()
    for _ in range(_TRIES):
        found = await _probe_once(line, names)
        if found.end is None or found.end.kind is not EndKind.UNSEEN:
            break
    return found


async def _probe_once(line: StreamLine, names: Sequence[str]) -> Probed:
    access = await line.access()
    if isinstance(access, End):
        return Probed(end=access)
    talk = Conversation({channel: name for name in names for channel in channels_of(name)})
    end: End | None = None
    while (ask := talk.ask(0.0)).step is not Step.CONNECT:
        got = await line.send(access, ask)
        if isinstance(got, BayeuxAnswer):
            outcome = talk.answered(ask, got, seconds=0.0, now=0.0)
        else:
            loss = got if isinstance(got, Loss) else Loss("an answer holds too many events")
            outcome = talk.lost(ask, loss, 0.0)
        if outcome.end is not None:
            end = outcome.end
            line.ended(access, end)
            break
    if talk.client_id:
        await line.say(access, bayeux.disconnect(talk.client_id), _FAREWELL_SECONDS)
    by_events = frozenset(name for name in names if change_channel(name) in talk.accepted)
    refused = {
        name: talk.refused.get(change_channel(name), "")
        for name in names
        if name not in talk.covered and change_channel(name) in talk.refused
    }
    return Probed(by_events, talk.covered - by_events, tuple(refused.items()), end)
