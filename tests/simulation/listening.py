"""Who hears each statement of the daemon once it has run."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Ask: TypeAlias = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Runs a query in the daemon's own session."""

Listener: TypeAlias = Callable[[str, Sequence[object], Ask], None]
"""Called with a statement, its values, and a way to look at what it did."""
