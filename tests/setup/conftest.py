"""What several tests of the set-up share."""

from pathlib import Path

import pytest

from setup.staged import find_python, staged


@pytest.fixture(scope="session")
def destdir(tmp_path_factory) -> Path:
    """The installed program, not to be changed."""
    if not find_python():
        pytest.skip("no Python outside of home folders to install with, which a service could use")
    return staged(tmp_path_factory)
