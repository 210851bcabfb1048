"""The streaming endpoint, asked by plain requests: what the facts say that it does."""

from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from pagerforce.sandbox.clock import WallClock
from pagerforce.sandbox.salesforce import make_app, seeded_world
from pagerforce.sandbox.salesforce.seeds import INTEGRATION_USER
from pagerforce.sandbox.salesforce.streaming import StreamRefusal
from pagerforce.sandbox.server import serve

INCIDENT = "BMCServiceDesk__Incident__c"
CHANNEL = "/data/BMCServiceDesk__Incident__ChangeEvent"


class Caller:
    def __init__(self, world, http):
        self.world, self.http = world, http
        token = world.tokens.issue(world.user_id(INTEGRATION_USER), world.clock.now())
        self.headers = {"Authorization": f"Bearer {token}"}
        self.id = ""

    async def post(self, body, **headers):
        return await self.http.post("/cometd/62.0/", json=body, headers=self.headers | headers)

    async def say(self, channel, **values):
        given = {"clientId": self.id} if self.id else {}
        answer = await self.post([{"channel": channel, "id": 7, **given, **values}])
        assert answer.status_code == 200
        return answer.json()

    async def begin(self, channel=CHANNEL):
        (shaken,) = await self.say("/meta/handshake", version="1.0")
        self.id = shaken["clientId"]
        (first,) = await self.say("/meta/connect", connectionType="long-polling")
        (subscribed,) = await self.say("/meta/subscribe", subscription=channel)
        return shaken, first, subscribed

    def open_record(self):
        category = self.world.find_id("BMCServiceDesk__Category__c", Name="Network")
        return self.world.insert(INCIDENT, {"BMCServiceDesk__FKCategory__c": category})


