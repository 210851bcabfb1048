"""Settings and fixtures of all tests."""

import signal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import settings

# No timed assertions: a slow machine is no failure. The same examples on every run: a failure is repeatable.
settings.register_profile("pagerforce", deadline=None, derandomize=True)
settings.load_profile("pagerforce")

# A shell lets background processes ignore Ctrl-C, and children inherit that: the processes that a
# test interrupts must not.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def private_key() -> bytes:
    """Created once: generation takes most of a test's time."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture
def folder(tmp_path: Path, private_key: bytes) -> Path:
    """A folder for the sandbox that already has a private key."""
    path = tmp_path / "salesforce.key"
    path.write_bytes(private_key)
    path.chmod(0o600)
    return tmp_path
