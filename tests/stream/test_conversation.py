"""What an answer of the streaming endpoint means, without any I/O: recorded forms and odd ones."""

import pytest

from pagerforce.salesforce.stream import bayeux
from pagerforce.salesforce.stream.bayeux import Meaning
from pagerforce.salesforce.stream.conversation import Conversation, Loss, Step
from pagerforce.salesforce.stream.patience import EndKind

CASE, EVENTS = "Case", "/data/CaseChangeEvent"
# As recorded, key order included.
SHAKEN = [
    {
        "ext": {"replay": True, "payload.format": True},
        "minimumVersion": "1.0",
        "clientId": "c1",
        "supportedConnectionTypes": ["long-polling"],
        "channel": "/meta/handshake",
        "id": "1",
        "version": "1.0",
        "successful": True,
    }
]
FIRST = [
    {
        "clientId": "c1",
        "advice": {"interval": 0, "timeout": 110000, "reconnect": "retry"},
        "channel": "/meta/connect",
        "id": "2",
        "successful": True,
    }
]
LATER = [{"clientId": "c1", "channel": "/meta/connect", "id": "4", "successful": True}]
UNKNOWN = [
    {
        "advice": {"reconnect": "handshake", "interval": 0},
        "channel": "/meta/connect",
        "id": "9",
        "error": "403::Unknown client",
        "successful": False,
    }
]
EVENT = {
    "channel": EVENTS,
    "data": {"schema": "x", "payload": {"ChangeEventHeader": {"recordIds": ["5001"]}}},
}


def talking(**more):
    """A conversation whose next request is a held connect."""
    talk = Conversation({EVENTS: CASE}, **more)
    for body in (SHAKEN, FIRST, subscribed()):
        outcome = tell(talk, body)
    assert outcome.is_subscribed
    return talk


def subscribed(channel=EVENTS, **more):
    return [
        {
            "channel": "/meta/subscribe",
            "clientId": "c1",
            "subscription": channel,
            "successful": True,
            **more,
        }
    ]


def tell(talk, body, *, seconds=0.1, now=0.0):
    return talk.answered(talk.ask(now), bayeux.read(body), seconds=seconds, now=now)


def refusal(error, reason="", channel="/meta/connect", reconnect="none", interval=0):
    found = {
        "channel": channel,
        "successful": False,
        "error": error,
        "advice": {"reconnect": reconnect, "interval": interval},
    }
    return [{**found, "ext": {"sfdc": {"failureReason": reason}}} if reason else found]


def test_the_sequence_is_handshake_connect_subscribe_connect():
    talk = Conversation({EVENTS: CASE, "/topic/x": CASE})
    steps = []
    for body in (
        SHAKEN,
        FIRST,
        subscribed(),
        refusal("404", channel="/meta/subscribe"),
        LATER,
        LATER,
    ):
        steps.append(talk.ask(0.0).step)
        tell(talk, body)
    assert steps == [
        Step.HANDSHAKE,
        Step.FIRST_CONNECT,
        Step.SUBSCRIBE,
        Step.SUBSCRIBE,
        Step.CONNECT,
        Step.CONNECT,
    ]
    assert talk.covered == {CASE}


def test_messages_are_as_the_server_wants_them():
    message = Conversation({EVENTS: CASE}).ask(0.0).message
    assert message["supportedConnectionTypes"] == ["long-polling"]
    assert message["ext"] == {"replay": True}
    assert bayeux.subscribe("c1", EVENTS)["ext"] == {"replay": {EVENTS: -1}}
    assert bayeux.connect("c1", 30.0)["advice"] == {"timeout": 30000}


def test_an_event_beside_an_answer_announces_its_object_whatever_it_holds():
    talk = talking()
    for data in (
        EVENT["data"],
        None,
        [],
        {"payload": {"ChangeEventHeader": {"recordIds": ["001*"]}}},
    ):
        assert tell(talk, [{"channel": EVENTS, "data": data}, *LATER]).announced == {CASE}
    assert tell(talk, [{"channel": "/data/OtherChangeEvent"}, *LATER]).announced == set()


