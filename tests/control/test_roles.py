"""The role table: each cell as a pure table, and with real processes of real users in real groups."""

import json
import os
import stat
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from pagerforce.service.control.operations import OPERATIONS
from pagerforce.service.control.roles import GRANTS, NEEDS, Role, missing
from pagerforce.store.sqlite.backup import restore
from process import open_stage
from userbase import make_user_base, needs_users

A, U, M, N = Role.AUDITOR, Role.USER, Role.MANAGER, Role.ADMIN
EVERYONE, TAB = {A, U, M, N}, {A, M, N}
# The table of docs/reference/commands.md, written out by hand: who may use which command.
ALLOWED = {
    "check": TAB,
    "status": TAB,
    "log": TAB,
    "why": TAB,
    "failed list": TAB,
    "failed show": TAB,
    "failed retry": {M, N},
    "failed discard": {M, N},
    "drift": TAB,
    "drift --apply": {M, N},
    "test": {M, N},
    "verify": {M, N},
    "links list": EVERYONE,
    "links show": EVERYONE,
    "links add": {U, M, N},
    "links edit": {U, M, N},
    "links remove": {M, N},
    "links resume": {M, N},
    "simulate": EVERYONE,
    "rules list": EVERYONE,
    "rules show": EVERYONE,
    "rules check": EVERYONE,
    "rules apply": {M, N},
    "rules rollback": {M, N},
    "log-level": {N},
    "backup": {N},
    "restore": {N},
}


@pytest.mark.parametrize("command", sorted({*ALLOWED, *NEEDS, *OPERATIONS}))
def test_each_cell_is_as_written_out_here(command):
    assert {role for role in Role if not missing([role], command)} == ALLOWED[command]
    assert missing([], command)


def test_several_roles_have_the_union_and_unknown_commands_are_the_administrators():
    assert not missing([A, U], "links add")
    assert not missing([A, U], "status")
    assert missing([A, U], "links remove")
    assert missing([A, U, M], "something new")
    assert not missing([N], "something new")
    assert set(GRANTS) == set(Role)


# Real processes of real users --------------------------------------------------------------------

USERS = {"auditor": A, "user": U, "manager": M, "admin": N, "stranger": None}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """One user per role, by its group, and one without."""
    users = {name: role and role.value for name, role in USERS.items()}
    return make_user_base(tmp_path_factory.mktemp("users"), [x.value for x in Role], users)


async def ask_as(people, user, commands, config, folder=None):
    """Runs commands in one process of another user, with the groups of a login."""
    launcher = Path(__file__).with_name("as_user.py")
    lines = [[*words, "--config", str(config)] for words in commands]
    with anyio.fail_after(120):
        done = await anyio.run_process(
            [*people.prefix, sys.executable, str(launcher), user],
            input=json.dumps(lines).encode(),
            env={**os.environ, "COLUMNS": "200"},
            cwd=folder,
        )
    return json.loads(done.stdout)


