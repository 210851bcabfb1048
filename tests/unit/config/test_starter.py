import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pagerforce.config.offline import check_offline, offline_lines
from pagerforce.config.secret import load_secrets
from pagerforce.config.starter import write_starter
from pagerforce.errors import ConfigError
from unit.config.config_catalog import CATALOG

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NAMES = ["config.toml", "salesforce.crt", "salesforce.key"]


def test_the_starter_loads_passes_the_offline_check_and_finds_its_own_key(tmp_path):
    folder = tmp_path / "new" / "folder"
    paths = write_starter(folder, now=NOW)
    assert paths == tuple(
        folder / name for name in ("config.toml", "salesforce.key", "salesforce.crt")
    )
    loaded = check_offline(paths[0], catalog=CATALOG, environ={})
    assert all(line.ok for line in offline_lines(loaded, {}, now=NOW))
    assert loaded.config.daemon.mode == "shadow"
    environ = {"PAGERFORCE_PAGERDUTY_API_KEY": "key"}
    secrets = load_secrets(loaded.config, environ)
    assert secrets.salesforce_private_key.reveal() == paths[1].read_text().strip()


def test_the_certificate_belongs_to_the_key_and_is_valid_for_two_years(tmp_path):
    _, key_path, certificate_path = write_starter(tmp_path, now=NOW)
    key = load_pem_private_key(key_path.read_bytes(), password=None)
    certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    certificate.public_key().verify(
        key.sign(b"x", PKCS1v15(), SHA256()), b"x", PKCS1v15(), SHA256()
    )
    assert key.key_size >= 2048
    assert certificate.not_valid_before_utc <= NOW
    assert certificate.not_valid_after_utc == NOW + timedelta(days=730)


def test_the_key_is_readable_by_its_owner_only(tmp_path):
    write_starter(tmp_path, now=NOW)
    assert stat.S_IMODE((tmp_path / "salesforce.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_nothing_is_overwritten_or_added_where_one_of_the_files_is(tmp_path, name, kind):
    existing = tmp_path / name
    if kind == "file":
        existing.write_text("mine")
    else:
        existing.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="never overwritten") as caught:
        write_starter(tmp_path, now=NOW)
    assert [problem.where for problem in caught.value.problems] == [str(existing)]
    assert list(tmp_path.iterdir()) == [existing]


def test_a_failure_half_way_leaves_nothing_behind(tmp_path, monkeypatch):
    # Patched because a test can't fill the disk.
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ConfigError, match="No space left"):
        write_starter(tmp_path, now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can not be written"):
        write_starter(tmp_path / "file" / "below", now=NOW)


def test_the_starter_shows_where_to_fill_in():
    text = Path(write_starter.__code__.co_filename).with_name("starter.toml").read_text()
    for key in ("from_email", "login_url", "org_id", "consumer_key", "username"):
        line = next(i for i, one in enumerate(text.splitlines()) if one.startswith(f"{key} ="))
        assert "FILL IN" in "\n".join(text.splitlines()[line - 4 : line])