@asynccontextmanager
async def caller(**knobs):
    world = seeded_world(WallClock())
    world.streaming.knobs.hold_seconds = 0.3
    for name, value in knobs.items():
        setattr(world.streaming.knobs, name, value)
    async with (
        serve(make_app(world)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        yield Caller(world, http)


async def test_the_first_connect_has_advice_and_later_ones_are_held():
    async with caller() as me:
        shaken, first, subscribed = await me.begin()
        assert shaken["successful"]
        assert "advice" not in shaken
        assert shaken["id"] == "7"
        assert first["advice"] == {"interval": 0, "timeout": 300, "reconnect": "retry"}
        assert subscribed["subscription"] == CHANNEL
        began = anyio.current_time()
        assert await me.say("/meta/connect") == [
            {"channel": "/meta/connect", "id": "7", "successful": True, "clientId": me.id}
        ]
        assert anyio.current_time() - began >= 0.3


async def test_an_event_stands_beside_the_answer_with_the_changed_fields():
    async with caller() as me:
        await me.begin()
        record = me.open_record()
        event, answer = await me.say("/meta/connect")
        header = event["data"]["payload"]["ChangeEventHeader"]
        assert event["channel"] == CHANNEL
        assert (header["entityName"], header["recordIds"], header["changeType"]) == (
            INCIDENT,
            [record],
            "CREATE",
        )
        assert "SystemModstamp" not in header["changedFields"]
        assert answer["successful"]
        me.world.update(INCIDENT, record, {"BMCServiceDesk__shortDescription__c": "x"})
        me.world.delete(INCIDENT, record)
        me.world.undelete(INCIDENT, record)
        found = await me.say("/meta/connect")
        kinds = [x["data"]["payload"]["ChangeEventHeader"]["changeType"] for x in found[:-1]]
        assert kinds == ["UPDATE", "DELETE", "UNDELETE"]


async def test_an_event_of_a_late_transaction_comes_at_its_commit():
    async with caller() as me:
        await me.begin()
        me.world.begin_late(60)
        me.open_record()
        assert len(await me.say("/meta/connect")) == 1
        me.world.commit_late()
        assert len(await me.say("/meta/connect")) == 2


async def test_without_its_cookies_a_client_is_unknown():
    async with caller() as me:
        await me.begin()
        me.http.cookies.clear()
        (answer,) = await me.say("/meta/connect")
        assert "no BAYEUX_BROWSER cookie present" in answer["error"]


async def test_a_client_that_stays_away_is_forgotten():
    async with caller(away_seconds=0.1) as me:
        await me.begin()
        await anyio.sleep(0.2)
        (answer,) = await me.say("/meta/connect")
        assert answer["error"] == "403::Unknown client"
        assert answer["advice"] == {"reconnect": "handshake", "interval": 0}
        assert "clientId" not in answer


async def test_a_body_is_an_array_and_bounded():
    async with caller() as me:
        assert (await me.post({"channel": "/meta/handshake"})).status_code == 400
        assert (await me.post([{"channel": "x" * 33_000}])).status_code == 413


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [("", "401::Request requires authentication"), ("Bearer x", "401::Authentication invalid")],
)
async def test_a_login_that_is_not_valid_is_denied(authorization, reason):
    async with caller() as me:
        (answer,) = (
            await me.post([{"channel": "/meta/handshake"}], Authorization=authorization)
        ).json()
        assert answer["error"] == "403::Handshake denied"
        assert answer["ext"]["sfdc"]["failureReason"] == reason


async def test_the_wait_of_a_client_is_heeded_or_ignored():
    for heeds, least in ((True, 0.0), (False, 0.3)):
        async with caller(heeds_wait=heeds) as me:
            await me.begin()
            began = anyio.current_time()
            await me.say("/meta/connect", advice={"timeout": 50})
            assert (anyio.current_time() - began >= 0.3) is bool(least)


async def test_limits_show_the_allocation_and_connects_end_with_it():
    async with caller(most_delivered=1) as me:
        await me.begin()
        me.open_record()
        assert len(await me.say("/meta/connect")) == 2
        (answer,) = await me.say("/meta/connect")
        assert answer["error"] == "403::Organization total events daily limit exceeded"
        limits = (await me.http.get("/services/data/v62.0/limits", headers=me.headers)).json()
        assert limits["DailyDeliveredPlatformEvents"] == {"Max": 1, "Remaining": 0}


async def test_requests_of_the_stream_are_no_api_calls():
    async with caller() as me:
        used = me.world.quota.used(me.world.clock.now())
        await me.begin()
        assert me.world.quota.used(me.world.clock.now()) == used


async def test_channels_that_nobody_chose_are_refused_or_silent():
    async with caller() as me:
        _, _, answer = await me.begin("/data/AccountChangeEvent")
        assert answer["error"].startswith("400::The channel you requested")
        (answer,) = await me.say("/meta/subscribe", subscription="/topic/x")
        assert answer["error"] == "403:denied_by_security_policy:create_denied"
        me.world.streaming.knobs.hides_unchosen = True
        (answer,) = await me.say("/meta/subscribe", subscription="/data/AccountChangeEvent")
        assert answer["successful"]


async def test_knobs_are_turned_over_http():
    async with caller() as me:
        knobs = {
            "stream": {"hold_seconds": 5, "heeds_wait": True, "entities": ["Case"]},
            "stream_refuse": {"step": "handshake", "error": "503::Server is too busy"},
        }
        assert (await me.http.post("/__sandbox__/knobs", json=knobs)).status_code == 204
        assert me.world.streaming.knobs.entities == {"Case"}
        assert me.world.streaming.knobs.hold_seconds == 5.0
        (answer,) = await me.say("/meta/handshake")
        assert not answer["successful"]
        wrong = [
            {"stream": {"x": 1}},
            {"stream": {"heeds_wait": 1}},
            {"stream_refuse": {"step": "x"}},
        ]
        for body in wrong:
            assert (await me.http.post("/__sandbox__/knobs", json=body)).status_code == 400


def test_a_refusal_names_a_step_and_a_count():
    with pytest.raises(ValueError, match="step"):
        StreamRefusal("x")
    with pytest.raises(ValueError, match="count"):
        StreamRefusal("connect", count=0)
