"""Corrupts real answers: seeded, so that a number reproduces a failure."""

import copy
import json
import random
from typing import Any

ODD = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    1.5e300,
    "",
    " ",
    "x",
    "\x00",
    "\ud800",  # half of a pair: JSON can contain it, UTF-8 cannot
    "\u202egnp.exe",
    "e\u0301" * 50,
    "a" * 100_000,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"id": None},
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59",
    "2026-02-30T00:00:00Z",
    "2026-13-01",
    "http://127.0.0.1:99999999/",
    "/services/\n",
    "٣",
)
PAGES = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b"0",
    b'"text"',
    b"NaN",
    b"<html><body>502 Bad Gateway</body></html>",
    b"<?xml version='1.0'?><Errors><Error><errorCode>X</errorCode></Error></Errors>",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"9" * 5000,
    b'{"error": ' + b"9" * 5000 + b"}",
)


def mutate(value: Any, rng: random.Random, times: int = 1) -> Any:
    """A copy with this number of places corrupted."""
    spoilt = copy.deepcopy(value)
    for _ in range(times):
        spoilt = _spoil_one(spoilt, rng)
    return spoilt


def _spoil_one(root: Any, rng: random.Random) -> Any:
    places = list(_places(root))
    if not places:
        return rng.choice(ODD)
    parent, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del parent[key]
    elif kind == 1:
        parent[key] = _nested(parent[key], rng.choice((1, 3, 60)))
    elif kind == 2 and isinstance(parent, list):
        parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(rng.choice(parent)))
    elif kind == 3:
        other, name = rng.choice(places)
        parent[key] = copy.deepcopy(other[name])
    else:
        parent[key] = copy.deepcopy(rng.choice(ODD))
    return root


def _places(value: Any) -> Any:
    """Every (container, key) within a value."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def spoil_body(body: bytes, rng: random.Random) -> bytes:
    """The body of an answer as a broken server, proxy or line delivers it."""
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice(PAGES)
    if kind == 1:
        return body[: rng.randrange(len(body) + 1)]
    if kind == 2 and body:
        place = rng.randrange(len(body))
        return body[:place] + bytes([rng.randrange(256)]) + body[place + 1 :]
    try:
        value = json.loads(body)
    except ValueError:
        return rng.choice(PAGES)
    return json.dumps(mutate(value, rng, rng.choice((1, 1, 2, 5)))).encode()
