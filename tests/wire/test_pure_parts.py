"""Classification, backoff and verdicts, without a network."""

import httpx
import pytest

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    MalformedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from pagerforce.model.verdict import HaltSide, Rejected, RetryLater, Unknown
from pagerforce.wire.answer import Answer
from pagerforce.wire.backoff import backoff_seconds
from pagerforce.wire.classify import classify_answer, classify_exception
from pagerforce.wire.verdicts import verdict_of


def answer(status: int, *, is_write: bool, body: bytes = b"") -> Answer:
    return Answer("things.do", is_write, status, httpx.Headers(), body)


@pytest.mark.parametrize(
    ("status", "on_read", "on_write"),
    [
        (200, None, None),
        (204, None, None),
        (302, TransientError, TransientError),
        (400, RefusedError, RefusedError),
        (401, CredentialsError, CredentialsError),
        (404, RefusedError, RefusedError),
        (408, TransientError, UnknownOutcomeError),
        (429, BudgetError, BudgetError),
        (500, TransientError, UnknownOutcomeError),
        (503, TransientError, UnknownOutcomeError),
    ],
)
def test_what_a_status_means(status, on_read, on_write):
    for is_write, expected in ((False, on_read), (True, on_write)):
        error = classify_answer(answer(status, is_write=is_write), lambda _: None)
        assert type(error) is (expected or type(None))
        assert error is None or error.status == status


def test_the_vendor_is_asked_first_but_not_about_successes():
    own = RefusedError("as the vendor says")
    assert classify_answer(answer(500, is_write=True), lambda _: own) is own
    assert classify_answer(answer(200, is_write=True), lambda _: own) is None


@pytest.mark.parametrize(
    ("error", "on_write"),
    [
        (httpx.ConnectError("refused"), TransientError),
        (httpx.ConnectTimeout("slow"), TransientError),
        (httpx.PoolTimeout("busy"), TransientError),
        (httpx.ProxyError("403"), TransientError),
        (httpx.ReadTimeout("slow"), UnknownOutcomeError),
        (httpx.ReadError("reset"), UnknownOutcomeError),
        (httpx.WriteError("reset"), UnknownOutcomeError),
        (httpx.WriteTimeout("slow"), UnknownOutcomeError),
        (httpx.RemoteProtocolError("closed"), UnknownOutcomeError),
        (TimeoutError(), UnknownOutcomeError),
    ],
)
def test_only_what_surely_was_not_sent_counts_as_not_done(error, on_write):
    assert type(classify_exception(error, operation="o", is_write=True)) is on_write
    assert type(classify_exception(error, operation="o", is_write=False)) is TransientError


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b"nonsense"])
def test_bodies_that_no_json_decoder_reads(body):
    with pytest.raises(MalformedError):
        answer(200, is_write=False, body=body).json()
    with pytest.raises(UnknownOutcomeError):
        answer(200, is_write=True, body=body).json()


def test_a_list_is_no_object_and_nothing_is_none():
    with pytest.raises(MalformedError):
        answer(200, is_write=False, body=b"[]").json_object()
    assert answer(204, is_write=True, body=b" ").json() is None


def test_back_off_doubles_up_to_its_cap():
    waits = [backoff_seconds(n, base=2, cap=60, jitter=1.0) for n in range(1, 8)]
    assert waits == [2, 4, 8, 16, 32, 60, 60]


def test_back_off_has_full_jitter_and_survives_any_number_of_attempts():
    assert backoff_seconds(3, base=2, cap=60, jitter=0.0) == 0
    assert backoff_seconds(3, base=2, cap=60, jitter=0.25) == 2
    assert backoff_seconds(1_000_000, base=2, cap=60, jitter=1.0) == 60
    assert backoff_seconds(0, base=2, cap=60, jitter=1.0) == 2


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (CredentialsError("who"), HaltSide("who")),
        (BudgetError("slow", retry_after_seconds=7), HaltSide("slow", 7)),
        (TransientError("later"), RetryLater("later")),
        (MalformedError("odd"), RetryLater("odd")),
        (UnknownOutcomeError("lost"), Unknown("lost")),
        (RefusedError("never"), Rejected("never")),
    ],
)
def test_what_an_error_means_for_an_action(error, verdict):
    assert verdict_of(error) == verdict
