"""Every decoder, through the real client, on corrupted answers: a value, a flaw, or pagerforce's error.

More examples: ``make fuzz``, or ``FUZZ=300 FUZZ_SEED=7``.
"""

import os
import random
import re

import anyio
import pytest

from fuzz.clients import CALLS, open_clients
from fuzz.mutation import ODD, spoil_body
from fuzz.recording import record
from pagerforce.errors import RemoteError
from pagerforce.model.incident import Incident, LogEntry
from pagerforce.model.record import Comment, Record
from pagerforce.store.codec import to_text

EXAMPLES = int(os.environ.get("FUZZ", "15"))
FIRST_SEED = int(os.environ.get("FUZZ_SEED", "0"))
_HEADERS = ("date", "content-type", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
_HEADERS += ("sforce-limit-info", "content-encoding")
_ODD_HEADERS = (
    *(text for text in ODD if isinstance(text, str) and len(text) < 100),
    "gzip",
    "api-usage=" + "9" * 400 + "/" + "9" * 400,
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    "inf",
    "nan",
    "1e999",
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return record(tmp_path_factory.mktemp("recorded"), patch)


def test_real_answers_are_recorded_of_every_call(recorded):
    assert {item.operation for item in recorded} == set(CALLS)
    assert {item.status for item in recorded} >= {200, 201, 204, 400, 401, 404, 429, 503}


async def test_real_answers_are_understood(recorded):
    async with open_clients() as clients:
        for item in recorded:
            if item.status < 400:
                values, flaws, count = await _decode(clients, item, item.headers, item.body)
                assert (len(values), flaws) == (count, []), str(item)


@pytest.mark.parametrize("operation", sorted(CALLS))
async def test_a_corrupted_answer_is_a_value_a_flaw_or_a_known_error(recorded, operation):
    async with open_clients() as clients:
        for item in (item for item in recorded if item.operation == operation):
            for seed in range(FIRST_SEED, FIRST_SEED + EXAMPLES):
                rng = random.Random(f"{item} {seed}")
                body, headers = spoil_body(item.body, rng), _spoil_headers(item.headers, rng)
                place = f"{item}, FUZZ_SEED={seed}: {headers} {body[:2000]!r}"
                try:
                    values, flaws, count = await _decode(clients, item, headers, body)
                except RemoteError as error:
                    _storable(str(error), place)
                except Exception as error:
                    raise AssertionError(place) from error
                else:
                    assert len(values) + len(flaws) == count, f"silently dropped: {place}"
                    for thing in (*values, *(flaw.what + flaw.where for flaw in flaws)):
                        _storable(thing, place)


async def _decode(clients, item, headers, body):
    answers = clients.answers
    answers.status, answers.body, answers.asked = item.status, body, 0
    dropped = ("content-length", "transfer-encoding")
    answers.headers = [
        (name.encode(), value.encode("latin-1")) for name, value in headers if name not in dropped
    ]
    with anyio.fail_after(20):
        return await CALLS[item.operation](clients)


def _spoil_headers(headers, rng):
    if rng.random() < 0.8:
        return list(headers)
    odd = rng.choice(_ODD_HEADERS).encode("utf-8", "replace")
    return [
        *headers,
        (rng.choice(_HEADERS), odd.replace(b"\n", b"").replace(b"\0", b"").decode("latin-1")),
    ]


def _storable(value, place) -> None:
    """The decoded values are stored in the database as UTF-8 text, and read again."""
    if isinstance(value, str | Incident | LogEntry | Record | Comment):
        try:
            text = to_text(value)
            text.encode()
        except Exception as error:
            raise AssertionError(f"cannot be stored: {place}") from error
        assert not {"Infinity", "NaN"} & set(re.findall(r"\w+", text)), f"no JSON: {place}"
