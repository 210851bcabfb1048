"""The number of files that the process may open, and the share of both listeners.

The daemon's own work comes first: connections to both sides, the database, the log. The listeners
share the rest, so that callers can never use up the descriptors that a page needs.
"""

import resource

from msgspec import Struct

_WANTED_FILES = 4096
_OWN_FILES = 160  # two sides with 32 connections each, DNS lookups, the database, the loop
_MOST_METRICS = 256
_MOST_CONTROL = 64
_LEAST = 8


class Room(Struct, frozen=True):
    """The most connections that each listener may hold."""

    metrics: int
    control: int


def share_room(files: int) -> Room:
    """Returns the room of both listeners if the process may open this number of files.

    Below some 300 files all shrink alike; a few connections are always possible.
    """
    left = files - min(_OWN_FILES, files // 2)
    return Room(
        metrics=max(_LEAST, min(_MOST_METRICS, left // 2)),
        control=max(_LEAST, min(_MOST_CONTROL, left // 4)),
    )


def raise_file_limit() -> None:
    """Raises the soft limit of open files as far as needed and as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def present_room() -> Room:
    """Returns the room under the present limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return share_room(_WANTED_FILES if soft == resource.RLIM_INFINITY else soft)
