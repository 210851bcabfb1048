import pytest

from pagerforce.config.presets import load_preset, preset_names
from pagerforce.config.schema import CommentSettings, Lookup, ObjectSettings
from unit.config.config_catalog import load, write


def the_object(tmp_path, text: str) -> ObjectSettings:
    (item,) = load(write(tmp_path, f"[[objects]]\n{text}")).config.objects
    return item


def test_the_two_presets_are_there():
    assert preset_names() == ("case", "remedyforce-incident")


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_fills_every_key(name):
    given = load_preset(name)
    assert given.keys() == ObjectSettings.model_fields.keys() - {"preset", "conflict_fields"}
    assert given["comments"].keys() == CommentSettings.model_fields.keys()


def test_remedyforce_is_filled_in(tmp_path):
    item = the_object(tmp_path, 'preset = "remedyforce-incident"')
    assert item.name == "BMCServiceDesk__Incident__c"
    assert item.external_id_field == "BMCServiceDesk__Event_ID__c"
    assert item.service_id_path == "BMCServiceDesk__FKCategory__r.PagerDuty_Service_ID__c"
    assert item.comments is not None
    assert item.comments.object == "BMCServiceDesk__IncidentHistory__c"
    assert item.comments.parent_field == "BMCServiceDesk__FKIncident__c"
    assert item.comments.body_field == "BMCServiceDesk__note__c"
    assert item.comments.where == "BMCServiceDesk__FKAction__r.Name = 'Notes'"
    assert item.comments.fields == {"BMCServiceDesk__FKAction__c": Lookup(fields={"Name": "Notes"})}


def test_case_has_comments_and_no_external_id(tmp_path):
    item = the_object(tmp_path, 'preset = "case"')
    assert (item.name, item.external_id_field, item.service_id_path) == ("Case", "", "")
    assert item.comments == CommentSettings(
        object="CaseComment", parent_field="ParentId", body_field="CommentBody"
    )


def test_given_keys_win_and_the_others_stay(tmp_path):
    item = the_object(
        tmp_path,
        'preset = "remedyforce-incident"\nservice_id_path = ""\nconflict = "pagerduty"\n'
        "[objects.comments]\nto_pagerduty = false\n"
        "[objects.comments.fields]\n"
        'BMCServiceDesk__FKAction__c = { lookup = { Abbreviation = "NOTE" } }\n'
        "BMCServiceDesk__system__c = false\n",
    )
    assert (item.service_id_path, item.conflict) == ("", "pagerduty")
    assert item.name == "BMCServiceDesk__Incident__c"
    assert item.comments is not None
    assert not item.comments.to_pagerduty
    assert item.comments.from_pagerduty
    assert item.comments.object == "BMCServiceDesk__IncidentHistory__c"
    assert item.comments.fields == {
        "BMCServiceDesk__FKAction__c": Lookup(fields={"Abbreviation": "NOTE"}),
        "BMCServiceDesk__system__c": False,
    }
