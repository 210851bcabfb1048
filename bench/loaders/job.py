"""The input of a loader, and its report."""

import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pagerforce.sandbox.pagerduty import ACCOUNT_KEY


@dataclass(frozen=True, slots=True)
class Job:
    """What to load, and from where. Times are ISO 8601; ``changes``: for loaders that write."""

    pagerduty_url: str
    salesforce_url: str
    token: str
    folder: str
    begin: str
    end: str
    object: str
    fields: tuple[str, ...]
    records: dict[str, dict[str, str]]
    incidents: tuple[str, ...] = ()
    api_key: str = ACCOUNT_KEY

    @property
    def ca_file(self) -> str:
        """The sandbox's authority."""
        return f"{self.folder}/ca.crt"

    def soql(self, since: str) -> str:
        """The rows that have changed since then, in the query of either API."""
        columns = ", ".join(
            dict.fromkeys(["Id", "SystemModstamp", "LastModifiedDate", *self.fields])
        )
        literal = since.replace(".000+0000", "Z")
        return f"SELECT {columns} FROM {self.object} WHERE SystemModstamp >= {literal}"

    def windows(self, since: str) -> list[tuple[str, str]]:
        """Hours from then on: the log lists at most 10,000 entries of one window."""
        at, end = datetime.fromisoformat(since), datetime.fromisoformat(self.end)
        found = []
        while at < end:
            until = min(at + timedelta(hours=1), end)
            found.append((at.isoformat(), until.isoformat()))
            at = until
        return found


def read_job() -> Job:
    """Reads the job from the file in the first argument."""
    return Job(**json.loads(Path(sys.argv[1]).read_text()))


def write_job(job: Job) -> Path:
    """Writes it where ``read_job`` finds it."""
    path = Path(job.folder) / "job.json"
    path.write_text(json.dumps(asdict(job)))
    return path


def tell(**counts: int) -> None:
    """Prints what this process did and used, as JSON; memory in MiB."""
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    used = {"cpu": time.process_time(), "peak": float(peak.split()[1]) / 1024}
    sys.stdout.write(json.dumps({**used, **counts}) + "\n")
