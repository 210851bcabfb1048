"""The vendors' own Python clients in a plain loop: read everything, compare with the content of a file."""

import json
import ssl
from pathlib import Path

import requests
from simple_salesforce import Salesforce

import pagerduty
from bench.loaders.job import Job, read_job, tell


def main() -> None:
    """Reads both sides, finds new data, and stores it for the next run."""
    job = read_job()
    place = Path(job.folder) / "plain.json"
    known = json.loads(place.read_text()) if place.exists() else {"rows": {}, "entries": {}}
    rows, entries = _rows(job), _entries(job)
    changed = [key for key, row in rows.items() if known["rows"].get(key) != row]
    new = [key for key in entries if key not in known["entries"]]
    known["rows"] |= rows
    known["entries"] |= entries
    place.write_text(json.dumps(known))
    tell(rows=len(changed), entries=len(new))


def _rows(job: Job) -> dict[str, object]:
    session = requests.Session()
    session.verify = job.ca_file
    client = Salesforce(
        session_id=job.token, instance_url=job.salesforce_url, session=session, version="62.0"
    )
    return {row["Id"]: row for row in client.query_all(job.soql(job.begin))["records"]}


def _entries(job: Job) -> dict[str, object]:
    trust = ssl.create_default_context(cafile=job.ca_file)
    found = {}
    with pagerduty.RestApiV2Client(job.api_key, base_url=job.pagerduty_url, verify=trust) as client:
        for since, until in job.windows(job.begin):
            params = {"since": since, "until": until, "include[]": ["incidents", "channels"]}
            for entry in client.iter_all("log_entries", params=params, page_size=100):
                found[entry["id"]] = entry
    return found


if __name__ == "__main__":
    main()
