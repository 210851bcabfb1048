"""How long the stream waits, whether it is trusted, and what channels are called; without any I/O."""

from datetime import UTC, datetime, timedelta

import pytest

from pagerforce.salesforce.stream.channels import (
    LONGEST_TOPIC,
    change_channel,
    topic_name,
    topic_text,
)
from pagerforce.salesforce.stream.health import ALLOWED_DELAY, Health
from pagerforce.salesforce.stream.patience import End, EndKind, Patience, Pause

CASE, EVENTS = "Case", "/data/CaseChangeEvent"

# Waiting ---------------------------------------------------------------------------------------

ROUTINE, REFUSED, FAILED = (
    End(kind, "") for kind in (EndKind.ROUTINE, EndKind.REFUSED, EndKind.FAILED)
)


def test_the_routine_end_is_followed_at_once_and_a_second_one_after_a_pause():
    patience = Patience()
    assert patience.after(ROUTINE, 1.0) == Pause(0.0, is_down=False)
    assert patience.after(ROUTINE, 1.0) == Pause(20.0, is_down=True)
    patience.begin(1000.0)
    patience.answered(1000.0 + 10_800.0)
    assert patience.after(ROUTINE, 1.0) == Pause(0.0, is_down=False)


@pytest.mark.parametrize("lasts", [0.0, 5.0, 59.0])
def test_quick_ends_never_become_a_flood(lasts):
    patience, now, handshakes = Patience(), 0.0, 0
    while now < 3600:
        handshakes += 1
        patience.begin(now)
        now += lasts
        patience.answered(now)
        now += patience.after(ROUTINE, 0.0).seconds
    assert handshakes < 35


def test_a_refusal_waits_five_minutes_and_a_failure_ever_longer_up_to_that():
    patience = Patience()
    assert [patience.after(REFUSED, x).seconds for x in (0.0, 1.0)] == [300, 300]
    patience = Patience()
    waits = [patience.after(FAILED, 1.0).seconds for _ in range(9)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (5, 300)


# Health ----------------------------------------------------------------------------------------

T0 = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class Polls:
    def __init__(self):
        self.health, self.now = Health(), 0.0
        self.health.subscribed({CASE, "X"}, T0)
        self.poll()

    def poll(self, *found, after=60.0):
        self.now += after
        stamp = T0 + timedelta(seconds=self.now)
        self.health.polled(self.now, self.now + 0.1, dict.fromkeys(found, stamp))

    def event(self, name=CASE, after=1.0):
        self.now += after
        self.health.announced({name}, self.now)


def test_announced_changes_keep_the_trust_before_the_poll_or_soon_after():
    polls = Polls()
    for _ in range(20):
        polls.event()
        polls.poll(CASE)
        polls.poll(CASE)
        polls.event(after=ALLOWED_DELAY - 1)
    assert polls.health.distrusted == []
    assert polls.health.missed == 0


def test_changes_that_no_event_announced_end_the_trust_and_announced_ones_bring_it_back():
    polls = Polls()
    for _ in range(2):
        polls.poll(CASE)
    polls.poll()
    assert polls.health.distrusted == []
    polls.poll(CASE)
    polls.poll()
    assert polls.health.distrusted == [CASE]
    assert polls.health.missed == 3
    for _ in range(3):
        assert polls.health.distrusted == [CASE]
        polls.event()
        polls.poll(CASE)
    assert polls.health.distrusted == []


def test_an_event_of_one_object_announces_no_change_of_another():
    polls = Polls()
    for _ in range(3):
        polls.event("X")
        polls.poll(CASE)
    polls.poll()
    assert polls.health.distrusted == [CASE]


def test_an_old_event_announces_nothing_new():
    polls = Polls()
    polls.event()
    polls.poll(CASE)
    for _ in range(3):
        polls.poll(CASE)
    polls.poll()
    assert polls.health.missed == 3


def test_changes_from_before_the_subscription_and_of_uncovered_objects_are_not_judged():
    polls = Polls()
    before = {CASE: T0 - timedelta(seconds=1)}
    for _ in range(5):
        polls.now += 60
        polls.health.polled(polls.now, polls.now, before)
        polls.poll("Y")
    polls.health.ended()
    for _ in range(5):
        polls.poll(CASE)
    polls.health.subscribed({"X"}, T0)
    for _ in range(5):
        polls.poll(CASE)
    polls.poll()
    assert polls.health.missed == 0


def test_distrust_outlives_a_new_client_id():
    polls = Polls()
    for _ in range(4):
        polls.poll(CASE)
    polls.health.ended()
    polls.health.subscribed({CASE, "X"}, T0)
    assert polls.health.distrusted == [CASE]


# Channels --------------------------------------------------------------------------------------


def test_channels_are_named_after_the_object():
    assert change_channel("Case") == EVENTS
    assert (
        change_channel("BMCServiceDesk__Incident__c")
        == "/data/BMCServiceDesk__Incident__ChangeEvent"
    )
    assert change_channel("Task__c") == "/data/Task__ChangeEvent"


def test_names_of_topics_are_short_and_differ():
    names = [
        "BMCServiceDesk__Incident__c",
        "Incident__c",
        "BMCServiceDesk__IncidentHistory__c",
        "Case",
        "CaseComment",
    ]
    topics = {topic_name(name) for name in names}
    assert len(topics) == len(names)
    assert all(len(name) <= LONGEST_TOPIC and name.replace("_", "").isalnum() for name in topics)
    assert topic_text("Case", "62.0").startswith("insert new PushTopic(Name='pf_Case_")
