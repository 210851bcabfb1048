"""``rules apply`` at the real daemon: other rules at once, also where they speak of other fields."""

from process import command, open_stage, until

INCIDENT = "BMCServiceDesk__Incident__c"
P = "BMCServiceDesk__"
RULES = f"""
[[rulesets]]
name = "Mine"
[[rulesets.rules]]
name = "Page for priority 1"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [ {{ field = "record.{P}FKPriority__r.Name", op = "changed_to", value = "1" }} ]
actions = [ {{ do = "pagerduty.create_incident", title = "x" }} ]
"""
MORE = f"""
[[rulesets.rules]]
name = "They call"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [ {{ field = "record.{P}contactType__c", op = "changed_to", value = "Phone" }} ]
actions = [ {{ do = "pagerduty.add_note", text = "they call now" }} ]
"""


async def test_a_field_that_only_the_new_rules_speak_of_counts_from_its_first_change(tmp_path):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        sf, pd, config = stage.desk.salesforce, stage.desk.pagerduty, stage.desk.config
        await running.ready(60)
        record = sf.insert(
            INCIDENT,
            {
                f"{P}contactType__c": "Email",
                f"{P}FKCategory__c": sf.find_id(f"{P}Category__c", Name="Network"),
                f"{P}FKPriority__c": sf.find_id(f"{P}Priority__c", Name="1"),
            },
        )
        await until(lambda: len(pd.incidents()) == 1, "a page")
        (tmp_path / "new.toml").write_text(RULES + MORE)
        code, out, err = await command("rules", "apply", str(tmp_path / "new.toml"), config=config)
        assert code == 0, err
        assert f"every {INCIDENT} is read again, now with {P}contactType__c" in out
        await until(lambda: "reading_new_fields" in running.log.read_text(), "the reading")
        sf.update(INCIDENT, record, {f"{P}contactType__c": "Phone"})
        notes = lambda: [x["content"] for x in pd.notes(pd.incidents()[0]["id"])]  # noqa: E731
        await until(lambda: notes() == ["they call now"], "the note")
