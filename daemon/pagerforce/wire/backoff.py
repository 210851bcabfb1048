"""How long to wait before the next attempt. Pure."""

_MAX_DOUBLINGS = 62
"""More doublings exceed any sensible cap; the bound keeps the power small."""


def backoff_seconds(attempt: int, *, base: float, cap: float, jitter: float) -> float:
    """Exponential back-off with full jitter: a time between 0 and the doubled base.

    Full jitter spreads many waiting links evenly while the other side recovers.

    Args:
        attempt: the number of failed attempts, at least 1.
        base: the upper bound after the first failure, in seconds.
        cap: the upper bound of all waits, in seconds.
        jitter: a random number, 0 to 1.
    """
    doublings = min(max(attempt - 1, 0), _MAX_DOUBLINGS)
    return min(cap, base * 2.0**doublings) * jitter
