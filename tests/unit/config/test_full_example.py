"""A configuration with every section, and its expected meaning."""

from datetime import timedelta
from pathlib import Path

import pytest

from pagerforce.config.schema import Lookup
from pagerforce.model.ids import Side
from unit.config.config_catalog import load

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def loaded():
    return load(HERE / "full.toml")


def test_every_section_means_what_it_says(loaded):
    config = loaded.config
    assert config.include == ("rules.d/*.toml",)
    assert config.daemon.ca_file is None
    assert config.daemon.start_at is None
    assert config.metrics.address == ("127.0.0.1", 9479)
    assert config.metrics.textfile is None
    assert config.pagerduty.late_window == timedelta(hours=1)
    assert config.salesforce.jwt_audience == "https://acme.my.salesforce.com"
    assert config.delivery.retry_for == timedelta(hours=24)
    assert config.maps == {"priority": {"P1": "1", "P2": "2", "default": "3"}}
    assert loaded.files == (HERE / "full.toml",)


def test_the_object_is_the_remedyforce_incident(loaded):
    (incident,) = loaded.config.objects
    assert incident.name == "BMCServiceDesk__Incident__c"
    assert incident.conflict == "newest"
    assert incident.comments is not None
    assert incident.comments.object == "BMCServiceDesk__IncidentHistory__c"
    assert incident.comments.fields == {
        "BMCServiceDesk__FKAction__c": Lookup(fields={"Name": "Notes"})
    }


def test_the_mapping_and_the_rule_are_there(loaded):
    (mapping,) = loaded.config.service_mappings
    assert (mapping.value, mapping.service) == ("a0C000000000001EAA", "PNET001")
    assert mapping.inbound
    assert mapping.outbound
    (rule,) = loaded.rules
    assert (rule.ruleset, rule.name) == ("Remedyforce incidents", "Page for priority 1")
    assert rule.run_on is Side.SALESFORCE
    assert rule.max_age is None
    assert [call.do for call in rule.actions] == ["pagerduty.create_incident"]
