"""Temporary and permanent refusals of an org, states of its account: the result for waiting actions.

The daemon's parts over HTTP; an instance in front of the org answers like recorded real ones.
"""

import json
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import Message

from pagerforce.errors import RemoteError
from pagerforce.sandbox.salesforce import make_app
from pagerforce.sandbox.server import serve
from rig import JANE, open_rig

CASES = Path(__file__).parents[1] / "recorded" / "salesforce"


def fault(code, message="", status=400):
    return status, [{"errorCode": code, "message": message, "fields": []}]


def case(name):
    found = json.loads((CASES / f"{name}.json").read_text())
    return found["status"], found["body"]


class Instance:
    """The org's instance; while ``mood`` is set, that is its answer to writes, or to everything."""

    def __init__(self, world):
        self._app = make_app(world)
        self.mood = None
        self.is_for_all = False
        self.refused = 0

    async def __call__(self, scope, receive, send):
        if self.mood is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        is_write = (
            scope["method"] == "PATCH"
            or b'"method":"PATCH"' in body
            or (scope["method"] == "POST" and b'"method":"GET"' not in body)
        )
        if is_write or self.is_for_all:
            self.refused += 1
            status, content = self.mood
            kind = HTMLResponse if isinstance(content, str) else JSONResponse
            await kind(content, status_code=status)(scope, receive, send)
            return

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


@asynccontextmanager
async def linked(folder):
    """A linked pair, with an acknowledgement and a note that wait to be written to the record."""
    async with open_rig(folder) as rig:
        instance = Instance(rig.sf)
        async with serve(instance) as url:
            rig.sf.instance_url = url
            async with rig.daemon() as daemon:
                record_id, incident_id = await rig.paged(daemon)
                rig.pd.acknowledge(incident_id, by=JANE)
                rig.pd.annotate(incident_id, "on it", by=JANE)
                yield rig, daemon, instance, record_id


async def endure(rig, daemon, turns, seconds=70.0):
    """Like the loops: a failed poll is only a failed poll."""
    for _ in range(turns):
        rig.advance(seconds)
        with suppress(RemoteError):
            await daemon.poll()
        await daemon.deliver()


PASSING = {
    "record currently unavailable": case("sf-01-record-currently-unavailable"),
    "a lock, four triggers deep": case("sf-03-lock-beyond-500-characters"),
    "read-only maintenance": case("sf-04-read-only-maintenance"),
    "URL_NOT_RESET": case("sf-06-url-not-reset"),
    "a page": case("sf-07-404-html"),
    "org in maintenance": fault("ORG_IN_MAINTENANCE", "maintenance", 403),
    "Apex CPU": fault("CANNOT_EXECUTE_FLOW_TRIGGER", "Apex CPU time limit exceeded"),
    "async": fault("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "AsyncApexExecutions Limit exceeded."),
    "an approval": fault("ENTITY_IS_LOCKED", "the entity is locked for editing"),
    "storage full": fault("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"),
    "a code that nobody knows": fault("FLUX_CAPACITOR_DRY", "", 403),
}


@pytest.mark.parametrize("mood", PASSING)
async def test_writes_wait_until_a_temporary_refusal_is_over(tmp_path, mood):
    async with linked(tmp_path) as (rig, daemon, instance, record_id):
        instance.mood = PASSING[mood]
        await endure(rig, daemon, 30)
        assert 2 <= instance.refused <= 100, "retried slowly"
        assert await daemon.dead_letters() == []
        assert rig.status_of(record_id) != "ACKNOWLEDGED"
        instance.mood = None
        await endure(rig, daemon, 8)
        assert rig.status_of(record_id) == "ACKNOWLEDGED"
        assert len(rig.comments_of(record_id)) == 1
        assert await daemon.dead_letters() == []


ACCOUNT = {
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD": "new password",
    "ORG_LOCKED": "owner",
    "TRIAL_EXPIRED": "owner",
    "LOGIN_DURING_RESTRICTED_DOMAIN": "IP ranges",
}


@pytest.mark.parametrize("code", ACCOUNT)
async def test_a_state_of_the_account_halts_the_side_and_says_what_to_do(tmp_path, code):
    async with linked(tmp_path) as (rig, daemon, instance, record_id):
        instance.mood, instance.is_for_all = fault(code, "no", 403), True
        await endure(rig, daemon, 30)
        assert 10 <= instance.refused <= 70, "at least every two minutes"
        assert await daemon.dead_letters() == []
        with pytest.raises(RemoteError, match=ACCOUNT[code]):
            await daemon.parts.salesforce_reader.poll()
        instance.mood = None
        rig.advance(120)
        await endure(rig, daemon, 2, seconds=31)
        assert rig.status_of(record_id) == "ACKNOWLEDGED"


REFUSED = {
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "validation rule",
    "INSUFFICIENT_ACCESS_OR_READONLY": "edit access",
    "DUPLICATES_DETECTED": "Duplicate Rules",
    "STRING_TOO_LONG": "a longer field",
    "INACTIVE_OWNER_OR_USER": "inactive",
}


@pytest.mark.parametrize("code", REFUSED)
async def test_a_refusal_is_a_dead_letter_at_once_with_advice(tmp_path, code):
    async with linked(tmp_path) as (rig, daemon, instance, _):
        instance.mood = fault(code, "UNABLE is no lock")
        await endure(rig, daemon, 2, seconds=5)
        letters = await daemon.dead_letters()
        assert letters
        assert all(REFUSED[code] in letter["reason"] for letter in letters)
