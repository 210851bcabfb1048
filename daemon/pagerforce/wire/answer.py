"""An HTTP answer, read to its end, and its JSON."""

import json
from dataclasses import dataclass

import httpx

from pagerforce.errors import MalformedError, RemoteError, UnknownOutcomeError


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        operation: the operation's name, for messages.
        is_write: whether the request was to change something.
        body: the decoded body, of bounded size.
    """

    operation: str
    is_write: bool
    status: int
    headers: httpx.Headers
    body: bytes

    def json(self) -> object:
        """The body as JSON; None where it is empty.

        Raises:
            MalformedError: it is not JSON.
            UnknownOutcomeError: it is not JSON, and the request was a write.
        """
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise self.malformed("the answer is not JSON") from error

    def json_object(self) -> dict[str, object]:
        """The body as a JSON object.

        Raises:
            MalformedError: it is not one.
            UnknownOutcomeError: it is not one, and the request was a write.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise self.malformed("the answer is not a JSON object")
        return value

    def malformed(self, what: str) -> RemoteError:
        """The error for an answer that is not understood.

        An odd answer to a write leaves open whether it was done, so that one is looked for.
        """
        message = f"{self.operation}: {what}"
        if self.is_write:
            return UnknownOutcomeError(message, status=self.status)
        return MalformedError(message, status=self.status)
