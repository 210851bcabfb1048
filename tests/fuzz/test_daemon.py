"""The daemon's parts while real answers are corrupted in transit, and afterwards."""

import json
import os
import random
from collections import Counter

import httpx
import pytest

from fuzz.mutation import PAGES, spoil_body
from fuzz.recording import Tap
from pagerforce.errors import RemoteError
from pagerforce.observe import internal_errors
from pagerforce.pagerduty import decode as pagerduty_decode
from pagerforce.rules import evaluate
from pagerforce.salesforce import decode as salesforce_decode
from rig import INCIDENT, JANE, RAJ, P, open_rig

SEEDS = range(
    int(os.environ.get("FUZZ_SEED", "0")),
    int(os.environ.get("FUZZ_SEED", "0")) + int(os.environ.get("FUZZ_LIVES", "4")),
)
DAMAGED = ("id", "type", "created_at", "Id", "SystemModstamp", f"{P}FKIncident__c", "records")
DAMAGED += ("log_entries", "compositeResponse", "incident", "note", "access_token")


class Spoiler:
    """Corrupts about every third answer while it is switched on."""

    def __init__(self, seed, spoil) -> None:
        self.is_on = False
        self.count = 0
        self._rng = random.Random(seed)
        self._spoil = spoil

    def __call__(self, request, response, body):
        status, headers = response.status_code, dict(response.headers)
        for name in ("content-length", "transfer-encoding"):
            headers.pop(name, None)
        if self.is_on and body and self._rng.random() < 0.35:
            self.count += 1
            body = self._spoil(body, self._rng)
        return httpx.Response(status, headers=headers, content=body)


def _damage(body: bytes, rng: random.Random) -> bytes:
    """Detectable damage: something required is missing or of another type; nothing is invented."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice([page for page in PAGES if page.strip()])
    if kind == 1:
        return body[: rng.randrange(len(body))]
    try:
        value = json.loads(body)
    except ValueError:
        return b"{"
    places = list(_needed(value, is_top=True))
    if not places:
        return b"[{]"
    parent, key = rng.choice(places)
    if rng.random() < 0.5:
        del parent[key]
    else:
        parent[key] = rng.choice((None, 7, True, [], {}, [[]]))
    return json.dumps(value).encode()


def _needed(value, *, is_top=False):
    """Places that no reader can do without: ids, times and types of rows, and the wrappers."""
    if isinstance(value, list):
        for item in value:
            yield from _needed(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in DAMAGED and not (key == "incident" and not is_top):
                yield value, key
            if isinstance(item, list) or key == "body":
                yield from _needed(item)


async def poll_all(daemon, errors):
    """One turn like the loops: pagerforce's own errors wait for the next turn, others are internal errors."""
    for reader in (daemon.parts.pagerduty_reader, daemon.parts.salesforce_reader):
        try:
            await reader.poll()
        except RemoteError:
            pass
        except Exception as error:  # noqa: BLE001 - reported with its seed below
            errors.append(error)
    await daemon.deliver()


@pytest.fixture
def errors(monkeypatch):
    """Internal errors that the daemon contained are reported too."""
    found = []

    def note(error):
        found.append(error)
        return "internal error"

    # Patched, because the error itself is needed and neither log nor metrics contain it.
    for module in (internal_errors, pagerduty_decode, salesforce_decode, evaluate):
        monkeypatch.setattr(module, "internal_error_text", note)
    return found


def story(rig, turn):
    """What people and monitoring do in one turn; returns the number of new troubles."""
    rig.open_record(f"trouble {turn}", priority="1")
    rig.pd.trigger("PDBA001", f"alarm {turn}")
    return 2


@pytest.mark.parametrize("seed", SEEDS)
async def test_damaged_answers_cost_time_and_nothing_else(tmp_path, monkeypatch, errors, seed):
    spoiler = Spoiler(seed, _damage)
    Tap(spoiler).put_in(monkeypatch)
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        made, notes = 0, {}
        for turn in range(6):
            spoiler.is_on = True
            made += story(rig, turn)
            for incident_id in {incident for incident, *_ in await daemon.links()}:
                rig.pd.annotate(incident_id, f"note {turn}", by=JANE)
                notes.setdefault(incident_id, []).append(f"[PagerDuty - Jane Doe] note {turn}")
            rig.advance(10)
            await poll_all(daemon, errors)
        assert spoiler.count > 5
        spoiler.is_on = False
        for _ in range(6):
            rig.advance(400)
            await poll_all(daemon, errors)
        assert errors == []
        assert len(rig.incidents()) == made
        assert len(rig.sf.rows(INCIDENT)) == made
        links = await daemon.links()
        assert Counter(incident for incident, *_ in links) == Counter(
            incident["id"] for incident in rig.incidents()
        )
        assert {state for *_, state in links} == {"active"}
        copies = {incident: rig.comments_of(record) for incident, record, _ in links}
        assert {key: sorted(texts) for key, texts in copies.items()} == {
            incident["id"]: notes.get(incident["id"], []) for incident in rig.incidents()
        }
        heard = {entry["recorded"]["event"]["id"] for entry in await daemon.log()}
        assert {f"pd:{entry['id']}" for entry in rig.pd.entries()} <= heard
        assert await daemon.dead_letters() == []


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_daemon_keeps_running_whatever_answers_say(tmp_path, monkeypatch, errors, seed):
    spoiler = Spoiler(seed, spoil_body)
    Tap(spoiler).put_in(monkeypatch)
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        for turn in range(6):
            spoiler.is_on = True
            story(rig, turn)
            record_id = rig.open_record(f"other {turn}")
            rig.comment(record_id, f"comment {turn}")
            rig.advance(10)
            await poll_all(daemon, errors)
        spoiler.is_on = False
        for _ in range(6):
            rig.advance(1000)
            await poll_all(daemon, errors)
        assert errors == []
        later = rig.open_record("afterwards", priority="1", by=RAJ)
        for _ in range(3):
            rig.advance(100)
            await poll_all(daemon, errors)
        assert errors == []
        assert sum(x["title"].endswith(": afterwards") for x in rig.incidents()) == 1
        assert later in {record for _, record, _ in await daemon.links()}
