"""Limits the time of one attempt: it may run while it makes progress, up to a total."""

from contextlib import ExitStack
from types import TracebackType

import anyio

from pagerforce.model.durations import STEP_DEADLINE
from pagerforce.observe import pulse


class Patience:
    """Cancels the block, without an error, if it hangs or takes too long.

    Args:
        in_total: seconds that it may take in all.
    """

    def __init__(self, in_total: float) -> None:
        self._in_total = in_total
        self._stack = ExitStack()

    def __enter__(self) -> None:
        scope = self._stack.enter_context(anyio.CancelScope())
        end = anyio.current_time() + self._in_total

        def renew() -> None:
            scope.deadline = min(end, anyio.current_time() + STEP_DEADLINE.total_seconds())

        renew()
        self._stack.enter_context(pulse.also(renew))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        return bool(self._stack.__exit__(kind, error, trace))
