"""Unpacks an answer piece by piece, never beyond its bound.

A few packed kilobytes may hold gigabytes, so the limit applies while unpacking, not after it.
"""

import zlib
from collections.abc import Iterable

CODING = "gzip"
"""The only content coding that pagerforce accepts."""

_GZIP = 16 + zlib.MAX_WBITS
_SPARE = 4096  # packing may make a text slightly longer


class CodingError(Exception):
    """The answer has a coding that pagerforce did not offer, or does not match its coding."""


class TooMuchError(Exception):
    """The answer unpacks to more than its bound."""


class Body:
    """The body of one answer while it arrives.

    Args:
        coding: its ``Content-Encoding``; ``""`` for none.
        most: the maximum number of unpacked bytes.

    Raises:
        CodingError: there are several codings, or one that pagerforce did not offer.
    """

    def __init__(self, coding: str, most: int) -> None:
        names = [name.strip().lower() for name in coding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if names not in ([], [CODING], [f"x-{CODING}"]):
            raise CodingError("the answer has a content coding that was not requested")
        self._unpacker = zlib.decompressobj(wbits=_GZIP) if names else None
        self._left = most
        self._raw_left = most + _SPARE
        self._body = bytearray()  # not a list: pieces may be single bytes
        self._is_begun = False

    def feed(self, chunk: bytes) -> None:
        """Takes in the next piece.

        Raises:
            CodingError: it is not in the announced coding.
            TooMuchError: the body exceeds the bound; the bytes within the bound are kept.
        """
        self._raw_left -= len(chunk)
        self._is_begun = self._is_begun or bool(chunk)
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
            CodingError: it is incomplete.
        """
        if self._unpacker is not None and self._is_begun and not self._unpacker.eof:
            raise CodingError("the packed answer ends in the middle")
        return self.so_far()

    def so_far(self) -> bytes:
        """The bytes received so far, unpacked."""
        return bytes(self._body)
