"""Loads httpx and structlog without optional parts that pagerforce does not use.

Where rich is installed, httpx loads a command line of its own and structlog coloured tracebacks.
Both packages work without it. It would take a tenth of the daemon's start and stay in its memory.
"""

import sys

_OPTIONAL = ("httpx._main", "rich")


def load_lean() -> None:
    """Loads both packages; call it before any other module imports them.

    A module that is None in ``sys.modules`` counts as not installed (Python's reference, "The
    import system"). Later imports of rich work as usual.
    """
    hidden = [name for name in _OPTIONAL if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        import httpx  # noqa: F401, PLC0415 (without the optional parts)
        import structlog  # noqa: F401, PLC0415
    finally:
        for name in hidden:
            del sys.modules[name]
