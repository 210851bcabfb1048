"""Changes answers in their numbers, dates, codings, sizes and nesting; never into plausible lies."""

import gzip
import random
import re
import zlib

from fuzz.proxy import Reply

_NUMBER = re.compile(rb"(?<=[:\[,])\s*-?\d+(?:\.\d+)?(?=\s*[,}\]])")
_DATE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}\+0000|Z)")
_STRING = re.compile(rb'(?<=:)\s*"[^"\\]{0,200}"')
NUMBERS = (
    b"9" * 400,
    b"-" + b"9" * 5000,
    b"1e999",
    b"-1e999",
    b"NaN",
    b"18446744073709551616",
    b"9223372036854775808",
    b"1" + b"0" * 30,
    b"0." + b"3" * 9000,
)
DATES = (
    b"9999-12-31T23:59:59Z",
    b"9999-12-31T23:59:59.999-23:59",
    b"0001-01-01T00:00:00Z",
    b"0001-01-01T00:00:00+23:59",
    b"2999-01-01T00:00:00.000+0000",
    b"9" * 400,
)
HTTP_DATES = (
    b"Fri, 31 Dec 9999 23:59:59 GMT",
    b"Fri, 31 Dec 9999 23:59:59 -2359",
    b"Mon, 01 Jan 0001 00:00:00 +2359",
    b"Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    b"Tue, 01 Jan 2099 00:00:00 GMT",
    b"Thu, 01 Jan 2015 00:00:00 GMT",
    b"soon",
)
HEADER_VALUES = (
    b"-1",
    b"nan",
    b"inf",
    b"1e999",
    b"1e300",
    b"9" * 400,
    b"",
    b"\xd9\xa3",
    b"x" * 9000,
)
LIMITS = (b"ratelimit-limit", b"ratelimit-remaining", b"ratelimit-reset", b"retry-after")


def make_odd(reply: Reply, rng: random.Random) -> None:
    """Changes one or two things in an answer."""
    for _ in range(rng.choice((1, 1, 2))):
        rng.choice((_numbers, _dates, _headers, _coding, _size, _nesting, _text))(reply, rng)


def _replace(reply: Reply, what: re.Pattern[bytes], new: bytes, rng: random.Random) -> None:
    places = [match.span() for match in what.finditer(reply.body)]
    if not places:
        return
    parts, done, size = [], 0, len(reply.body)
    for start, end in sorted(rng.sample(places, rng.choice((1, 1, len(places))))):
        parts += [reply.body[done:start], new]
        done, size = end, size + len(new)
        if size > 50_000_000:
            break
    reply.body = b"".join([*parts, reply.body[done:]])


def _numbers(reply: Reply, rng: random.Random) -> None:
    _replace(reply, _NUMBER, rng.choice(NUMBERS), rng)


def _dates(reply: Reply, rng: random.Random) -> None:
    _replace(reply, _DATE, rng.choice(DATES), rng)


def _headers(reply: Reply, rng: random.Random) -> None:
    if rng.random() < 0.5:
        reply.put(b"date", rng.choice(HTTP_DATES))
    elif rng.random() < 0.7:
        reply.put(rng.choice(LIMITS), rng.choice(HEADER_VALUES))
    else:
        reply.put(b"sforce-limit-info", b"api-usage=" + b"9" * rng.choice((20, 400)) + b"/1")


def _coding(reply: Reply, rng: random.Random) -> None:
    """Bombs, several codings, codings that were not requested, damaged ones, and valid gzip."""
    kind = rng.randrange(7)
    if kind == 0:
        reply.put(b"content-encoding", b"gzip, gzip")
        reply.body = _pack(_pack(b"\0" * 30_000_000))
    elif kind == 1:
        reply.put(b"content-encoding", b"gzip")
        reply.body = _pack(b'{"a": "' + b" " * 60_000_000)
    elif kind == 2:
        reply.put(b"content-encoding", rng.choice((b"br", b"zstd", b"deflate", b"x" * 999)))
    elif kind == 3:
        reply.put(b"content-encoding", b"gzip")
        packed = _pack(reply.body)
        reply.body = packed[: rng.randrange(len(packed))]
    elif kind == 4:
        reply.put(b"content-encoding", b"gzip")
        packer = zlib.compressobj(wbits=31)
        reply.body = packer.compress(b"{") + b"\0\0\0\xff\xff" * 1_000_000
    else:
        reply.put(b"content-encoding", b"gzip")
        reply.body = _pack(reply.body)


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1)


def _size(reply: Reply, rng: random.Random) -> None:
    new = rng.choice(
        (
            b"[" + b"[]," * 300_000 + b"[]]",
            b"[" + b"{}," * 50_000 + b"{}]",
            b"[" + b"1," * 2_000_000 + b"1]",
            b"[" + b'{"id":"PX"},' * 100_000 + b"{}]",
            b'"' + b"t" * 1_000_000 + b'"',
            b'"' + b"t" * 7_000_000 + b'"',
            b'"' + b"t" * 30_000_000 + b'"',
            b'"' + "\U0001f600".encode() * 1_500_000 + b'"',
            b'{"' + b"k" * 1_000_000 + b'": 1}',
            b"{" + b",".join(b'"%d": 1' % n for n in range(100_000)) + b"}",
        )
    )
    if rng.random() < 0.2:
        reply.body = new
    else:
        _put_in(reply, new, rng)


def _nesting(reply: Reply, rng: random.Random) -> None:
    depth = rng.choice((15, 30, 100, 1_000, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    _put_in(reply, opening * depth + b"1" + closing * depth, rng)


def _text(reply: Reply, rng: random.Random) -> None:
    new = rng.choice(
        (
            b'"\\ud800"',
            b'"\\u0000"',
            b'"\\u202e\\u001b[2J"',
            b'"' + b"\\ud83d" * 50_000 + b'"',
            b'"\xff"',
        )
    )
    _put_in(reply, new, rng)


def _put_in(reply: Reply, new: bytes, rng: random.Random) -> None:
    """Adds a member as the first of one of the objects: existing members stay."""
    places = [match.end() for match in re.finditer(rb'\{(?=\s*")', reply.body[:2_000_000])]
    if not places:
        return
    place = rng.choice(places)
    name = rng.choice((b"extra", b"title", b"summary", b"incident_number", b"custom_fields"))
    name = rng.choice((name, b"assignments", b"Subject", b"attributes", b"totalSize", b"offset"))
    # The last of two members with one name counts: the odd one comes first, as a duplicate.
    member = b'"' + name + b'": ' + new + b", "
    reply.body = reply.body[:place] + member + reply.body[place:]
