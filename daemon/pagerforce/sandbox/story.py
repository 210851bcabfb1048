"""The demo's narrator: prints what happens, waits for effects, and counts them."""

from collections.abc import Callable
from typing import Protocol

import anyio

_PATIENCE_SECONDS = 12.0
_LOOK_SECONDS = 0.05


class Page(Protocol):
    """Prints the story; escapes terminal control characters."""

    def line(self, text: str) -> None:
        """One line, whatever the text contains."""
        ...

    def rule(self, title: str) -> None:
        """A heading."""
        ...


class Story:
    """A timeline of acts and effects.

    Args:
        page: prints it.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._began = anyio.current_time()
        self._waits: list[float] = []
        self._missing: list[str] = []

    @property
    def is_true(self) -> bool:
        """Whether every expected effect was seen."""
        return bool(self._waits) and not self._missing

    def chapter(self, title: str) -> None:
        """Begins a part of the story."""
        self._page.rule(title)

    def deed(self, who: str, what: str) -> None:
        """Prints an act of somebody."""
        self._print(who, what)

    async def effect(
        self, what: str, look: Callable[[], str | None], *, patience: float = _PATIENCE_SECONDS
    ) -> None:
        """Waits until ``look`` sees an effect; it returns a description, or None."""
        began = anyio.current_time()
        seen = look()
        while seen is None and anyio.current_time() - began < patience:
            await anyio.sleep(_LOOK_SECONDS)
            seen = look()
        waited = anyio.current_time() - began
        if seen is None:
            self._missing.append(what)
            self._print("MISSING", f"{what}: not seen within {waited:.0f} s")
        else:
            self._waits.append(waited)
            self._print("  pagerforce", f"{seen}  ({waited:.1f} s)")

    def fact(self, what: str, seen: str | None) -> None:
        """Prints a fact that must be true right now."""
        if seen is None:
            self._missing.append(what)
            self._print("MISSING", what)
        else:
            self._waits.append(0.0)
            self._print("  checked", seen)

    def _print(self, who: str, what: str) -> None:
        at = anyio.current_time() - self._began
        self._page.line(f"{at:6.1f} s  {who:13} {what}")

    def print_totals(self) -> None:
        """Prints how many effects were seen, and how long they took."""
        waits = sorted(wait for wait in self._waits if wait)
        typical = waits[len(waits) // 2] if waits else 0.0
        slowest = waits[-1] if waits else 0.0
        self._page.line(
            f"  effects seen: {len(self._waits)}, missing: {len(self._missing)}, "
            f"typical wait {typical:.1f} s, longest {slowest:.1f} s"
        )

    def verdict(self) -> str:
        """The last line."""
        if self.is_true:
            return "Everything expected has happened."
        return "MISSING: " + "; ".join(self._missing or ["nothing was played"])
