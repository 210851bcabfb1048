"""Shared fixtures of the tests of the set-up."""

from pathlib import Path

import pytest

from setup.staged import find_python, staged


@pytest.fixture(scope="session")
def destdir(tmp_path_factory) -> Path:
    """The installed program; it must not be changed."""
    if not find_python():
        pytest.skip("no Python outside of home folders to install with, which a service could use")
    return staged(tmp_path_factory)
