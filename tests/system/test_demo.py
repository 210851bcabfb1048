"""The demo is correct: it passes as shipped, and fails if a rule does something else."""

from importlib import resources

from process import command


async def test_the_demo_is_true(tmp_path):
    code, out, err = await command("demo", "--dir", str(tmp_path / "demo"))
    assert code == 0, out + err
    assert "Everything expected has happened." in out
    assert "MISSING" not in out
    assert "opened 50 incidents for 50 records" in out


async def test_a_changed_rule_changes_what_it_reports(tmp_path):
    shipped = (resources.files("pagerforce.sandbox") / "rules.toml").read_text("utf-8")
    rules = tmp_path / "rules.toml"
    rules.write_text(
        shipped.replace('lookup = { Name = "ACKNOWLEDGED" }', 'lookup = { Name = "IN PROGRESS" }')
    )
    code, out, _ = await command("demo", "--dir", str(tmp_path / "demo"), "--rules", str(rules))
    assert code == 1
    assert "MISSING: the record's status follows" in out.splitlines()[-1]
