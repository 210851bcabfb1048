"""``rules``: a file is checked, shown, and put in force completely or not at all."""

import pytest

from control.kit import open_direct, open_office
from pagerforce.errors import ConfigError, NotFoundError, PagerforceError
from rig import open_rig

CALM = """
[[rulesets]]
name = "Calm"
[[rulesets.rules]]
name = "Page quietly"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [ { field = "record.BMCServiceDesk__FKPriority__r.Name", op = "equals", value = "1" } ]
actions = [ { do = "pagerduty.create_incident", title = "{{ record.Name }}", urgency = "low" } ]
"""


async def test_apply_shows_the_effect_then_rules_and_survives_a_restart(folder):
    async with open_rig(folder) as rig:
        async with rig.daemon() as daemon, open_office(daemon) as office:
            await rig.paged(daemon)
            done = await office.ask("rules apply", name="/home/mia/calm.toml", content=CALM)
            assert done["revision"] == 1
            gained = {item["rule"]: item["arguments"] for item in done["effect"]["gained"]}
            assert gained["Page quietly"]["urgency"] == "low"
            assert {item["rule"] for item in done["effect"]["lost"]} == {"Page for priority 1"}
            listed = await office.ask("rules list")
            assert [item["rule"] for item in listed] == ["Page quietly"]
            assert "revision 1 (calm.toml)" in listed[0]["place"]
        async with rig.daemon() as daemon, open_office(daemon) as office:
            await rig.paged(daemon)
            assert [item["urgency"] for item in rig.incidents()] == ["high", "low"]
            shown = await office.ask("rules show")
            assert shown["source"] == "revision 1"
            assert shown["rulesets"][0]["name"] == "Calm"
            (revision,) = shown["revisions"]
            assert (revision["name"], revision["user"]) == ("calm.toml", "mia")


async def test_rollback_goes_back_one_revision_and_finally_to_the_configuration(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        own = await office.ask("rules list")
        await office.ask("rules apply", name="1.toml", content=CALM)
        await office.ask("rules apply", name="2.toml", content=CALM.replace("quietly", "softly"))
        assert (await office.ask("rules rollback"))["revision"] == 1
        assert [item["rule"] for item in await office.ask("rules list")] == ["Page quietly"]
        assert (await office.ask("rules rollback"))["revision"] is None
        assert await office.ask("rules list") == own
        with pytest.raises(NotFoundError, match="configuration"):
            await office.ask("rules rollback")
        done = await office.ask("rules apply", name="3.toml", content=CALM)
        assert done["revision"] == 3
        assert (await office.ask("rules rollback"))["revision"] is None, "1 and 2 were withdrawn"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (CALM.replace("equals", "equels"), "bad.toml: rulesets[0].rules[0].conditions[0].op"),
        (CALM.replace("__FKPriority__r.Name", "__Nope__c"), "Nope__c"),
        (CALM + '\n[[service_mappings]]\nname = "x"\n', "bad.toml: service_mappings"),
        (CALM + '\n[daemon]\nmode = "shadow"\n', "bad.toml: daemon"),
        ("[[rulesets]", "bad.toml: line 1"),
    ],
)
async def test_a_bad_file_changes_nothing(folder, content, place):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        own = await office.ask("rules list")
        for word in ("rules check", "rules apply"):
            with pytest.raises(ConfigError) as caught:
                await office.ask(word, name="bad.toml", content=content)
            assert place in str(caught.value)
        assert await office.ask("rules list") == own
        assert (await office.ask("rules show"))["revisions"] == []


async def test_check_says_yes_and_what_would_fail_only_when_it_fires(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        found = await office.ask("rules check", name="calm.toml", content=CALM)
        assert found == {"ok": True, "rules": 1, "org": "checked", "doubts": []}
        wrong = CALM.replace(
            "actions = [ {",
            'actions = [ { do = "salesforce.set_field", field = "Id", value = "x" }, {',
        )
        found = await office.ask("rules check", name="calm.toml", content=wrong)
        assert "read-only" in found["doubts"][0]["what"]
        assert found["ok"] is False


async def test_an_unknown_name_is_reported_by_check_and_by_apply(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        typo = CALM.replace("record.Name }}", "recrod.Name }}")
        found = await office.ask("rules check", name="calm.toml", content=typo)
        assert found["ok"] is False
        (doubt,) = found["doubts"]
        assert doubt["where"].endswith("rulesets[0].rules[0].actions[0].title")
        assert 'did you mean "record"?' in doubt["what"]
        done = await office.ask("rules apply", name="calm.toml", content=typo)
        assert done["doubts"] == found["doubts"]


async def test_other_changes_of_the_files_are_not_put_in_force_along_with_rules(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        config = rig.desk.config
        config.write_text(
            config.read_text().replace('poll_interval = "5s"', 'poll_interval = "9s"')
        )
        with pytest.raises(PagerforceError, match="restart"):
            await office.ask("rules apply", name="calm.toml", content=CALM)
        assert (await office.ask("rules show"))["revisions"] == []


async def test_without_a_daemon_rules_are_applied_for_its_next_start(folder):
    async with open_rig(folder) as rig:
        async with rig.daemon():
            pass
        async with open_direct(rig) as office:
            await office.ask("rules apply", name="calm.toml", content=CALM)
            assert [item["rule"] for item in await office.ask("rules list")] == ["Page quietly"]
        async with rig.daemon() as daemon:
            await rig.paged(daemon)
            assert [item["urgency"] for item in rig.incidents()] == ["low"]
