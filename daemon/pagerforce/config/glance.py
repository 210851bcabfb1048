"""Reads what a command needs to find the running daemon, without a check of the configuration.

A command that the daemon answers needs no valid configuration: the daemon has a valid one in
memory, and an operator who has just broken the file must still be able to ask for the status.
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from pagerforce.config.files import read_table
from pagerforce.config.settings import DEFAULT_SOCKET


class Glance(Struct, frozen=True):
    """The expected place of the control socket.

    Attributes:
        socket: None if the configuration disables it, or can't be parsed.
        is_readable: False if this user may not read the configuration; then the socket is the
            default one.
    """

    socket: Path | None
    is_readable: bool = True


def glance(path: Path, environ: Mapping[str, str]) -> Glance:
    """Reads ``daemon.control_socket``; ``$RUNTIME_DIRECTORY`` has priority, as in the daemon."""
    try:
        table = read_table(path)
    except PermissionError:
        return Glance(_in_runtime_folder(DEFAULT_SOCKET, environ), is_readable=False)
    if table is None:
        return Glance(None)
    section = table.get("daemon")
    value = section.get("control_socket") if isinstance(section, dict) else None
    if value == "":
        return Glance(None)
    found = path.absolute().parent / value if isinstance(value, str) else DEFAULT_SOCKET
    return Glance(_in_runtime_folder(found, environ))


def _in_runtime_folder(path: Path, environ: Mapping[str, str]) -> Path:
    # systemd separates several folders by colons (systemd.exec(5), RuntimeDirectory=)
    folder = environ.get("RUNTIME_DIRECTORY", "").split(":", 1)[0]
    return Path(folder) / path.name if folder else path
