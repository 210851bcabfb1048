import copy
import os
import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pagerforce.config.secret import Secret, load_secrets
from pagerforce.errors import ConfigError
from unit.config.config_catalog import by_place, load, write

API_KEY = "u+abcDEFghiJKLmnoPQR"


def pem(key, password=None) -> str:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


@pytest.fixture(scope="module")
def rsa_pem() -> str:
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture
def folder(tmp_path, rsa_pem) -> Path:
    keep(tmp_path / "pd.key", f"{API_KEY}\n")
    keep(tmp_path / "sf.key", rsa_pem)
    return tmp_path


def keep(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def config_with(folder: Path, api_key_file: str = "pd.key", private_key_file: str = "sf.key"):
    changes = {
        "pagerduty": {"api_key_file": api_key_file},
        "salesforce": {"private_key_file": private_key_file},
    }
    return load(write(folder, changes)).config


def problems(config, environ=None) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load_secrets(config, environ or {})
    assert API_KEY not in str(caught.value)
    return by_place(caught.value.problems)


def test_files_are_found_beside_the_configuration_and_stripped(folder, rsa_pem):
    secrets = load_secrets(config_with(folder), {})
    assert secrets.pagerduty_api_key.reveal() == API_KEY
    assert secrets.salesforce_private_key.reveal() == rsa_pem.strip()


def test_the_variable_wins_over_the_credential_and_that_over_the_file(folder, rsa_pem):
    credentials = folder / "credentials"
    credentials.mkdir()
    keep(credentials / "pagerduty-api-key", "from-credential", 0o444)
    environ = {
        "PAGERFORCE_PAGERDUTY_API_KEY": "from-variable",
        "CREDENTIALS_DIRECTORY": str(credentials),
    }
    config = config_with(folder)
    assert load_secrets(config, environ).pagerduty_api_key.reveal() == "from-variable"
    environ["PAGERFORCE_PAGERDUTY_API_KEY"] = " "
    assert load_secrets(config, environ).pagerduty_api_key.reveal() == "from-credential"
    (credentials / "pagerduty-api-key").unlink()
    assert load_secrets(config, environ).pagerduty_api_key.reveal() == API_KEY


def test_the_private_key_comes_from_the_credential_also_where_a_file_is_named(folder, rsa_pem):
    credentials = folder / "credentials"
    credentials.mkdir()
    keep(credentials / "salesforce-private-key", rsa_pem, 0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    for file in ("", "of-root-and-out-of-reach.key"):
        secrets = load_secrets(config_with(folder, private_key_file=file), environ)
        assert secrets.salesforce_private_key.reveal() == rsa_pem.strip()


def test_a_file_named_inside_the_credentials_folder_is_not_judged_by_its_mode(folder):
    (folder / "pd.key").chmod(0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(folder)}
    assert load_secrets(config_with(folder), environ).pagerduty_api_key.reveal() == API_KEY


def test_both_missing_secrets_are_reported_with_every_place_they_may_come_from(folder):
    found = problems(config_with(folder, "", ""))
    assert "PAGERFORCE_PAGERDUTY_API_KEY" in found["pagerduty.api_key_file"]
    assert '"pagerduty-api-key"' in found["pagerduty.api_key_file"]
    assert '"salesforce-private-key"' in found["salesforce.private_key_file"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_use_is_refused_with_the_command_that_mends_it(folder, mode):
    (folder / "pd.key").chmod(mode)
    found = problems(config_with(folder))
    assert found == {
        "pagerduty.api_key_file": f"is readable by others (mode {mode:04o}):"
        f" chmod 600 {folder / 'pd.key'}"
    }


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (" \n", "is empty"),
        (f"{API_KEY}\nsecond line", "it must contain only the key"),
        (f"Token token={API_KEY}", "it must contain only the key"),
        (f"{API_KEY}ß", "it must contain only the key"),
        (b"\xff\xfe", "is not text"),
        (b"x" * 70_000, "is too large"),
    ],
)
def test_an_api_key_that_cannot_be_one_is_refused(folder, content, remedy):
    keep(folder / "pd.key", content)
    assert remedy in problems(config_with(folder))["pagerduty.api_key_file"]


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda: "hello", "not a private key in PEM form"),
        (lambda: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----", "a certificate"),
        (lambda: pem(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
        (lambda: pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),
        (lambda: pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), "is encrypted"),
    ],
)
def test_a_private_key_that_salesforce_would_not_take_is_refused(folder, make, remedy):
    keep(folder / "sf.key", make())
    assert remedy in problems(config_with(folder))["salesforce.private_key_file"]


def test_a_missing_file_a_folder_and_a_pipe_are_told_apart(folder):
    (folder / "dir").mkdir(mode=0o700)
    os.mkfifo(folder / "pipe", 0o600)
    assert "does not exist" in problems(config_with(folder, "none"))["pagerduty.api_key_file"]
    assert "Is a directory" in problems(config_with(folder, "dir"))["pagerduty.api_key_file"]
    assert "not a regular file" in problems(config_with(folder, "pipe"))["pagerduty.api_key_file"]


def test_a_secret_shows_itself_to_nobody_but_reveal():
    secret = Secret(API_KEY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", "%s" % secret, repr([secret])]  # noqa: UP031
    assert not any(API_KEY in text for text in shown)
    assert str(secret) == "***"
    assert secret != Secret(API_KEY)
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            leak(secret)
    assert secret.reveal() == API_KEY
