"""Unpacks an answer piece by piece, never beyond its bound.

What an answer unpacks to is limited before it exists: a few kilobytes may stand for gigabytes.
"""

import zlib
from collections.abc import Iterable

CODING = "gzip"
"""The only coding that is asked for."""

_GZIP = 16 + zlib.MAX_WBITS
_SPARE = 4096  # packing may make a text longer, by very little


class CodingError(Exception):
    """The answer is in a coding that was not asked for, or is not what it says."""


class TooMuchError(Exception):
    """The answer unpacks to more than its bound."""


class Body:
    """The body of one answer as it comes in.

    Args:
        coding: its ``Content-Encoding``; ``""`` for none.
        most: the greatest number of bytes, unpacked.

    Raises:
        CodingError: there are several codings, or one that was not asked for.
    """

    def __init__(self, coding: str, most: int) -> None:
        names = [name.strip().lower() for name in coding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if names not in ([], [CODING], [f"x-{CODING}"]):
            raise CodingError("the answer is in a content coding that was not asked for")
        self._unpacker = zlib.decompressobj(wbits=_GZIP) if names else None
        self._left = most
        self._raw_left = most + _SPARE
        self._body = bytearray()  # not a list: pieces may be single bytes

    def feed(self, chunk: bytes) -> None:
        """Takes in the next piece.

        Raises:
            CodingError: it is not in the coding that was announced.
            TooMuchError: there is more than the bound; what was within it is kept.
        """
        self._raw_left -= len(chunk)
        for piece in self._unpack(chunk):
            self._body += piece[: self._left]
            self._left -= len(piece)
            if self._left < 0:
                raise TooMuchError
        if self._raw_left < 0:
            raise TooMuchError

    def _unpack(self, chunk: bytes) -> Iterable[bytes]:
        if self._unpacker is None:
            yield chunk
            return
        try:
            yield self._unpacker.decompress(chunk, self._left + 1)
        except zlib.error as error:
            raise CodingError("the answer can't be unpacked") from error

    def end(self) -> bytes:
        """The whole body.

        Raises:
            CodingError: it ends in the middle.
        """
        if self._unpacker is not None and self._body and not self._unpacker.eof:
            raise CodingError("the packed answer ends in the middle")
        return self.so_far()

    def so_far(self) -> bytes:
        """What is there of it."""
        return bytes(self._body)
