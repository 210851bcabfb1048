"""The event loop of every command: it resolves names in threads that nothing waits for.

asyncio calls the system's resolver in the few threads of its default executor. Calls without an
answer fill it up: then no other name is resolved either, and the end of the process waits for them.
Here one name can't delay another, and unanswered calls are abandoned.
"""

import asyncio  # noqa: TID251 - this module creates the loop itself
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

_ASK_AGAIN_SECONDS = 5.0
_MOST_OF_ONE = 3
_MOST = 48
_Found: TypeAlias = list[Any]


class _Question(Struct):
    """A name that is being resolved: the number of running calls, and who waits for the answer."""

    asked: int = 0
    asked_at: float = float("-inf")
    waiting: set["asyncio.Future[_Found]"] = msgspec.field(default_factory=set)

    def answer(self, tell: Callable[["asyncio.Future[_Found]"], None]) -> None:
        """Gives an answer to all who wait."""
        self.asked -= 1
        for future in self.waiting:
            if not future.done():
                tell(future)


class PatientLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop; a slow name delays only the callers who ask for that name."""

    def __init__(self) -> None:
        super().__init__()
        self._questions: dict[tuple[object, ...], _Question] = {}

    async def getaddrinfo(
        self,
        host: Any,  # noqa: ANN401 (asyncio's own)
        port: Any,  # noqa: ANN401 (asyncio's own)
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 (asyncio's own)
        proto: int = 0,
        flags: int = 0,
    ) -> _Found:
        """Returns the addresses of a name.

        Raises:
            OSError: there are none, or too many calls of the resolver have not been answered yet.
        """
        key = (host, port, family, type, proto, flags)
        question = self._questions.setdefault(key, _Question())
        future: asyncio.Future[_Found] = self.create_future()
        question.waiting.add(future)
        try:
            self._ask(question, key)
            return await future
        finally:
            question.waiting.discard(future)
            self._forget(key)

    def _ask(self, question: _Question, key: tuple[object, ...]) -> None:
        """Calls the resolver unless a call is running; again if it has not answered for a while."""
        is_late = self.time() - question.asked_at >= _ASK_AGAIN_SECONDS
        if question.asked and not (is_late and question.asked < _MOST_OF_ONE):
            return
        if sum(other.asked for other in self._questions.values()) >= _MOST:
            raise socket.gaierror(socket.EAI_AGAIN, "the resolver does not answer")
        question.asked += 1
        question.asked_at = self.time()
        Thread(target=self._resolve, args=(question, key), name="resolver", daemon=True).start()

    def _resolve(self, question: _Question, key: tuple[Any, ...]) -> None:
        found: _Found = []
        failed: Exception | None = None
        try:
            found = socket.getaddrinfo(*key)
        except Exception as error:  # noqa: BLE001 (it is raised in the caller)
            failed = error

        def tell(future: "asyncio.Future[_Found]") -> None:
            if failed is None:
                future.set_result(found)
            else:
                future.set_exception(failed)

        def answer() -> None:
            question.answer(tell)
            self._forget(key)

        with suppress(RuntimeError):  # the loop has ended meanwhile
            self.call_soon_threadsafe(answer)

    def _forget(self, key: tuple[object, ...]) -> None:
        question = self._questions.get(key)
        if question is not None and not question.asked and not question.waiting:
            del self._questions[key]
