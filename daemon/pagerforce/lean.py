"""Loads httpx and structlog without optional parts that pagerforce does not use.

Where rich is installed, httpx loads a command line of its own and structlog coloured tracebacks.
Both packages work without it. It would take a tenth of the daemon's start and stay in its memory.
"""

import sys
from importlib.util import find_spec

_OPTIONAL = ("httpx._main", "rich")
_LOOKED_FOR = "sniffio"
"""httpcore tries to import it several times in each request, which takes a millisecond if it is not
installed."""


def load_lean() -> None:
    """Loads both packages; call it before any other module imports them.

    A module that is None in ``sys.modules`` counts as not installed (Python's reference, "The
    import system"). Later imports of rich work as usual. A module that is looked for in vain is
    looked for no more.
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
    if _LOOKED_FOR not in sys.modules and find_spec(_LOOKED_FOR) is None:
        sys.modules[_LOOKED_FOR] = None  # type: ignore[assignment]
