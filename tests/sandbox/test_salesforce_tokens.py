"""The JWT bearer endpoint over real HTTP. Facts: docs/vendors/salesforce.md#login."""

import base64
import json
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from pagerforce.sandbox.salesforce.tokens import TokenError
from sandbox_salesforce import BASE, INTEGRATION_ID, JANE_ID, Org, running_org

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ORG_ID = "00D000000000001EAA"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def certificate_pem(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pagerforce")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.fixture
async def org(key: rsa.RSAPrivateKey):
    async with running_org() as running:
        running.world.trust(public_pem(key))
        yield running


def claims(org: Org, **changes: object) -> dict[str, object]:
    expires = (org.clock.now() + timedelta(minutes=3)).timestamp()
    known = {
        "iss": "sandbox-consumer-key",
        "sub": "integration@example.com",
        "aud": org.url,
        "exp": int(expires),
    }
    return {name: value for name, value in (known | changes).items() if value is not None}


async def ask(org: Org, key: rsa.RSAPrivateKey, **changes: object) -> httpx.Response:
    assertion = jwt.encode(claims(org, **changes), key, algorithm="RS256")
    form = {"grant_type": GRANT, "assertion": assertion}
    return await org.http.post("/services/oauth2/token", data=form)


def encoded(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def refusal(answer: httpx.Response) -> tuple[str, str]:
    assert answer.status_code == 400
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    return body["error"], body["error_description"]


async def test_good_assertion_gives_a_token_that_works(org: Org, key: rsa.RSAPrivateKey):
    body = (await ask(org, key)).json()
    assert set(body) == {"access_token", "scope", "instance_url", "id", "token_type"}
    assert body["instance_url"] == org.url
    assert body["token_type"] == "Bearer"
    assert body["id"] == f"{org.url}/id/{ORG_ID}/{INTEGRATION_ID}"
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert (await org.http.get(f"{BASE}/limits", headers=headers)).status_code == 200
    who = (await org.http.get(body["id"], headers=headers)).json()
    assert who["organization_id"] == ORG_ID
    assert who["username"] == "integration@example.com"
    info = (await org.http.get("/services/oauth2/userinfo", headers=headers)).json()
    assert info["preferred_username"] == "integration@example.com"
    assert (await org.http.get(body["id"], headers={"Authorization": ""})).status_code == 403


async def test_writes_are_by_the_user_of_the_token(org: Org, key: rsa.RSAPrivateKey):
    token = (await ask(org, key, sub="Jane.Doe@example.com")).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    made = await org.http.post(f"{BASE}/sobjects/Case", json={"Subject": "x"}, headers=headers)
    assert org.world.row("Case", made.json()["id"])["CreatedById"] == JANE_ID


async def test_instance_url_can_be_set(org: Org, key: rsa.RSAPrivateKey):
    org.world.instance_url = "https://acme.my.salesforce.com/"
    body = (await ask(org, key, aud="https://acme.my.salesforce.com")).json()
    assert body["instance_url"] == "https://acme.my.salesforce.com"


async def test_certificate_is_trusted_as_a_key_is(org: Org, other_key: rsa.RSAPrivateKey):
    assert refusal(await ask(org, other_key)) == ("invalid_grant", "invalid assertion")
    org.world.trust(certificate_pem(other_key))
    assert (await ask(org, other_key)).status_code == 200


async def test_only_rsa_keys_are_trusted(org: Org):
    pem = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(ValueError, match="RSA"):
        org.world.trust(pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@pytest.mark.parametrize(
    "audience",
    ["https://login.salesforce.com", "https://custom.example.com", "https://login.salesforce.com/"],
)
async def test_accepted_audiences(org: Org, key: rsa.RSAPrivateKey, audience: str):
    org.world.tokens.audiences.add("https://custom.example.com")
    assert (await ask(org, key, aud=audience)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"iss": "wrong"}, ("invalid_client_id", "client identifier invalid")),
        ({"aud": "https://evil.example.com"}, ("invalid_grant", "audience is invalid")),
        ({"aud": None}, ("invalid_grant", "audience is invalid")),
        ({"sub": "nobody@example.com"}, ("invalid_grant", "user hasn't approved this consumer")),
        ({"sub": None}, ("invalid_grant", "invalid assertion")),
        ({"prn": "nobody@example.com"}, ("invalid_grant", "user hasn't approved this consumer")),
        ({"exp": None}, ("invalid_grant", "invalid assertion")),
    ],
)
async def test_refused_claims(
    org: Org, key: rsa.RSAPrivateKey, changes: dict[str, object], error: tuple[str, str]
):
    assert refusal(await ask(org, key, **changes)) == error


async def test_sandbox_audience_is_refused_as_external_client_apps_do(
    org: Org, key: rsa.RSAPrivateKey
):
    answer = await ask(org, key, aud="https://test.salesforce.com")
    assert refusal(answer)[0] == "app_not_found"


@pytest.mark.parametrize(
    ("seconds", "status"), [(180, 200), (355, 200), (365, 400), (-175, 200), (-185, 400)]
)
async def test_expiry_within_three_minutes_and_skew(
    org: Org, key: rsa.RSAPrivateKey, seconds: int, status: int
):
    at = int(org.clock.now().timestamp()) + seconds
    for given in (at, str(at)):
        answer = await ask(org, key, exp=given)
        assert answer.status_code == status
        if status == 400:
            assert refusal(answer)[0] == "invalid_grant"


async def test_expiry_in_milliseconds_or_words_is_refused(org: Org, key: rsa.RSAPrivateKey):
    milliseconds = int(org.clock.now().timestamp() * 1000)
    assert refusal(await ask(org, key, exp=milliseconds))[0] == "invalid_grant"
    # PyJWT does not check when it encodes a text, so the endpoint has to.
    assert refusal(await ask(org, key, exp="soon"))[0] == "invalid_grant"


async def test_signature_must_cover_the_claims_and_be_rs256(org: Org, key: rsa.RSAPrivateKey):
    head, _, signature = jwt.encode(claims(org), key, algorithm="RS256").split(".")
    other = jwt.encode(claims(org, sub="jane.doe@example.com"), key, algorithm="RS256")
    mixed = f"{head}.{other.split('.')[1]}.{signature}"
    strong = jwt.encode(claims(org), key, algorithm="RS512")
    weak = jwt.encode(claims(org), "x" * 32, algorithm="HS256")
    unsigned_part = f"{encoded({'alg': 'RS384'})}.{encoded(claims(org))}"
    signed = key.sign(unsigned_part.encode(), PKCS1v15(), SHA256())
    mislabelled = f"{unsigned_part}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"
    for assertion in (mixed, strong, weak, mislabelled, "a.b.c", "nonsense", ""):
        form = {"grant_type": GRANT, "assertion": assertion}
        answer = await org.http.post("/services/oauth2/token", data=form)
        assert refusal(answer) == ("invalid_grant", "invalid assertion")


async def test_other_grants_are_not_supported(org: Org):
    answer = await org.http.post("/services/oauth2/token", data={"grant_type": "password"})
    assert refusal(answer)[0] == "unsupported_grant_type"


async def test_user_who_was_not_approved_and_refusals_by_knob(org: Org, key: rsa.RSAPrivateKey):
    org.world.tokens.unapproved.add(INTEGRATION_ID)
    answer = await ask(org, key)
    assert refusal(answer) == ("invalid_grant", "user hasn't approved this consumer")
    org.world.tokens.refusal = TokenError(
        "invalid_app_access", "user is not admin approved to access this app"
    )
    assert refusal(await ask(org, key))[0] == "invalid_app_access"
