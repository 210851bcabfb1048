from pathlib import Path

import pytest

from pagerforce.config.offline import CheckLine, check_offline, offline_lines
from pagerforce.errors import ConfigError
from unit.config.config_catalog import CATALOG, load, write

EXAMPLE = Path(__file__).parents[3] / "config.toml.example"


def lines(path: Path, environ=None) -> tuple[CheckLine, ...]:
    environ = environ or {}
    return offline_lines(check_offline(path, catalog=CATALOG, environ=environ), environ)


def line_about(found: tuple[CheckLine, ...], word: str) -> CheckLine:
    (line,) = (line for line in found if line.what.startswith(word))
    return line


def test_the_shipped_example_passes_without_any_secret():
    found = lines(EXAMPLE)
    assert all(line.ok for line in found)
    assert line_about(found, "objects").what == "objects: BMCServiceDesk__Incident__c"
    assert line_about(found, "service mappings").what == "service mappings: Network, Database"
    assert line_about(found, "rules").what == "rules: 9 rules in 2 rulesets, 9 enabled"
    assert "not checked offline" in line_about(found, "PagerDuty API key").what
    assert "not checked offline" in line_about(found, "Salesforce private key").what


def test_a_broken_file_is_an_error_with_every_problem(tmp_path):
    path = write(tmp_path, '[daemon]\nmode = "x"\nlog_level = "y"')
    with pytest.raises(ConfigError) as caught:
        lines(path)
    assert len(caught.value.problems) == 2


def test_the_lines_say_where_state_lives_and_that_shadow_writes_nothing(tmp_path):
    found = lines(write(tmp_path, '[daemon]\nmode = "shadow"'), {"STATE_DIRECTORY": "/srv/state"})
    assert "state folder: /srv/state" in line_about(found, "state").what
    assert line_about(found, "mode").what == "mode: shadow (writes to neither side)"
    assert "nothing is read" in line_about(found, "objects").what


def test_a_secret_file_that_others_can_read_is_the_one_line_not_ok(tmp_path):
    (tmp_path / "pd.key").write_text("key")
    (tmp_path / "pd.key").chmod(0o644)
    found = lines(write(tmp_path, '[pagerduty]\napi_key_file = "pd.key"'))
    assert [line.what for line in found if not line.ok] == [
        "PagerDuty API key: pagerduty.api_key_file"
    ]
    assert "chmod 600" in line_about(found, "PagerDuty API key").remedy


def test_secrets_that_are_there_are_named_by_place_and_not_read(tmp_path):
    (tmp_path / "sf.key").write_text("not even a key")
    (tmp_path / "sf.key").chmod(0o600)
    path = write(tmp_path, '[salesforce]\nprivate_key_file = "sf.key"')
    found = lines(path, {"PAGERFORCE_PAGERDUTY_API_KEY": "key"})
    assert "$PAGERFORCE_PAGERDUTY_API_KEY is set" in line_about(found, "PagerDuty API key").what
    assert "private_key_file found" in line_about(found, "Salesforce private key").what


def test_a_secret_out_of_sight_is_not_a_fault_offline(tmp_path):
    path = write(tmp_path, '[pagerduty]\napi_key_file = "absent.key"')
    line = line_about(lines(path), "PagerDuty API key")
    assert line.ok
    assert "not seen (No such file or directory)" in line.what


def test_disabled_rules_are_counted_apart(tmp_path):
    rule = '[[rulesets.rules]]\nname = "{}"\nobject = "Case"\nrun_on = "salesforce"\nstop = true\n'
    text = '[[objects]]\npreset = "case"\n[[rulesets]]\nname = "R"\n' + rule.format("a")
    loaded = load(write(tmp_path, text + rule.format("b") + "enabled = false"))
    assert line_about(offline_lines(loaded, {}), "rules").what == (
        "rules: 2 rules in 1 ruleset, 1 enabled"
    )
