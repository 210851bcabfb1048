"""sd_notify(3): reports to systemd that the daemon is ready, reloading, stopping or alive."""

import os
import socket
from collections.abc import Mapping

from pagerforce.model.display import shown
from pagerforce.service.clock import SystemClock

RELOADING = "RELOADING=1"
_PATIENCE_SECONDS = 1.0


class Notifier:
    """Sends state to ``$NOTIFY_SOCKET``; does nothing if systemd did not start the daemon."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = environ.get("WATCHDOG_USEC", "")
        pid = environ.get("WATCHDOG_PID", str(os.getpid()))
        is_watched = usec.isdigit() and pid == str(os.getpid())
        self.watchdog_seconds = int(usec) / 1_000_000 if is_watched else None

    def send(self, *lines: str) -> None:
        """Sends assignments such as ``READY=1``; ignores a socket that no longer exists.

        ``RELOADING=1`` is sent with its time. Without it ``Type=notify-reload`` treats it as part
        of an older reload (sd_notify(3), MONOTONIC_USEC; systemd 253 or later, others ignore it).
        """
        if not self._address:
            return
        lines = tuple(shown(line) for line in lines)  # a line break would be another assignment
        if RELOADING in lines:
            lines = (*lines, f"MONOTONIC_USEC={int(SystemClock().monotonic() * 1_000_000)}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                # systemd may be busy; neither the event loop nor the watchdog waits for it for
                # long.
                sender.settimeout(_PATIENCE_SECONDS)
                sender.connect(self._address)
                sender.send("\n".join(lines).encode())
            except OSError:
                # The daemon's work matters more than its status.
                return
