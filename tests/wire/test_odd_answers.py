"""Limits of a parsed answer: numbers of 64 bits, a bounded size, one coding, a plausible clock."""

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pagerforce.wire.answer import OUT_OF_RANGE, ExcessError, parse_json, tellable
from pagerforce.wire.bounds import MAX_DEPTH, ONE, Bounds, bounds_of, excess
from pagerforce.wire.inflate import Body, CodingError, TooMuchError
from pagerforce.wire.oddities import find_oddities
from pagerforce.wire.remote_clock import ENOUGH, RemoteClock, parse_http_date

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SMALL = Bounds(10_000, 100, 20)


@pytest.mark.parametrize("text", ["9" * 400, "-" + "9" * 5000, "1e999", "-1e999", "1" * 310])
def test_a_number_beyond_64_bits_is_none(text):
    assert parse_json(f'{{"a": {text}, "b": 1}}'.encode()) == {"a": OUT_OF_RANGE, "b": 1}


def test_long_integers_beside_an_odd_number_are_treated_alike():
    body = f"[1e999, {2**63 - 1}, {-(2**63)}, {2**63}, {'1' * 30}, 1.5, 0.{'1' * 500}]"
    found = parse_json(body.encode())
    assert found[1:3] == [2**63 - 1, -(2**63)]
    assert [item is OUT_OF_RANGE for item in found] == [1, 0, 0, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud800"', "�"),
        (r'"\udc00"', "�"),
        (r'"\ud800\udc00"', "\U00010000"),
        (r'"\ud800\ud800\udc00"', "�\U00010000"),
        (r'"\ud800\udc00\udc00"', "\U00010000�"),
        (r'"\\ud800"', r"\ud800"),
        (r'"\\\ud800 \\\\ud800"', "\\� \\\\ud800"),
        (r'"\ud83d\n"', "�\n"),
    ],
)
def test_half_a_surrogate_pair_becomes_what_can_be_stored(text, value):
    assert parse_json(f"[{text}]".encode()) == [value]
    assert parse_json(f"[{text}, 1e999]".encode())[0] == value


@pytest.mark.parametrize(
    "body",
    [
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[0," * 30 + b"[" * 900 + b"]" * 930,
        b'{"a":' * 70 + b"1" + b"}" * 70,
        b"[" + b"[]," * 60 + b"[]]",
        b"[" + b"{}," * 60 + b"{}]",
        b"[" + b"1," * 150 + b"1]",
        b"[" + b" " * 10_001 + b"]",
    ],
)
def test_what_is_too_large_too_full_or_too_deep_is_not_parsed(body):
    with pytest.raises(ExcessError):
        parse_json(body, SMALL)


def test_the_content_of_strings_does_not_count():
    row = {"a": "[" * 500 + "," * 500, 'b"\\': '\\"[[[' * 100, "c\\": "\\", "d": "[\\\\" * 50}
    body = json.dumps([row, "[" * 100, [], {}]).encode()
    assert excess(body, Bounds(100_000, 12, 4)) is None
    assert excess(body, Bounds(100_000, 5, 4)) == "holds more than 5 values"
    assert excess(body, Bounds(100_000, 12, 2)) == "holds more than 2 lists and objects"


def test_a_page_of_rows_may_hold_what_both_vendors_send():
    row = {"attributes": {"type": "Case", "url": "/x"}, **{f"F{n}": "text" for n in range(20)}}
    page = {"records": [row] * 2000, "done": True}
    composite = {"compositeResponse": [{"body": page, "httpStatusCode": 200}] * 5}
    assert excess(json.dumps(page).encode(), bounds_of("query")) is None
    assert excess(json.dumps(composite).encode(), bounds_of("composite")) is None


def feed(data: bytes, coding: str, most: int = 100_000, step: int = 50) -> bytes:
    body = Body(coding, most)
    for start in range(0, len(data), step):
        body.feed(data[start : start + step])
    return body.end()


def test_one_coding_is_unpacked():
    text = b"some text " * 1000
    assert (
        feed(gzip.compress(text), "gzip") == feed(gzip.compress(text), " X-GZIP ,identity") == text
    )
    assert feed(text, "") == feed(text, "identity") == text
    assert feed(b"", "gzip") == b""


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "deflate", "gzip,br", "a" * 9000])
def test_any_other_coding_is_refused(coding):
    with pytest.raises(CodingError):
        Body(coding, 100)


