"""Reads a file that somebody named, if it is a regular one: a FIFO or a device must not block."""

import os
import stat
from pathlib import Path


class NotRegularError(ValueError):
    """The path is not a regular file; the text says what it is."""


class TooLargeError(ValueError):
    """The file is larger than the limit."""


def read_regular(path: Path, most: int) -> bytes:
    """Returns the bytes of a regular file, at most ``most``.

    Raises:
        OSError: it can't be read.
        NotRegularError: it is a folder, FIFO, socket or device.
        TooLargeError: it is larger.
        ValueError: the path contains a NUL.
    """
    check_regular(path.stat().st_mode)  # before it is opened: opening a device may have an effect
    # Without O_NONBLOCK, a FIFO that replaced the file meanwhile would block.
    with os.fdopen(
        os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY), "rb"
    ) as file:
        check_regular(os.fstat(file.fileno()).st_mode)
        raw = file.read(most + 1)
    if len(raw) > most:
        raise TooLargeError(f"is larger than {most} bytes")
    return raw


def check_regular(mode: int) -> None:
    """Raises ``NotRegularError`` unless it is a regular file."""
    if stat.S_ISDIR(mode):
        raise NotRegularError("is a folder")
    if not stat.S_ISREG(mode):
        raise NotRegularError("is not a regular file")
