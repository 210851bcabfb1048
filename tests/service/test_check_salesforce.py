"""The lines of ``check`` about the login, the org, its calls and View All, each provoked over HTTP."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from checking import INCIDENT, OBJECT, open_bench
from pagerforce.config.checkline import Kind
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.salesforce.tokens import TokenError
from rig import open_rig

REFUSALS = [
    ("invalid_grant", "user hasn't approved this consumer", "pre-authorized"),
    ("invalid_grant", "audience is invalid", "salesforce.audience"),
    ("invalid_grant", "Audience validation failed", "salesforce.audience"),
    ("invalid_grant", "invalid assertion", "certificate of private_key_file"),
    ("invalid_grant", "expired assertion", "clock (NTP)"),
    ("invalid_grant", "ip restricted", "login IP ranges"),
    ("invalid_grant", "inactive user", "salesforce.username"),
    ("invalid_grant", "", "consumer_key, username, private_key_file"),
    ("invalid_client_id", "client identifier invalid", "salesforce.consumer_key"),
    ("invalid_app_access", "user is not admin approved to access this app", "permission set"),
    ("invalid_app_access", "", "permission set"),
    ("app_not_found", "External client app is not installed", "My Domain"),
]


@pytest.mark.parametrize(("error", "description", "remedy"), REFUSALS)
async def test_each_refused_login_has_its_remedy(tmp_path, error, description, remedy):
    async with open_bench(tmp_path) as bench:
        bench.sf.tokens.refusal = TokenError(error, description)
        found = await bench.check()
        line = found.only_todo()
        assert line.code == "salesforce.login_refused"
        assert remedy in line.remedy
        assert found.has("Salesforce at")


async def test_the_daemon_gives_the_same_remedy_when_its_login_is_refused(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.sf.tokens.refusal = TokenError("invalid_grant", "audience is invalid")
        said = (await bench.check()).only_todo().remedy
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.sf.expire_tokens()
        rig.sf.tokens.refusal = TokenError("invalid_grant", "audience is invalid")
        await daemon.parts.salesforce.run(daemon.parts.salesforce.stop)  # one turn
        assert daemon.parts.salesforce.state.problem == said


async def test_a_key_whose_certificate_was_not_uploaded_is_reported(tmp_path):
    async with open_bench(tmp_path) as bench:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        pem = key.private_bytes(*form, serialization.NoEncryption())
        (bench.desk.folder / "salesforce.key").write_bytes(pem)
        assert "is uploaded to the app" in (await bench.check()).only_todo().remedy


async def test_an_unknown_user_is_reported(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.edit('username = "integration@example.com"', 'username = "who@example.com"')
        assert (await bench.check()).only_todo().code == "salesforce.login_refused"


async def test_an_answer_that_is_no_login_is_reported(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.desk.salesforce_faults.add(Fault(FaultKind.MALFORMED, path="/oauth2/token"))
        line = (await bench.check()).only_todo()
        assert line.code == "salesforce.login_odd"
        assert "salesforce.login_url" in line.remedy


async def test_another_org_is_reported_with_both_ids(tmp_path):
    async with open_bench(tmp_path) as bench:
        assert (await bench.check()).has("Salesforce org 00D000000000001EAA, as configured")
        bench.edit('org_id = "00D000000000001EAA"', 'org_id = "00D000000000002EAA"')
        line = (await bench.check()).only_todo()
        assert line.code == "salesforce.wrong_org"
        assert "00D000000000001EAA" in line.remedy
        assert "00D000000000002EAA" in line.remedy


async def test_an_org_that_is_not_pinned_is_remarked(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.edit('org_id = "00D000000000001EAA"\n', "")
        assert "00D000000000001EAA" in (await bench.check()).about("salesforce.org_not_pinned").what


async def test_a_version_that_the_org_does_not_serve_is_reported(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.edit("[salesforce]\n", '[salesforce]\napi_version = "99.0"\n')
        line = (await bench.check()).only_todo()
        assert line.code == "salesforce.no_api"
        assert "salesforce.api_version" in line.remedy


@pytest.mark.parametrize(
    ("budget", "remaining", "code", "kind"),
    [
        (5000, 14000, "", Kind.OK),
        (20000, 14000, "salesforce.budget_too_large", Kind.REMARK),
        (5000, 900, "salesforce.calls_short", Kind.REMARK),
    ],
)
async def test_the_budget_is_compared_with_the_orgs_calls(tmp_path, budget, remaining, code, kind):
    async with open_bench(tmp_path) as bench:
        bench.edit("[salesforce]\n", f"[salesforce]\ndaily_call_budget = {budget}\n")
        bench.sf.set_remaining_calls(remaining)
        found = await bench.check()
        (line,) = (x for x in found.lines if x.what.startswith("Salesforce API calls"))
        assert (line.code, line.kind) == (code, kind)


async def test_calls_that_are_used_up_are_reported(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.sf.set_remaining_calls(1)
        assert (await bench.check()).todo == ["salesforce.calls_none"]
        assert "TotalRequests Limit exceeded" in " ".join(
            line.remedy for line in (await bench.check()).lines
        )


async def test_limits_that_may_not_be_read_are_a_remark(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.desk.salesforce_faults.add(Fault(FaultKind.MALFORMED, path="/limits"))
        found = await bench.check()
        assert found.todo == []
        assert "salesforce.calls_unknown" in found.remarks


async def test_view_all_is_seen_missed_and_not_guessed(tmp_path):
    async with open_bench(tmp_path, OBJECT) as bench:
        assert (await bench.check()).has(f"View All on {INCIDENT}")
        grants = [
            row for row in bench.sf.rows("ObjectPermissions") if row["SobjectType"] == INCIDENT
        ]
        bench.sf.update("ObjectPermissions", grants[0]["Id"], {"PermissionsViewAllRecords": False})
        found = await bench.check()
        assert found.about("sharing.not_all").kind is Kind.REMARK
        everything = bench.sf.find_id("PermissionSet", Name="Pagerforce")
        bench.sf.update("PermissionSet", everything, {"PermissionsViewAllData": True})
        assert (await bench.check()).has(f"View All on {INCIDENT}")
        bench.sf.access.deny("ObjectPermissions", "read")
        bench.sf.update("PermissionSet", everything, {"PermissionsViewAllData": False})
        found = await bench.check()
        assert found.todo == []
        assert "INVALID_TYPE" in found.about("sharing.unverified").remedy


async def test_permission_sets_that_are_hidden_prove_nothing(tmp_path):
    async with open_bench(tmp_path, OBJECT) as bench:
        bench.sf.access.unshared |= {row["Id"] for row in bench.sf.rows("PermissionSetAssignment")}
        assert "no permission sets" in (await bench.check()).about("sharing.unverified").remedy
