"""How long to wait before the next attempt. Pure."""

_MAX_DOUBLINGS = 62
"""Beyond this the doubled base overflows any sensible cap; keeps the power small."""


def backoff_seconds(attempt: int, *, base: float, cap: float, jitter: float) -> float:
    """Exponential back-off with full jitter: anywhere between nothing and the doubled base.

    Full jitter spreads a crowd of waiting links best over the time in which the other side recovers.

    Args:
        attempt: how many attempts failed so far, from 1 on.
        base: the upper bound after the first failure, in seconds.
        cap: the upper bound at last, in seconds.
        jitter: a random number, 0 to 1.
    """
    doublings = min(max(attempt - 1, 0), _MAX_DOUBLINGS)
    return min(cap, base * 2.0**doublings) * jitter
