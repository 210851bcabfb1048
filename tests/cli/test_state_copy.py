"""``state copy`` between both engines, as an operator runs it: the daemon goes on where it was."""

import json
import secrets
from contextlib import contextmanager

import pytest
from anyio.to_thread import run_sync

from engines import IS_POSTGRESQL, need_postgresql
from inprocess import invoke
from postgresql_server import shared_server
from rig import JANE, open_rig

pytestmark = pytest.mark.skipif(IS_POSTGRESQL, reason="names both engines by itself")


@pytest.fixture
def target():
    need_postgresql()
    name = f"test_{secrets.token_hex(6)}"
    yield shared_server().url(), name
    shared_server().ask(f'DROP SCHEMA IF EXISTS "pagerforce_{name}" CASCADE')


def command(rig, *words):
    return run_sync(lambda: invoke(*words, config=rig.desk.config))


@contextmanager
def kept_in(rig, url, name):
    """Lets the configuration name this state."""
    before = rig.desk.config.read_text(encoding="utf-8")
    text = f'{before}\n[state]\nurl = "{url}"\nconnection = "{name}"\n'
    rig.desk.config.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        rig.desk.config.write_text(before, encoding="utf-8")


async def test_a_state_moves_to_postgresql_and_back_and_the_daemon_goes_on(tmp_path, target):
    url, name = target
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record_id, incident_id = await rig.paged(daemon)
            code, _, said = await command(rig, "state", "copy", "--to", url, "--connection", name)
            assert code == 1
            assert "another pagerforce uses it" in said
        code, shown, said = await command(
            rig, "state", "copy", "--to", url, "--connection", name, "--json"
        )
        assert code == 0, said
        assert json.loads(shown)["to"].endswith(f"({name})")
        with kept_in(rig, url, name):
            async with rig.daemon() as daemon:
                assert await daemon.links() == [(incident_id, record_id, "active")]
                rig.pd.acknowledge(incident_id, by=JANE)
                await daemon.step(3)
                assert rig.status_of(record_id) == "ACKNOWLEDGED"
                assert len(rig.incidents()) == 1
                code, _, said = await command(
                    rig, "state", "copy", "--to", f"sqlite://{tmp_path}/new/pagerforce.db"
                )
                assert code == 1
                assert "another pagerforce uses it" in said
            new = tmp_path / "new" / "pagerforce.db"
            code, _, said = await command(rig, "state", "copy", "--to", f"sqlite://{new}")
            assert code == 0, said
            assert new.stat().st_mode & 0o777 == 0o600
            code, _, said = await command(rig, "state", "copy", "--to", f"sqlite://{new}")
            assert code == 1
            assert "exists already" in said
        new.replace(tmp_path / "state" / "pagerforce.db")
        async with rig.daemon() as daemon:
            rig.pd.resolve(incident_id, by=JANE)
            await daemon.step(3)
            assert len(rig.incidents()) == 1
            assert await daemon.dead_letters() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "postgresql://db1/x"], "--connection"),
        (["--to", "postgresql://a:b@db1/x", "--connection", "x"], "password"),
        (["--to", "postgresql://db1/x", "--connection", "NO NAME"], "small letters"),
        (["--to", "mysql://db1/x"], "postgresql://"),
        (["--to", "sqlite://relative"], "whole path"),
    ],
)
async def test_a_wrong_target_is_explained(tmp_path, words, said):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon():
            pass
        code, _, shown = await command(rig, "state", "copy", *words)
        assert code == 1
        assert said in shown
        assert "Traceback" not in shown
