"""What a valid file means: defaults, forms that are accepted, types that are kept."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from pagerforce.config.schema import Lookup
from pagerforce.config.starter import write_starter
from unit.config.config_catalog import load, write


def config_of(tmp_path, text=""):
    return load(write(tmp_path, text)).config


def test_a_minimal_file_has_the_documented_defaults(tmp_path):
    config = config_of(tmp_path)
    assert config.pagerduty.api_url == "https://api.pagerduty.com"
    assert config.pagerduty.poll_interval == timedelta(seconds=3)
    assert config.salesforce.min_poll_interval == timedelta(seconds=3)
    assert config.delivery.loop_pause == timedelta(minutes=15)
    assert (config.include, config.objects, config.rulesets, config.maps) == ((), (), (), {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("5m", 300), ("1h", 3600), ("0.5s", 0.5), ("1.5m", 90)],
)
def test_durations(tmp_path, text, seconds):
    config = config_of(tmp_path, f'[pagerduty]\npoll_interval = "{text}"')
    assert config.pagerduty.poll_interval == timedelta(seconds=seconds)


def test_a_day_is_a_duration(tmp_path):
    config = config_of(tmp_path, '[delivery]\nretry_for = "1d"')
    assert config.delivery.retry_for == timedelta(hours=24)


def test_the_default_lively_pace_follows_a_shorter_calm_one(tmp_path):
    config = config_of(tmp_path, '[pagerduty]\npoll_interval = "1s"')
    assert config.pagerduty.min_poll_interval == timedelta(seconds=1)
    config = config_of(tmp_path, '[salesforce]\npoll_interval = "5s"\nmin_poll_interval = "5s"')
    assert config.salesforce.min_poll_interval == timedelta(seconds=5)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.8.9.1:8080", "[::1]:1", "LOCALHOST"]
)
def test_plain_http_is_fine_for_this_host(tmp_path, host):
    config = config_of(tmp_path, f'[pagerduty]\napi_url = "http://{host}/"')
    assert config.pagerduty.api_url == f"http://{host}"


def test_the_audience_is_kept_as_it_stands_and_defaults_to_the_login_url(tmp_path):
    config = config_of(tmp_path, '[salesforce]\nlogin_url = "https://acme.my.salesforce.com/"')
    assert config.salesforce.jwt_audience == "https://acme.my.salesforce.com"
    config = config_of(tmp_path, '[salesforce]\naudience = "https://login.salesforce.com/"')
    assert config.salesforce.jwt_audience == "https://login.salesforce.com/"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", None),
        ("2026-01-31T00:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31t02:00:00.5+02:00", datetime(2026, 1, 31, 0, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_where_the_first_start_begins(tmp_path, text, moment):
    assert config_of(tmp_path, f'[daemon]\nstart_from = "{text}"').daemon.start_at == moment


@pytest.mark.parametrize(
    ("text", "address"),
    [("", None), ("[::1]:9479", ("::1", 9479)), ("metrics.local:0", ("metrics.local", 0))],
)
def test_where_metrics_are_served(tmp_path, text, address):
    assert config_of(tmp_path, f'[metrics]\nlisten = "{text}"').metrics.address == address


def test_a_ca_bundle_is_read_when_it_is_one(tmp_path):
    certificate = write_starter(tmp_path / "pki", now=datetime(2026, 11, 24, tzinfo=UTC))[2]
    path = write(tmp_path, f'[daemon]\nca_file = "pki/{certificate.name}"')
    assert load(path).config.daemon.ca_file == certificate


def test_values_keep_their_type(tmp_path):
    text = '[maps.m]\na = 1\nb = true\nc = 1.5\n[[objects]]\npreset = "case"\n'
    for index, value in enumerate(("true", "5", '"x"', '{ lookup = { Name = "N", Level = 2 } }')):
        text += f'[[service_mappings]]\nname = "{index}"\nobject = "Case"\nfield = "F__c"\n'
        text += f'value = {value}\nservice = "P1"\n'
    config = config_of(tmp_path, text)
    assert config.maps == {"m": {"a": 1, "b": True, "c": 1.5}}
    assert config.maps["m"]["b"] is True
    values = [mapping.value for mapping in config.service_mappings]
    assert values == [True, 5, "x", Lookup(fields={"Name": "N", "Level": 2})]
    assert values[0] is True


def test_a_configuration_can_not_be_changed(tmp_path):
    config = config_of(tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        config.daemon.mode = "shadow"
