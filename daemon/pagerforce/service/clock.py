"""The one place where the daemon looks at the time of this host."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements ``model.ports.Clock``."""

    def now(self) -> datetime:
        """The present instant, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
