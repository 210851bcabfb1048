"""The number of examples for each law: few in every run, more with ``make fuzz``."""

import os
from pathlib import Path

from hypothesis import settings

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("PROPERTY", "50"))


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE) and hasattr(item.obj, "hypothesis"):
            item.obj = settings(max_examples=EXAMPLES)(item.obj)