@pytest.mark.parametrize(
    "body",
    [None, {}, [], [None], [1, "x"], [{"channel": 4}], "text", [{"channel": "/meta/connect"}]],
)
def test_an_answer_that_says_nothing_is_lost_and_raises_nothing(body):
    talk = talking()
    assert tell(talk, body).announced == set()
    outcome = tell(talk, body)
    assert outcome.end is not None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (UNKNOWN, EndKind.ROUTINE),
        (refusal("402::Unknown client", reconnect="handshake", interval=500), EndKind.ROUTINE),
        (
            refusal(
                "400::Client c1 has established a session, but no BAYEUX_BROWSER cookie present"
            ),
            EndKind.ROUTINE,
        ),
        (refusal("401::Authentication invalid"), EndKind.LOGIN),
        (refusal("403::Organization total events daily limit exceeded"), EndKind.REFUSED),
        (refusal("403:denied_by_security_policy:x", "503::Server is too busy"), EndKind.FAILED),
        ([{**LATER[0], "advice": {"reconnect": "none"}}], EndKind.REFUSED),
        ([{**LATER[0], "advice": {"reconnect": "handshake"}}], EndKind.ROUTINE),
        ([{**LATER[0], "clientId": "c2"}], EndKind.ROUTINE),
    ],
)
def test_what_ends_a_client_id(body, kind):
    assert tell(talking(), body).end.kind is kind


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        (
            refusal("403::Handshake denied", "401::Authentication invalid", "/meta/handshake"),
            Meaning.LOGIN,
        ),
        (refusal("401::Authentication invalid", "", "/meta/handshake"), Meaning.LOGIN),
        (
            refusal(
                "403::Handshake denied", "401::Request requires authentication", "/meta/handshake"
            ),
            Meaning.NO_LOGIN,
        ),
        (
            refusal("403::Organization concurrent user limit exceeded", "", "/meta/handshake"),
            Meaning.REFUSED,
        ),
        (
            refusal(
                "403:denied_by_security_policy:create_denied",
                "503::Server is too busy",
                "/meta/subscribe",
            ),
            Meaning.BUSY,
        ),
    ],
)
def test_the_failure_reason_is_read_before_the_error(body, meaning):
    assert bayeux.read(body).replies[0].meaning is meaning


def test_retry_advice_is_heeded_once_and_bounded():
    talk = talking()
    outcome = tell(talk, refusal("x", reconnect="retry", interval=2500))
    assert (outcome.end, outcome.pause) == (None, 2.5)
    assert tell(talk, refusal("x", reconnect="retry", interval=10**9)).end.kind is EndKind.FAILED
    talk = talking()
    assert tell(talk, refusal("x", reconnect="retry", interval=10**9)).pause == 60.0


def test_a_server_that_answers_at_once_is_not_flooded():
    assert tell(talking(), LATER).pause == 1.0


def test_the_deadline_is_the_announced_time_until_the_server_is_seen_to_heed_the_shorter_one():
    talk = talking()
    assert talk.ask(0.0).deadline == 130.0
    tell(talk, LATER, seconds=110.0)
    assert talk.ask(0.0).deadline == 130.0
    tell(talk, LATER, seconds=30.2)
    assert talk.ask(0.0).deadline == 50.0
    assert (
        talk.lost(talk.ask(0.0), Loss("no answer", is_silence=True), 0.0).end.kind is EndKind.FAILED
    )
    assert talk.ask(0.0).deadline == 130.0


def test_a_server_can_ask_for_less_patience_but_not_for_more():
    for timeout, deadline in ((5000, 25.0), (10**9, 130.0), (-1, 130.0), ("x", 130.0)):
        talk = Conversation({EVENTS: CASE})
        tell(talk, SHAKEN)
        tell(talk, [{**FIRST[0], "advice": {"timeout": timeout}}])
        tell(talk, subscribed())
        assert talk.ask(0.0).deadline == deadline


def test_a_cut_connect_is_repeated_once_with_the_same_client_id():
    talk = talking()
    assert talk.lost(talk.ask(0.0), Loss("cut"), 0.0).end is None
    assert talk.ask(0.0).message["clientId"] == "c1"
    tell(talk, LATER)
    assert talk.lost(talk.ask(0.0), Loss("cut"), 0.0).end is None
    assert talk.lost(talk.ask(0.0), Loss("cut"), 0.0).end.kind is EndKind.FAILED


def test_a_refused_channel_is_tried_again_while_the_others_work():
    talk = Conversation({EVENTS: CASE, "/data/XChangeEvent": "X"})
    for body in (SHAKEN, FIRST, subscribed()):
        tell(talk, body)
    outcome = tell(talk, refusal("403::Restricted channel", channel="/meta/subscribe"))
    assert outcome.is_subscribed
    assert talk.refused == {"/data/XChangeEvent": "403::Restricted channel"}
    assert talk.ask(299.0).step is Step.CONNECT
    assert talk.ask(300.0).channel == "/data/XChangeEvent"
    assert tell(talk, subscribed("/data/XChangeEvent"), now=300.0).is_subscribed
    assert talk.covered == {CASE, "X"}
    assert talk.refused == {}


def test_a_page_instead_of_a_subscription_refuses_that_channel_only():
    talk = Conversation({EVENTS: CASE, "/data/XChangeEvent": "X"})
    tell(talk, SHAKEN)
    tell(talk, FIRST)
    talk.lost(talk.ask(0.0), Loss("a page", is_answered=True), 0.0)
    assert tell(talk, subscribed("/data/XChangeEvent")).is_subscribed
    assert talk.covered == {"X"}


def test_without_any_channel_there_is_no_stream():
    talk = Conversation({EVENTS: CASE})
    tell(talk, SHAKEN)
    tell(talk, FIRST)
    end = tell(
        talk, refusal("403:denied_by_security_policy:create_denied", channel="/meta/subscribe")
    ).end
    assert end.kind is EndKind.REFUSED
    assert "create_denied" in end.reason


def test_a_reason_is_one_short_line():
    reply = bayeux.read(refusal("x\n\x1b[31m" + "y" * 5000)).replies[0]
    assert len(reply.reason) <= 200
    assert reply.reason.isprintable()
