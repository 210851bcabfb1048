"""An instance that the org has left, and its answers.

Facts: ``salesforce.instance-moves``, ``salesforce.page-is-no-answer``. For a refused connection,
serve the org a second time and end the first server.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from pagerforce.sandbox.faults import drop_connection
from pagerforce.sandbox.salesforce.refusals import REFUSALS

WAYS = ("redirect", "drop", "gone", "not_reset")


class _NoAnswer(Response):
    """Ends the connection without a byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ends it."""
        del scope, receive
        await drop_connection(send)


@dataclass(frozen=True, slots=True)
class Move:
    """A move of the org.

    Attributes:
        url: of the new instance.
        old: the answer of every other address: a 301 to the new one, a connection that ends, the
            404 page of a removed URL, or URL_NOT_RESET.

    Raises:
        ValueError: ``old`` is none of these, or the URL has no host.
    """

    url: str
    old: str = "redirect"

    def __post_init__(self) -> None:
        if self.old not in WAYS:
            raise ValueError(f"the old instance can answer by {', '.join(WAYS)}")
        if not urlsplit(self.url).netloc:
            raise ValueError("the new instance must be a URL with a host")

    def is_left(self, place: str) -> bool:
        """Whether a host and port are not the new instance's."""
        return place.lower() != urlsplit(self.url).netloc.lower()

    def answer(self, path: str) -> Response:
        """The answer of the old instance to a request for this path and query."""
        if self.old == "redirect":
            return RedirectResponse(self.url.rstrip("/") + path, status_code=301)
        if self.old == "drop":
            return _NoAnswer()
        refusal = REFUSALS[
            "no_longer_exists" if self.old == "gone" else "url_not_reset"
        ].as_answer()
        return HTMLResponse(refusal.body, refusal.status, dict(refusal.headers))
