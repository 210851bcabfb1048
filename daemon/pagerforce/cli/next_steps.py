"""The next steps after ``init``, with the names of the vendors' present menus; pure text.

Sources of the menu names: PagerDuty, "API Access Keys" and "Manage Users"
(support.pagerduty.com/main/docs/api-access-keys, .../docs/users); Salesforce, "Configure a JWT
Bearer Flow" and "Preauthorize User App Access Through External Client App Policies"
(help.salesforce.com, xcloud.configure_oauth_jwt_flow_external_client_apps and
xcloud.preauth_user_app_access_through_eca).
"""

from collections.abc import Sequence
from pathlib import Path

from pagerforce.config.certificate import CERTIFICATE_NAME
from pagerforce.config.starter import (
    API_KEY_NAME,
    CONFIG_NAME,
    KEY_NAME,
    NEXT_CERTIFICATE_NAME,
    NEXT_KEY_NAME,
)
from pagerforce.model.display import shown


def first_steps(folder: Path, open_keys: Sequence[str], *, instance: str) -> str:
    """Returns the steps after the first ``init``.

    Args:
        folder: the folder of the files.
        open_keys: keys of the configuration that still have an example value.
        instance: of ``pagerforce@.service``; ``""`` for the only connection of this host.
    """
    parts = [_pagerduty(folder), _salesforce(folder), _configuration(folder, open_keys)]
    return "\n\n".join([*parts, _start(folder, instance)])


def _pagerduty(folder: Path) -> str:
    return f"""\
PagerDuty, as an Admin or the Account Owner
  1. Integrations > Developer Tools > API Access Keys > Create New API Key. Leave
     "Read-only API Key" unchecked. Create Key. It is shown only once.
  2. Put only the key into a file that only its owner can read (paste it, Enter, Ctrl-D):
       (umask 077; cat > {_path(folder, API_KEY_NAME)})
  3. People > Users: a user with the e-mail of pagerduty.from_email must exist (Add Users), whose
     role may respond to incidents."""


def _salesforce(folder: Path) -> str:
    return f"""\
Salesforce, as an administrator. An existing Connected App with digital signatures works as well.
  1. Setup, Quick Find: External Client App Manager > New External Client App.
     Distribution State: Local. Enable OAuth. The Callback URL is not used: enter any of your URLs.
     OAuth Scopes: "Manage user data via APIs (api)" and
     "Perform requests at any time (refresh_token, offline_access)".
     Flow Enablement: Enable JWT Bearer Flow, Upload Files: {_path(folder, CERTIFICATE_NAME)}
     The consumer key that the app then shows is salesforce.consumer_key.
  2. The app's actions > Edit Policies. OAuth Policies, Permitted Users:
     "Admin approved users are pre-authorized". Select a profile or permission set that the user of
     salesforce.username has. This takes up to ten minutes to take effect.
  3. That user needs API Enabled, and read and edit on the configured objects and fields. Give it
     View All on the objects: records hidden from it are silently missing."""  # noqa: S608 (prose)


def _configuration(folder: Path, open_keys: Sequence[str]) -> str:
    config = _path(folder, CONFIG_NAME)
    if not open_keys:
        return f"{config} is filled in. Its service mappings and rules are examples: adapt them."
    keys = "".join(f"\n  {key}" for key in open_keys)
    return (
        f"Still to fill in, in {config}:{keys}\n"
        "Its service mappings and rules are examples: adapt them."
    )


def _start(folder: Path, instance: str) -> str:
    unit = f"pagerforce@{instance}" if instance else "pagerforce"
    return f"""\
Then
  pagerforce check --config {_path(folder, CONFIG_NAME)}
  systemctl enable --now {unit}
It starts in shadow mode: it reads, decides and records, and writes to neither side."""


def renewal_steps(folder: Path) -> str:
    """Returns the steps to replace the present key and certificate with the next pair."""
    old, new = _path(folder, KEY_NAME), _path(folder, NEXT_KEY_NAME)
    certificate = _path(folder, CERTIFICATE_NAME)
    new_certificate = _path(folder, NEXT_CERTIFICATE_NAME)
    return f"""\
The present key and certificate keep working. To change over:
  1. Salesforce: Setup, Quick Find: External Client App Manager, the app's actions > Edit Settings,
     OAuth Settings, Enable JWT Bearer Flow, Upload Files: {new_certificate}. Save.
     Open sessions stay open, so pagerforce keeps running; it takes up to ten minutes until all of
     Salesforce knows the new certificate.
  2. Then, on this host:
       mv {new} {old} && mv {new_certificate} {certificate}
       systemctl restart pagerforce
  3. pagerforce check --config {_path(folder, CONFIG_NAME)}
Nothing is lost in between: after the next login pagerforce catches up.
To have no gap at all, see docs/how-to/renew-the-certificate.md."""


def _path(folder: Path, name: str) -> str:
    return shown(folder / name)
