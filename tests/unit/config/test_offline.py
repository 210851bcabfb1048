import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pagerforce.config.checkline import CheckLine, Kind
from pagerforce.config.offline import check_offline, offline_lines
from pagerforce.config.permissions import state_line
from pagerforce.config.starter import write_starter
from pagerforce.errors import ConfigError
from unit.config.config_catalog import CATALOG, load, write

EXAMPLE = Path(__file__).parents[3] / "config.toml.example"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def lines(path: Path, environ=None, now: datetime = NOW) -> tuple[CheckLine, ...]:
    environ = environ or {}
    loaded = check_offline(path, catalog=CATALOG, environ=environ)
    return offline_lines(loaded, environ, now=now)


def line_about(found: tuple[CheckLine, ...], word: str) -> CheckLine:
    (line,) = (line for line in found if line.what.startswith(word))
    return line


def code_of(found: tuple[CheckLine, ...], word: str) -> str:
    return line_about(found, word).code


def test_the_shipped_example_passes_without_any_secret():
    found = lines(EXAMPLE)
    assert all(line.ok for line in found)
    assert line_about(found, "objects").what == "objects: BMCServiceDesk__Incident__c"
    assert line_about(found, "service mappings").what == "service mappings: Network, Database"
    assert line_about(found, "rules").what == "rules: 9 rules in 2 rulesets, 9 enabled"
    assert code_of(found, "PagerDuty API key") == "secret.not_given"
    assert code_of(found, "Salesforce private key") == "secret.not_given"


def test_a_broken_file_is_an_error_with_every_problem(tmp_path):
    path = write(tmp_path, '[daemon]\nmode = "x"\nlog_level = "y"')
    with pytest.raises(ConfigError) as caught:
        lines(path)
    assert len(caught.value.problems) == 2


def test_the_lines_say_where_state_lives_and_that_shadow_writes_nothing(tmp_path):
    found = lines(write(tmp_path, '[daemon]\nmode = "shadow"'), {"STATE_DIRECTORY": "/srv/state"})
    assert line_about(found, "state").what == "state folder /srv/state"
    assert line_about(found, "mode").what == "mode: shadow (writes to neither side)"
    assert code_of(found, "objects") == "objects.none"


def test_a_secret_file_that_others_can_read_is_the_one_line_not_ok(tmp_path):
    (tmp_path / "pd.key").write_text("key")
    (tmp_path / "pd.key").chmod(0o644)
    found = lines(write(tmp_path, '[pagerduty]\napi_key_file = "pd.key"'))
    assert [line.what for line in found if not line.ok] == [
        "PagerDuty API key: pagerduty.api_key_file"
    ]
    assert code_of(found, "PagerDuty API key") == "secret.open_to_others"
    assert "chmod 600" in line_about(found, "PagerDuty API key").remedy


def test_secrets_that_are_there_are_named_by_place_and_not_read(tmp_path):
    (tmp_path / "sf.key").write_text("not even a key")
    (tmp_path / "sf.key").chmod(0o600)
    path = write(tmp_path, '[salesforce]\nprivate_key_file = "sf.key"')
    found = lines(path, {"PAGERFORCE_PAGERDUTY_API_KEY": "key"})
    assert "$PAGERFORCE_PAGERDUTY_API_KEY is set" in line_about(found, "PagerDuty API key").what
    assert line_about(found, "Salesforce private key").what.endswith("salesforce.private_key_file")


def test_a_secret_that_is_not_readable_is_not_a_fault_offline(tmp_path):
    path = write(tmp_path, '[pagerduty]\napi_key_file = "absent.key"')
    line = line_about(lines(path), "PagerDuty API key")
    assert (line.kind, line.code) == (Kind.REMARK, "secret.unseen")
    assert "No such file or directory" in line.remedy


def test_disabled_rules_are_counted_apart(tmp_path):
    rule = '[[rulesets.rules]]\nname = "{}"\nobject = "Case"\nrun_on = "salesforce"\nstop = true\n'
    text = '[[objects]]\npreset = "case"\n[[rulesets]]\nname = "R"\n' + rule.format("a")
    loaded = load(write(tmp_path, text + rule.format("b") + "enabled = false"))
    assert line_about(offline_lines(loaded, {}, now=NOW), "rules").what == (
        "rules: 2 rules in 1 ruleset, 1 enabled"
    )


def test_a_mapped_service_that_is_not_watched_is_remarked(tmp_path):
    text = (
        '[[objects]]\npreset = "case"\n[[service_mappings]]\nname = "M"\nobject = "Case"\n'
        'field = "Type"\nvalue = "x"\nservice = "PNET001"\n'
    )
    watched = '[pagerduty]\nservices = ["{}"]\n'
    found = lines(write(tmp_path, watched.format("POTHER1") + text))
    assert code_of(found, "service mapping M") == "pagerduty.services_left_out"
    found = lines(write(tmp_path, watched.format("PNET001") + text))
    assert "pagerduty.services_left_out" not in {line.code for line in found}


