"""The contract's own configuration, word for word but for addresses and secrets, does the job."""

from pathlib import Path

from process import open_stage, until

CONTRACT = Path(__file__).parents[1] / "unit" / "config" / "contract.toml"
P = "BMCServiceDesk__"


async def test_the_contracts_configuration_does_the_job(tmp_path):
    async with open_stage(tmp_path) as stage:
        desk = stage.desk
        text = CONTRACT.read_text("utf-8")
        for old, new in (
            ("https://api.pagerduty.com", desk.pagerduty_url),
            ("https://acme.my.salesforce.com", desk.salesforce_url),
            ('api_key_file  = ""', f'api_key_file = "{desk.folder / "pagerduty.key"}"'),
            ('private_key_file = ""', f'private_key_file = "{desk.folder / "salesforce.key"}"'),
            ("3MVG9...", desk.consumer_key),
            ("127.0.0.1:9479", stage.url.removeprefix("http://")),
        ):
            assert old in text, old
            text = text.replace(old, new)
        desk.config.write_text(text)
        (desk.folder / "rules.d" / "rules.toml").unlink()
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
