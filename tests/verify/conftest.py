"""A folder for the sandbox that has a private key already: making one is most of a test's time."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@pytest.fixture(scope="session")
def private_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture
def folder(tmp_path, private_key):
    path = tmp_path / "salesforce.key"
    path.write_bytes(private_key)
    path.chmod(0o600)
    return tmp_path
