"""Reads a file that somebody named, if it is one: a FIFO or a device must not keep us waiting."""

import os
import stat
from pathlib import Path


class NotRegularError(ValueError):
    """It is there and is no regular file; the text says what it is."""


class TooLargeError(ValueError):
    """It holds more than is wanted."""


def read_regular(path: Path, most: int) -> bytes:
    """A regular file's bytes, at most so many.

    Raises:
        OSError: it can't be read.
        NotRegularError: it is a folder, FIFO, socket or device.
        TooLargeError: it is larger.
        ValueError: the path holds a NUL.
    """
    check_regular(path.stat().st_mode)  # before it is opened: opening a device may do something
    # Without O_NONBLOCK, a FIFO that took the file's place meanwhile would keep us waiting.
    with os.fdopen(
        os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY), "rb"
    ) as file:
        check_regular(os.fstat(file.fileno()).st_mode)
        raw = file.read(most + 1)
    if len(raw) > most:
        raise TooLargeError(f"is larger than {most} bytes")
    return raw


def check_regular(mode: int) -> None:
    """Raises ``NotRegularError`` for anything but a regular file."""
    if stat.S_ISDIR(mode):
        raise NotRegularError("is a folder")
    if not stat.S_ISREG(mode):
        raise NotRegularError("is not a regular file")
