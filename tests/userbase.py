"""A user database for a test: users and groups that exist only for the processes it starts.

Those run in a mount namespace with other files in the place of /etc/passwd and /etc/group. The
host's own files are unchanged: any number of runs may have the roles' groups at once, and none leaves any.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

_FIRST_ID = 47_110
_ENTER = 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"'
_UNSHARE = ("unshare", "--mount", "--propagation", "private")


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root, to run processes as other users"
    if not shutil.which("unshare") or not shutil.which("mount"):
        return "needs unshare and mount"
    tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False)
    return "needs a mount namespace of its own" if tried.returncode else ""


needs_users = pytest.mark.skipif(bool(_why_not()), reason=_why_not())


@dataclass(frozen=True)
class UserBase:
    """The view of a process that is started with ``prefix``."""

    uids: Mapping[str, int]
    gids: Mapping[str, int]
    prefix: tuple[str, ...]


def make_user_base(
    folder: Path, groups: Iterable[str], users: Mapping[str, str | None] | None = None
) -> UserBase:
    """The host's users and groups and these in addition; each user with its group."""
    gids = {name: _FIRST_ID + number for number, name in enumerate(groups)}
    uids = {name: _FIRST_ID + number for number, name in enumerate(users or ())}
    members = {
        name: ",".join(user for user, group in (users or {}).items() if group == name)
        for name in gids
    }
    passwd = _lines("passwd", uids) + [
        f"{name}:x:{uid}:65534::/nonexistent:/usr/sbin/nologin" for name, uid in uids.items()
    ]
    group = _lines("group", gids) + [
        f"{name}:x:{gid}:{members[name]}" for name, gid in gids.items()
    ]
    paths = []
    for name, lines in (("passwd", passwd), ("group", group)):
        path = folder / name
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o644)
        paths.append(str(path))
    return UserBase(uids, gids, (*_UNSHARE, "sh", "-c", _ENTER, "sh", *paths))


def _lines(name: str, but: Iterable[str]) -> list[str]:
    """A file of the host's without the lines of those names."""
    left_out = set(but)
    lines = Path("/etc", name).read_text().splitlines()
    return [line for line in lines if line.partition(":")[0] not in left_out]
