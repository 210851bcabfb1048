"""How somebody who only reads opens the state database."""

import os
from pathlib import Path


def access_mode(path: Path) -> str:
    """How a reader opens the database.

    SQLite makes files beside a database in WAL mode even to read it. Somebody who may read the file
    but not write to its folder can do so only where no daemon runs and the last one ended in good
    order: then everything is in the file, and nothing changes it.
    """
    has_log = os.path.lexists(f"{path}-wal")
    # the rights in force: root may have taken those of the folder's owner
    if has_log or os.access(path.parent, os.W_OK, effective_ids=True):
        return "ro"
    return "ro&immutable=1"
