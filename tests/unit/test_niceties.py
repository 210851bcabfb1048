"""What is left out of a new incident when PagerDuty refuses something."""

import pytest

from pagerforce.errors import RefusedError
from pagerforce.pagerduty.actions.niceties import Page, without_refused

FULL = {
    "type": "incident",
    "title": "down",
    "service": {"id": "PNET001"},
    "incident_key": "k",
    "urgency": "low",
    "priority": {"id": "P1"},
    "body": {"type": "incident_body", "details": "x" * 3000},
    "escalation_policy": {"id": "PEP"},
}
NEEDED = {"type", "title", "service", "incident_key"}


def refused(text, code="2001", status=400):
    return RefusedError(f"incidents.create: HTTP {status} ({text})", status=status, code=code)


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (refused("Invalid Priority", "1020"), {"priority"}),
        (refused("Urgency is not offered by this service"), {"urgency"}),
        (refused("Escalation Policy Not Found", "1014"), {"escalation_policy"}),
        (refused("the plan lacks priorities", "2014", 402), {"priority"}),
        (refused("Something about it all"), set(FULL) - NEEDED),
    ],
)
def test_the_narrowest_part_is_left_out(error, gone):
    page = without_refused(Page(FULL), error)
    assert page is not None
    assert set(FULL) - set(page.body) == gone
    assert all(name in page.remark for name in gone)


def test_texts_that_are_too_long_are_cut_before_anything_is_left_out():
    error = refused("is too long (maximum is 255 characters)")
    title = without_refused(Page({**FULL, "title": "t" * 900}), error)
    body = without_refused(title, error)
    assert len(body.body["title"]) == 255
    assert len(body.body["body"]["details"]) == 2000
    assert "title cut" in body.remark
    assert "body cut" in body.remark


def test_what_is_needed_is_never_left_out():
    bare = Page({name: FULL[name] for name in NEEDED})
    assert without_refused(bare, refused("Something about it all")) is None
    assert without_refused(Page(FULL), refused("Service Not Found", "5002")) is None
    assert without_refused(Page(FULL), refused("no", "", 401)) is None


def test_it_ends_whatever_is_refused():
    page, sent = Page({**FULL, "title": "t" * 900}), 0
    while page is not None:
        page = without_refused(page, refused("priority urgency body is too long"))
        sent += 1
    assert sent <= 10
