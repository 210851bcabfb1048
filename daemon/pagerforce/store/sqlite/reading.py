"""How a reader opens the state database."""

import os
from pathlib import Path


def access_mode(path: Path) -> str:
    """The access mode of a reader.

    SQLite creates files beside a database in WAL mode even to read it. A user who may read the file
    but not write to its folder can do so only if no daemon runs and the last one ended cleanly:
    then everything is in the file, and nothing changes it.
    """
    has_log = os.path.lexists(f"{path}-wal")
    # the effective rights: root may have taken those of the folder's owner
    if has_log or os.access(path.parent, os.W_OK, effective_ids=True):
        return "ro"
    return "ro&immutable=1"
