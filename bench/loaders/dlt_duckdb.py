"""dlt, loading both sides incrementally into DuckDB; nested values stay JSON, as in pagerforce."""

import os
from collections.abc import Iterator

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import requests

from bench.loaders.job import Job, read_job, tell


def main() -> None:
    """One run of the pipeline: rows and entries since the last run."""
    job = read_job()
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=f"{job.folder}/dlt",
        destination=dlt.destinations.duckdb(f"{job.folder}/dlt.duckdb"),
        dataset_name="bench",
    )
    pipeline.run([_entries(job), _rows(job)])
    counts = pipeline.last_trace.last_normalize_info.row_counts
    tell(rows=counts.get("records", 0), entries=counts.get("log_entries", 0))


def _session(job: Job) -> requests.Session:
    session = requests.Session()
    session.verify = job.ca_file
    return session


def _entries(job: Job):  # noqa: ANN202 - dlt's own type
    @dlt.resource(
        name="log_entries", primary_key="id", write_disposition="merge", max_table_nesting=0
    )
    def log_entries(
        at=dlt.sources.incremental("created_at", initial_value=job.begin),  # noqa: ANN001, B008
    ) -> Iterator[list[object]]:
        http = _session(job)
        http.headers["Authorization"] = f"Token token={job.api_key}"
        for since, until in job.windows(at.last_value):
            offset = 0
            while True:
                params = {
                    "since": since,
                    "until": until,
                    "include[]": ["incidents", "channels"],
                    "limit": 100,
                    "offset": offset,
                }
                answer = http.get(f"{job.pagerduty_url}/log_entries", params=params)
                answer.raise_for_status()
                page = answer.json()
                yield page["log_entries"]
                if not page["more"]:
                    break
                offset += 100

    return log_entries


def _rows(job: Job):  # noqa: ANN202 - dlt's own type
    @dlt.resource(name="records", primary_key="Id", write_disposition="merge", max_table_nesting=0)
    def records(
        at=dlt.sources.incremental("SystemModstamp", initial_value=job.begin),  # noqa: ANN001, B008
    ) -> Iterator[list[object]]:
        http = _session(job)
        http.headers["Authorization"] = f"Bearer {job.token}"
        base = f"{job.salesforce_url}/services/data/v62.0/query"
        answer = http.get(base, params={"q": job.soql(at.last_value)})
        while True:
            answer.raise_for_status()
            page = answer.json()
            yield page["records"]
            if page["done"]:
                break
            answer = http.get(f"{job.salesforce_url}{page['nextRecordsUrl']}")

    return records


if __name__ == "__main__":
    main()
