"""The only place where the daemon reads the time of this host."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements ``model.ports.Clock``."""

    def now(self) -> datetime:
        """Returns the present instant, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Returns seconds that never go back."""
        return time.monotonic()
