"""The real tools, searched for once."""

import pytest

from prometheus_rig import provide_tools


@pytest.fixture(scope="session")
def tools():
    """Skips, with the reason, if Prometheus can be neither found nor installed."""
    if reason := provide_tools():
        pytest.skip(reason)
