"""One API call per change, the way push integrations write, with the vendors' own clients."""

import ssl

import requests
from simple_salesforce import Salesforce

import pagerduty
from bench.loaders.job import read_job, tell
from pagerforce.sandbox.running import USERNAME


def main() -> None:
    """Writes every change."""
    job = read_job()
    session = requests.Session()
    session.verify = job.ca_file
    client = Salesforce(
        session_id=job.token, instance_url=job.salesforce_url, session=session, version="62.0"
    )
    rows = getattr(client, job.object)
    for record_id, fields in job.records.items():
        rows.update(record_id, fields)
    trust = ssl.create_default_context(cafile=job.ca_file)
    with pagerduty.RestApiV2Client(
        job.api_key, default_from=USERNAME, base_url=job.pagerduty_url, verify=trust
    ) as account:
        for incident_id in job.incidents:
            incident = {"type": "incident_reference", "status": "resolved"}
            account.rput(f"/incidents/{incident_id}", json=incident)
    tell(rows=len(job.records), entries=len(job.incidents))


if __name__ == "__main__":
    main()
