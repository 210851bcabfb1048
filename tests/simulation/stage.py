"""Both sides, the network between them and the daemon, and the files of one history."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import jwt.algorithms
import tomli_w
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.warnings import InsecureKeyLengthWarning

from pagerforce.config.load import Loaded, load_config
from pagerforce.config.secret import Secret, Secrets
from pagerforce.model.ids import Side
from pagerforce.sandbox import pagerduty, salesforce
from pagerforce.sandbox.faults import Faults
from pagerforce.sandbox.pagerduty import ACCOUNT_KEY, PagerDutyWorld
from pagerforce.sandbox.running import CONSUMER_KEY, ORG_ID, USERNAME
from pagerforce.sandbox.salesforce import SalesforceWorld
from pagerforce.service.catalog import CATALOG
from simulation.administrator import RULES as ADMINISTERED_RULES
from simulation.automation import Org
from simulation.network import URLS, Road
from simulation.plan import Plan
from simulation.virtual import Clock

_SHARED_MEMORY = Path("/dev/shm")


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder in memory if there is one: a history writes some thousand transactions."""
    place = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="pagerforce-simulation-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@cache
def private_key() -> bytes:
    """One key for all histories of a process: no decision depends on it, so it may be short."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@contextmanager
def one_key() -> Iterator[None]:
    """The same key is read at every login: its arithmetic is checked once and not a thousand times.

    Patched, because only a simulation logs in that often.
    """
    with patch.object(jwt.algorithms, "load_pem_private_key", _loaded_key):
        yield


@cache
def _loaded_key(text: bytes, password: bytes | None = None) -> Any:
    return serialization.load_pem_private_key(text, password=password)


@dataclass(slots=True)
class Stage:
    """What survives the daemon."""

    pd: PagerDutyWorld
    sf: SalesforceWorld
    faults: dict[Side, Faults]
    roads: dict[Side, Road]
    clocks: dict[Side, Clock]


def set_up(dice: Random) -> Stage:
    """Both sides in their initial state, each with a clock of its own, as exact as NTP makes them."""
    clocks = {side: Clock(dice.choice([0, dice.uniform(-1.5, 1.5)])) for side in Side}
    pd = pagerduty.seeded_world(clocks[Side.PAGERDUTY])
    for policy in pd.state.directory.policies.values():
        policy.levels.append(tuple(name for level in policy.levels for name in level))
    sf = salesforce.seeded_world(clocks[Side.SALESFORCE])
    sf.trust(_public_key())
    faults = {side: Faults() for side in Side}
    roads = {
        Side.PAGERDUTY: Road(pagerduty.make_app(pd, faults[Side.PAGERDUTY])),
        Side.SALESFORCE: Road(salesforce.make_app(sf, faults[Side.SALESFORCE])),
    }
    return Stage(pd, sf, faults, roads, clocks)


@cache
def _public_key() -> bytes:
    key = serialization.load_pem_private_key(private_key(), password=None)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def configure(folder: Path, plan: Plan, org: Org) -> tuple[Loaded, Secrets]:
    """The daemon's configuration, read as the daemon reads it."""
    pace, rules = plan.pace, folder / "rules.toml"
    plain = '{ do = "pagerduty.acknowledge" }'
    taking = f'{{ do = "pagerduty.acknowledge", assign_to = "{plan.assign_to}" }}'
    written = Path(__file__).with_name("rules.toml").read_text().replace(plain, taking)
    rules.write_text(org.rules(written) + (ADMINISTERED_RULES if org.is_administered else ""))
    polling = {"poll_interval": f"{pace.calm}s", "min_poll_interval": f"{pace.busy}s"}
    interval = f"{pace.stream}s"
    streaming = {"stream": "cometd", "stream_poll_interval": interval} if pace.stream else {}
    config = folder / "config.toml"
    config.write_text(
        tomli_w.dumps(
            {
                "include": [str(rules)],
                "daemon": {"state_dir": str(folder / "state"), "control_socket": ""},
                "metrics": {"listen": ""},
                "pagerduty": {
                    "api_url": URLS[Side.PAGERDUTY],
                    "api_key_file": str(folder / "pagerduty.key"),
                    "from_email": USERNAME,
                    "late_window": f"{pace.late_pagerduty}s",
                    "reconcile_interval": f"{pace.reconcile}s",
                    **polling,
                },
                "salesforce": {
                    "login_url": URLS[Side.SALESFORCE],
                    "org_id": ORG_ID,
                    "consumer_key": CONSUMER_KEY,
                    "username": USERNAME,
                    "private_key_file": str(folder / "salesforce.key"),
                    "late_window": f"{pace.late_salesforce}s",
                    **polling,
                    **streaming,
                },
            }
        )
    )
    warnings.filterwarnings("ignore", category=InsecureKeyLengthWarning)  # see private_key
    loaded = load_config(config, catalog=CATALOG, environ={})
    return loaded, Secrets(Secret(ACCOUNT_KEY), Secret(private_key().decode()))
