"""The places of the daemon's state and control socket: systemd's folders have priority."""

import os
from collections.abc import Mapping
from pathlib import Path

from pagerforce.config.schema import Config
from pagerforce.errors import ConfigError, Problem

# sun_path has 108 bytes with the final NUL (unix(7)).
_LONGEST_SOCKET_PATH = 107


def state_dir(config: Config, environ: Mapping[str, str]) -> Path:
    """Returns the folder of the state database: ``$STATE_DIRECTORY``, else ``daemon.state_dir``."""
    return _systemd_folder(environ, "STATE_DIRECTORY") or config.daemon.state_dir


def control_socket(config: Config, environ: Mapping[str, str]) -> Path | None:
    """Returns the control socket's path; None if the configuration disables it with ``""``.

    ``$RUNTIME_DIRECTORY`` replaces the folder; the file keeps its configured name.

    Raises:
        ConfigError: the path is longer than the system allows.
    """
    configured = config.daemon.control_socket
    if configured is None:
        return None
    folder = _systemd_folder(environ, "RUNTIME_DIRECTORY")
    path = folder / configured.name if folder else configured
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        what = f"is longer than {_LONGEST_SOCKET_PATH} bytes, the limit for a socket's path"
        raise ConfigError([Problem("daemon.control_socket", f"{what}: choose a shorter one")])
    return path


def _systemd_folder(environ: Mapping[str, str], name: str) -> Path | None:
    # systemd separates several folders by colons (systemd.exec(5), RuntimeDirectory=)
    first = environ.get(name, "").split(":", 1)[0]
    return Path(first) if first else None
