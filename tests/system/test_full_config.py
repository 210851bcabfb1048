"""The full configuration, changed only in addresses and secrets, works."""

from pathlib import Path

from process import open_stage, until

FULL = Path(__file__).parents[1] / "unit" / "config" / "full.toml"
P = "BMCServiceDesk__"


async def test_the_full_configuration_does_the_job(tmp_path):
    async with open_stage(tmp_path) as stage:
        desk = stage.desk
        stage.use_config(FULL.read_text("utf-8"))
        async with stage.daemon(STATE_DIRECTORY=str(desk.folder / "state")) as running:
            await running.ready(20)
            sf, pd = desk.salesforce, desk.pagerduty
            values = {
                f"{P}shortDescription__c": "Core switch down",
                f"{P}FKCategory__c": "a0C000000000001EAA",
                f"{P}FKPriority__c": sf.find_id(f"{P}Priority__c", Name="1"),
            }
            record_id = sf.insert(f"{P}Incident__c", values)
            await until(lambda: len(pd.incidents()) == 1, "a page within two calm polls", 40)
            (incident,) = pd.incidents()
            assert incident["service"]["id"] == "PNET001"
            name = sf.row(f"{P}Incident__c", record_id)["Name"]
            assert incident["title"] == f"{name}: Core switch down"
            pd.annotate(incident["id"], "on it", by="PJANE01")
            history = f"{P}IncidentHistory__c"
            await until(lambda: len(sf.rows(history)) == 1, "the note as a comment", 40)
            assert sf.rows(history)[0][f"{P}note__c"] == "[PagerDuty - Jane Doe] on it"
            assert await running.sample("dead_letters") == 0