def test_what_unpacks_to_more_than_its_bound_is_not_unpacked():
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(TooMuchError):
        feed(bomb, "gzip", step=len(bomb))
    body = Body("gzip", 1000)
    with pytest.raises(TooMuchError):
        body.feed(bomb)
    assert len(body.so_far()) == 1000


def test_packed_text_that_unpacks_to_nothing_ends_too():
    packer = zlib.compressobj(wbits=31)
    empty = packer.compress(b"") + b"".join(packer.flush(zlib.Z_SYNC_FLUSH) for _ in range(10_000))
    with pytest.raises(TooMuchError):
        feed(empty + b"\0\0\0\xff\xff" * 10_000, "gzip", most=1000)


def test_damaged_packing_is_reported_as_such():
    for data in (b"no gzip at all", gzip.compress(b"x" * 500)[:-9], gzip.compress(b"x" * 500)[:8]):
        with pytest.raises(CodingError):
            feed(data, "gzip")


class HostClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


def date_of(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "",
        "soon",
        "x" * 100_000,
    ],
)
def test_an_unusable_date_is_ignored(text):
    clock = RemoteClock(HostClock())
    for _ in range(ENOUGH + 1):
        assert not clock.note(text)
    assert parse_http_date(text) is None
    assert clock.find() is None
    assert clock.now() == NOW


def test_a_clock_near_to_what_is_known_is_used_at_once():
    clock = RemoteClock(HostClock())
    assert clock.note(date_of(NOW + timedelta(hours=20)))
    assert clock.now() == NOW + timedelta(hours=20)
    assert clock.note(date_of(NOW + timedelta(hours=20, minutes=4)))
    assert not clock.note(date_of(NOW + timedelta(hours=21)))
    assert clock.now() == NOW + timedelta(hours=20, minutes=4)


def test_one_odd_date_moves_nothing_and_several_that_agree_do():
    host = HostClock()
    clock = RemoteClock(host)
    clock.note(date_of(NOW))
    for odd in (40, 4000, -3000, 41, 40):
        assert not clock.note(date_of(NOW + timedelta(days=odd)))
    assert clock.now() == NOW
    there = NOW + timedelta(days=400)
    told = []
    for _ in range(ENOUGH):
        host.seconds += 100
        told.append(clock.note(date_of(there + timedelta(seconds=host.seconds))))
    assert told == [False] * (ENOUGH - 1) + [True]
    assert clock.now() == there + timedelta(seconds=host.seconds)


def test_what_a_remote_side_says_is_one_printable_line():
    assert tellable(" a\n\tb\x1b[2J\u202e\u2028c ", 100) == "a b�[2J� c"
    assert tellable("x" * 10_000_000, 20) == "x" * 17 + "..."


def test_oddities_are_named_by_place_and_never_repeated():
    secret = "s" * 200_000
    row = {
        "n": OUT_OF_RANGE,
        "deep": {"x": [{"y": 2**63}]},
        "title": secret,
        "many": [1] * 1001,
        "k" * 300: 1,
        "\x1b[2J": {"z": 1e30},
    }
    found = find_oddities(row)
    assert found[0] == "n is no number of 64 bits"
    assert found[1] == "deep.x.y is no number of 64 bits"
    assert len(found) == 5
    assert not any("sss" in text or "\x1b" in text or "kkk" in text for text in found)
    assert find_oddities({"\x1b[2J": {"z": 1e30}}) == ("?.z is no number of 64 bits",)
    assert find_oddities({"a": [1.5, True, None, {"b": "c"}], "n": 2**63 - 1}) == ()


def test_the_bounds_hold_for_every_operation():
    assert bounds_of("whatever") is ONE
    assert bounds_of("login").size < ONE.size < bounds_of("query").size


def test_a_late_answer_moves_no_clock_back_and_several_in_a_row_do():
    host = HostClock()
    clock = RemoteClock(host)
    clock.note(date_of(NOW))
    for late in (5, 5, 0, 5, 5, 1, 30, 30, -1):  # a fresh answer in between
        clock.note(date_of(NOW - timedelta(seconds=late)))
        assert clock.now() == max(NOW, NOW - timedelta(seconds=late))
    for late in (9, 4):
        clock.note(date_of(NOW - timedelta(seconds=late)))
    assert clock.now() == NOW + timedelta(seconds=1)
    assert not clock.is_doubtful
    clock.note(date_of(NOW - timedelta(seconds=6)))
    assert clock.now() == NOW - timedelta(seconds=4), "the newest of them"