@pytest.mark.parametrize(
    ("listen", "is_remarked"),
    [
        ("127.0.0.1:9479", False),
        ("[::1]:9479", False),
        ("localhost:9479", False),
        ("", False),
        ("0.0.0.0:9479", True),
        ("[::]:9479", True),
        ("192.0.2.1:9479", True),
        ("web1.example:9479", True),
    ],
)
def test_a_metrics_address_that_others_reach_is_remarked_once(tmp_path, listen, is_remarked):
    found = lines(write(tmp_path, f'[metrics]\nlisten = "{listen}"'))
    remarks = [line for line in found if line.code == "metrics.not_loopback"]
    assert len(remarks) == is_remarked
    assert all(line.ok for line in remarks)


def test_a_configuration_that_everybody_may_change_must_be_closed(tmp_path):
    path = write(tmp_path, "")
    path.chmod(0o646)
    found = lines(path)
    assert code_of(found, f"configuration {path}") == "config.open_to_all"
    assert not line_about(found, "configuration").ok
    path.chmod(0o644)
    assert "config.open_to_all" not in {line.code for line in lines(path)}


def test_the_state_folder_is_checked_as_far_as_this_user_can_see(tmp_path):
    folder = tmp_path / "state"
    assert state_line(folder).code == "state.absent"
    folder.mkdir()
    assert state_line(folder).kind is Kind.OK
    folder.chmod(0o777)
    assert state_line(folder).code == "state.open_to_all"
    folder.rmdir()
    folder.write_text("")
    assert state_line(folder).code == "state.no_folder"
    assert state_line(folder / "below").code == "state.absent"


@pytest.mark.parametrize("name", ["pagerforce.db", "pagerforce.db-wal", "pagerforce.lock"])
def test_a_file_of_the_state_that_is_a_link_is_named(tmp_path, name):
    (tmp_path / name).symlink_to("elsewhere")
    line = state_line(tmp_path)
    assert line.code == "state.file_refused"
    assert str(tmp_path / name) in line.what
    assert "is a symbolic link" in line.remedy


def test_a_state_folder_of_another_user_is_not_checked(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    # root may write everywhere: only a simulated answer shows what another user would get
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert state_line(tmp_path).code == "state.not_writable"
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert state_line(tmp_path).code == "state.unseen"


def starter(tmp_path: Path, name: str = "a") -> Path:
    config, *_ = write_starter(tmp_path / name, now=NOW)
    return config


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (timedelta(days=1), ""),
        (timedelta(days=699), ""),
        (timedelta(days=701), "certificate.expires_soon"),
        (timedelta(days=731), "certificate.expired"),
        (timedelta(days=-1), "certificate.not_yet_valid"),
    ],
)
def test_the_certificate_is_reported_before_it_expires(tmp_path, after, code):
    assert code_of(lines(starter(tmp_path), now=NOW + after), "Salesforce certificate") == code


def test_a_certificate_of_another_key_is_detected(tmp_path):
    mine, other = starter(tmp_path), starter(tmp_path, "b")
    (mine.parent / "salesforce.crt").write_bytes((other.parent / "salesforce.crt").read_bytes())
    assert code_of(lines(mine), "Salesforce certificate") == "certificate.other_key"


def test_a_certificate_that_is_missing_or_invalid_is_a_remark(tmp_path):
    path = starter(tmp_path)
    certificate, key = path.parent / "salesforce.crt", path.parent / "salesforce.key"
    key.rename(path.parent / "away")
    assert code_of(lines(path), "Salesforce certificate") == "certificate.key_unseen"
    certificate.write_text("no certificate")
    assert code_of(lines(path), "Salesforce certificate") == "certificate.unreadable"
    certificate.unlink()
    found = lines(path)
    assert code_of(found, "Salesforce certificate") == "certificate.absent"
    assert all(line.ok for line in found)


def test_a_line_survives_its_way_through_json():
    for line in (
        *lines(EXAMPLE),
        CheckLine(Kind.TODO, "what", "remedy", "code", (1, 2)),
    ):
        assert CheckLine.from_json(line.to_json()) == line


def test_a_name_that_no_template_sees_is_reported_with_its_place(tmp_path):
    path = write(
        tmp_path,
        '[[objects]]\npreset = "case"\n[[rulesets]]\nname = "R"\n[[rulesets.rules]]\nname = "one"\n'
        'object = "Case"\nrun_on = "salesforce"\n'
        'actions = [{ do = "pagerduty.add_note", text = "{{ recrod.Subject }}" }]\n',
    )
    (line,) = (line for line in lines(path) if line.kind is Kind.TODO)
    assert line.code == "rule.doubt"
    assert line.what == "config.toml: rulesets[0].rules[0].actions[0].text"
