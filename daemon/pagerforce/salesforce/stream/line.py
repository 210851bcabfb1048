"""Sends one request to the streaming endpoint with the session's token and the stream's own cookies.

Facts: docs/vendors/salesforce.md#streaming. Requests of the stream do not count as API calls.
"""

import httpx
import msgspec
from msgspec import Struct

from pagerforce.errors import CredentialsError, RemoteError, TooLargeError, WrongOrgError
from pagerforce.salesforce.auth import JwtSession
from pagerforce.salesforce.login import Access
from pagerforce.salesforce.stream import bayeux
from pagerforce.salesforce.stream.bayeux import BayeuxAnswer, Message
from pagerforce.salesforce.stream.conversation import Ask, Loss
from pagerforce.salesforce.stream.patience import End, EndKind
from pagerforce.wire.answer import Answer
from pagerforce.wire.exchange import exchange
from pagerforce.wire.transport import OPERATION

OPERATION_NAME = "stream"
_SETUP_SECONDS = 10.0
_MOST_COOKIES = 20
_REFUSED = frozenset({400, 403, 404, 405, 410, 413})
_SCHEMES = ("Bearer", "OAuth")


class TooManyEvents(Struct, frozen=True):
    """An answer with more events than fit: something changed, and everything may have."""


class StreamLine(Struct):
    """The requests of the stream.

    Args:
        session: supplies the token and the instance.
        http: a client of its own, because the server's cookies belong to the stream alone.
        api_version: of ``[salesforce]``.
    """

    session: JwtSession
    http: httpx.AsyncClient
    api_version: str
    _scheme: int = 0
    _ids: int = msgspec.field(default=0)

    async def access(self) -> Access | End:
        """The session, or why there is none."""
        try:
            return await self.session.access()
        except (CredentialsError, WrongOrgError) as error:
            return End(EndKind.REFUSED, str(error))
        except RemoteError as error:
            return End(EndKind.FAILED, str(error))

    def ended(self, access: Access, end: End) -> None:
        """The next client id needs another session, or the other way to name it."""
        if end.kind is EndKind.LOGIN:
            self.session.leave(access)
        elif end.kind is EndKind.UNSEEN:
            self._scheme = (self._scheme + 1) % len(_SCHEMES)

    async def send(self, access: Access, ask: Ask) -> BayeuxAnswer | Loss | TooManyEvents:
        """One request and what came of it; raises nothing that a remote side can cause."""
        request = self._request(access, ask.message, ask.deadline)
        try:
            answer = await exchange(
                self.http, request, is_write=False, deadline_seconds=ask.deadline
            )
        except TooLargeError:
            return TooManyEvents()
        except RemoteError as error:
            is_silence = isinstance(error.__cause__, TimeoutError | httpx.ReadTimeout)
            reason = "no answer by its deadline" if is_silence else str(error)
            return Loss(reason, is_silence=is_silence)
        self.session.note_date(answer.headers)
        if len(self.http.cookies.jar) > _MOST_COOKIES:
            self.http.cookies.clear()
        return _read(answer)

    async def say(self, access: Access, message: Message, deadline: float) -> None:
        """Sends a message to which no answer is needed."""
        try:
            request = self._request(access, message, deadline)
            await exchange(self.http, request, is_write=False, deadline_seconds=deadline)
        except RemoteError:
            return

    def _request(self, access: Access, message: Message, deadline: float) -> httpx.Request:
        self._ids += 1
        return self.http.build_request(
            "POST",
            f"{access.instance_url}/cometd/{self.api_version.removeprefix('v')}/",
            json=[{**message, "id": str(self._ids)}],  # an array, even for one message
            headers={
                "Accept": "application/json",
                "Authorization": f"{_SCHEMES[self._scheme]} {access.token}",
            },
            # The deadline of the whole request is shorter than this.
            timeout=httpx.Timeout(deadline + 5, connect=_SETUP_SECONDS, pool=_SETUP_SECONDS),
            extensions={OPERATION: OPERATION_NAME},
        )


def _read(answer: Answer) -> BayeuxAnswer | Loss | TooManyEvents:
    """The Bayeux messages of an answer, whatever its status (``salesforce.stream-errors-in-body``)."""
    try:
        found = bayeux.read(answer.json())
    except TooLargeError:
        return TooManyEvents()
    except RemoteError:
        found = BayeuxAnswer()
    if found.replies or found.channels:
        return found
    kind = EndKind.FAILED
    if answer.status in _REFUSED:
        kind = EndKind.REFUSED
    elif answer.status == 401:
        kind = EndKind.LOGIN
    reason = f"the answer is no Bayeux message (HTTP {answer.status})"
    return Loss(reason, is_answered=True, kind=kind)
