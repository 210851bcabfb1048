"""Each test of the store that asks for ``state`` runs on both engines."""

import pytest

from engines import ENGINES, open_engine


@pytest.fixture(params=ENGINES)
def state(request, tmp_path):
    with open_engine(request.param, tmp_path) as state:
        yield state