@pytest.fixture
def folder():
    """A folder that other users may enter; pytest's own is closed to them. It is closed afterwards."""
    with tempfile.TemporaryDirectory(prefix="pagerforce-roles-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


# The answer of each command to an allowed user: 0, or 1 because there is no such link or action.
TRIES = {
    "status": ("status", "--json"),
    "check": ("check", "--json"),
    "log": ("log", "--json"),
    "why": ("why", "a123"),
    "failed list": ("failed", "list"),
    "failed show": ("failed", "show", "a123"),
    "failed retry": ("failed", "retry", "a123"),
    "failed discard": ("failed", "discard", "--all"),
    "links list": ("links", "list", "--json"),
    "links show": ("links", "show", "PX"),
    "links add": ("links", "add", "PX", "a0R000000000001"),
    "links edit": ("links", "edit", "PX", "a0R000000000001", "--state", "active"),
    "links remove": ("links", "remove", "PX", "a0R000000000001"),
    "links resume": ("links", "resume", "PX"),
    "simulate": ("simulate", "--json"),
    "rules list": ("rules", "list", "--json"),
    "rules show": ("rules", "show"),
    "rules check": ("rules", "check", "new.toml"),
    "rules apply": ("rules", "apply", "new.toml"),
    "rules rollback": ("rules", "rollback"),
    "backup": ("backup", "copy.db"),
    "log-level": ("log-level", "info"),
    "drift": ("drift", "--json"),
    "drift --apply": ("drift", "--apply", "--json"),
    "test": ("test", "PNOTHERE"),
}


@needs_users
async def test_the_daemon_judges_real_users_by_their_real_groups(folder, people):
    place = folder / "place"
    place.mkdir()
    place.chmod(0o1777)
    (place / "new.toml").write_text('[[rulesets]]\nname = "New"\n')
    async with open_stage(folder) as stage, stage.daemon(prefix=people.prefix) as running:
        await running.ready(60)
        for name, role in USERS.items():
            answers = await ask_as(people, name, TRIES.values(), stage.desk.config, place)
            for word, (code, out, err) in zip(TRIES, answers, strict=True):
                assert "Traceback" not in err, (name, word, err)
                if role in ALLOWED[word]:
                    assert code in (0, 1), (name, word, out, err)
                    assert "not for" not in err
                else:
                    assert (code, out) == (3, ""), (name, word, out, err)
                    assert name in err or "is not for" in err
        expected = {
            (name, word)
            for name, role in USERS.items()
            for word in TRIES
            if role not in ALLOWED[word]
        }
        # A user without read access is refused before the command looks for a repair.
        expected -= {(name, "drift --apply") for name in ("user", "stranger")}
        with anyio.fail_after(60):  # a folded action is written a little later
            while True:
                ((code, out, _),) = await ask_as(
                    people, "root", [("log", "--audit", "--json")], stage.desk.config
                )
                assert code == 0
                entries = [json.loads(line) for line in out.splitlines()]
                refused = {
                    (x["operator"]["user"], word)
                    for x in entries
                    if x["outcome"] == "refused"
                    for word in x["arguments"].get("refused", [x["command"]])
                }
                if len(refused) >= len(expected):
                    break
                await anyio.sleep(1)
        assert refused == expected
        changed = [x for x in entries if x["outcome"] == "done"]
        assert {x["operator"]["user"] for x in changed} == {"manager", "admin"}
        expected = {"log-level", "drift --apply", "rules apply", "rules rollback", "backup"}
        assert {x["command"] for x in changed} == expected
        copy = (place / "copy.db").stat()
        assert copy.st_uid == people.uids["admin"]
        assert stat.S_IMODE(copy.st_mode) == 0o600
        restore(place / "copy.db", folder / "again" / "pagerforce.db", datetime.now(UTC))


@needs_users
async def test_without_the_daemon_the_files_rights_decide(folder, people):
    async with open_stage(folder) as stage:
        async with stage.daemon(prefix=people.prefix) as running:
            await running.ready(60)
            await running.stop()
        config, state = stage.desk.config, folder / "state"
        reading = [("links", "list", "--json"), ("status", "--json"), ("log",), ("rules", "list")]
        changing = [
            ("links", "remove", "PX", "a0R000000000001"),
            ("failed", "retry", "a123"),
            ("rules", "rollback"),
            ("drift", "--apply"),
        ]
        answers = await ask_as(people, "admin", [*reading, *changing], config)
        assert [code for code, _, _ in answers] == [3] * 8, answers
        state.chmod(0o755)
        (state / "pagerforce.db").chmod(0o644)
        answers = await ask_as(people, "stranger", [*reading, *changing], config)
        assert [code for code, _, _ in answers] == [0] * 4 + [3] * 4, answers
        assert answers[0][1] == "[]\n"
        assert json.loads(answers[1][1])["ready"] is False
        answers = await ask_as(people, "root", [*changing, ("log-level", "debug")], config)
        assert [code for code, _, _ in answers] == [1, 1, 1, 0, 1], answers
        assert "compared 0 links" in answers[3][1]
        assert "needs the running daemon" in answers[4][2]
        ((code, _, err),) = await ask_as(people, "stranger", [("drift",)], config)
        assert (code, "Traceback" in err) == (2, False), (
            "it asks both sides: the secrets are closed"
        )
        assert "api_key_file" in err
        assert (state / "pagerforce.db").stat().st_uid == 0
