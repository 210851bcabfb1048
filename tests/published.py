"""Finds PagerDuty's published OpenAPI schema on this machine; this repository does not contain it.

``PAGERFORCE_OPENAPI`` names the file. Without it ``pagerduty-openapi.json`` is searched for beside the
folder of the clone, and in the folder ``shared`` there. CONTRIBUTING.md says where to get it.
"""

import os
from pathlib import Path

import pytest

VARIABLE, NAME = "PAGERFORCE_OPENAPI", "pagerduty-openapi.json"
CLONE = Path(__file__).resolve().parents[1]


def find_schema(named: str, beside: Path) -> Path | None:
    """The schema's file; None if there is none.

    Args:
        named: the variable's value; a file that is named and missing is an error.
        beside: the parent folder of the clone.
    """
    if named:
        file = Path(named)
        if not file.is_file():
            raise pytest.UsageError(f"{VARIABLE} names no file: {named}")
        return file
    found = (beside / NAME, *sorted((beside / "shared").rglob(NAME)))
    return next((file for file in found if file.is_file()), None)


SCHEMA_FILE = find_schema(os.environ.get(VARIABLE, ""), CLONE.parent)
needs_schema = pytest.mark.skipif(
    SCHEMA_FILE is None,
    reason=f"PagerDuty's schema is not at hand: CONTRIBUTING.md says where to get it ({VARIABLE})",
)
