from pathlib import Path

import pytest

from pagerforce.config.load import DEFAULT_PATH, find_config
from pagerforce.config.paths import control_socket, state_dir
from unit.config.config_catalog import load, problems_of, write


def test_the_option_wins_over_the_variable_and_that_over_the_default():
    environ = {"PAGERFORCE_CONFIG": "/two.toml"}
    assert find_config(Path("/one.toml"), environ) == Path("/one.toml")
    assert find_config(None, environ) == Path("/two.toml")
    assert find_config(None, {"PAGERFORCE_CONFIG": ""}) == DEFAULT_PATH
    assert find_config(None, {}) == Path("/etc/pagerforce/config.toml")


def test_systemd_folders_win_and_the_first_of_several_counts(tmp_path):
    config = load(write(tmp_path)).config
    environ = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "RUNTIME_DIRECTORY": "/run/a:/run/b"}
    assert state_dir(config, environ) == Path("/var/lib/a")
    assert control_socket(config, environ) == Path("/run/a/control.sock")
    assert state_dir(config, {}) == Path("/var/lib/pagerforce")
    assert control_socket(config, {}) == Path("/run/pagerforce/control.sock")


def test_relative_paths_are_taken_from_the_files_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    text = '[daemon]\nstate_dir = "state"\ncontrol_socket = "run/own.sock"'
    path = write(tmp_path, text)
    config = load(Path(tmp_path.name) / path.name).config
    assert state_dir(config, {}) == tmp_path / "state"
    assert config.daemon.control_socket == tmp_path / "run/own.sock"
    assert control_socket(config, {"RUNTIME_DIRECTORY": "/run/a"}) == Path("/run/a/own.sock")


def test_an_empty_socket_stays_disabled_whatever_systemd_gives(tmp_path):
    config = load(write(tmp_path, '[daemon]\ncontrol_socket = ""')).config
    assert control_socket(config, {"RUNTIME_DIRECTORY": "/run/pagerforce"}) is None


@pytest.mark.parametrize("source", ["configuration", "systemd"])
def test_a_socket_path_that_cannot_be_bound_is_refused_at_load(tmp_path, source):
    long = "/run/" + "x" * 100
    if source == "configuration":
        found = problems_of(write(tmp_path, {"daemon": {"control_socket": f"{long}/c.sock"}}))
    else:
        found = problems_of(write(tmp_path), RUNTIME_DIRECTORY=long)
    assert list(found) == ["config.toml: daemon.control_socket"]
    assert "107 bytes" in found["config.toml: daemon.control_socket"]
