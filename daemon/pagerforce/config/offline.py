"""The lines of ``check --offline``: the checks that need no remote side."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pagerforce.config import acknowledging, certificate, permissions
from pagerforce.config.acknowledging import acknowledging_lines
from pagerforce.config.certificate import certificate_line
from pagerforce.config.checkline import CheckLine, ok, remark, todo
from pagerforce.config.load import Loaded, load_config
from pagerforce.config.paths import control_socket, state_dir
from pagerforce.config.permissions import file_lines, secret_line, state_line
from pagerforce.config.schema import Config
from pagerforce.config.secret import find_api_key, find_private_key, find_state_password
from pagerforce.config.values import is_loopback
from pagerforce.model.action import ActionSpec
from pagerforce.rules.needs import doubts

NO_OBJECTS = remark(
    "objects.none", "objects", "none are configured, so nothing is read from Salesforce"
)
OUTSIDE_SERVICES = remark(
    "pagerduty.services_left_out",
    "service mapping {mapping}",
    "its service {service} is not in pagerduty.services: changes of its incidents are not read",
)

NOT_LOOPBACK = remark(
    "metrics.not_loopback",
    "metrics.listen {listen}",
    "is not a loopback address: everybody who reaches it can read the metrics, as often as they"
    " like; restrict access with a firewall, or use 127.0.0.1",
)

DOUBT = todo("rule.doubt", "{where}", "{what}")

ADVICE = (
    NOT_LOOPBACK,
    NO_OBJECTS,
    OUTSIDE_SERVICES,
    DOUBT,
    *acknowledging.ADVICE,
    *permissions.ADVICE,
    *certificate.ADVICE,
)


def check_offline(
    path: Path, *, catalog: Sequence[ActionSpec], environ: Mapping[str, str]
) -> Loaded:
    """Loads a configuration as the daemon would; secrets may be missing.

    Raises:
        ConfigError: with every problem found.
    """
    return load_config(path, catalog=catalog, environ=environ)


def offline_lines(
    loaded: Loaded, environ: Mapping[str, str], *, now: datetime
) -> tuple[CheckLine, ...]:
    """Returns one line per part of a loaded configuration.

    Args:
        loaded: the configuration.
        environ: may name systemd's folders and secrets.
        now: the present, aware; for the certificate's validity.
    """
    config = loaded.config
    return (
        ok(f"syntax: {_count(len(loaded.files), 'file')} read"),
        *file_lines(loaded.files),
        *_state_lines(config, environ),
        ok(f"control socket: {control_socket(config, environ) or 'disabled'}"),
        *metrics_lines(config),
        _mode_line(config),
        _objects_line(config),
        ok(f"service mappings: {_names(item.name for item in config.service_mappings)}"),
        *_left_out(config),
        ok(f"maps: {_names(config.maps)}"),
        _rules_line(loaded),
        *doubt_lines(loaded),
        *acknowledging_lines(loaded),
        secret_line("PagerDuty API key", find_api_key, config, environ),
        secret_line("Salesforce private key", find_private_key, config, environ),
        *_certificate_lines(config, environ, now),
    )


def _state_lines(config: Config, environ: Mapping[str, str]) -> list[CheckLine]:
    if not config.state.url:
        return [state_line(state_dir(config, environ))]
    lines = [ok(f"state: in PostgreSQL, connection {config.state.connection}")]
    if find_state_password(config, environ) is not None:
        lines.append(secret_line("PostgreSQL password", find_state_password, config, environ))
    return lines


def metrics_lines(config: Config) -> list[CheckLine]:
    """Returns a remark if the metrics are open to more than this host."""
    address = config.metrics.address
    if address is None or is_loopback(address[0]):
        return []
    return [NOT_LOOPBACK.line(listen=config.metrics.listen)]


def _mode_line(config: Config) -> CheckLine:
    writes = "writes to neither side" if config.daemon.mode == "shadow" else "writes to both sides"
    return ok(f"mode: {config.daemon.mode} ({writes})")


def _objects_line(config: Config) -> CheckLine:
    if not config.objects:
        return NO_OBJECTS.line()
    return ok(f"objects: {_names(item.name for item in config.objects)}")


def _left_out(config: Config) -> list[CheckLine]:
    watched = config.pagerduty.services
    return [
        OUTSIDE_SERVICES.line(mapping=row.name, service=row.service)
        for row in config.service_mappings
        if watched and row.service not in watched
    ]


def _rules_line(loaded: Loaded) -> CheckLine:
    enabled = sum(1 for rule in loaded.rules if rule.enabled)
    rulesets = _count(len(loaded.config.rulesets), "ruleset")
    rules = _count(len(loaded.rules), "rule")
    return ok(f"rules: {rules} in {rulesets}, {enabled} enabled")


def doubt_lines(loaded: Loaded) -> list[CheckLine]:
    """Returns mistakes in rules that prevent no start, but turn an action into a dead letter."""
    return [DOUBT.line(where=item.where, what=item.what) for item in doubts(loaded.rules)]


def _certificate_lines(
    config: Config, environ: Mapping[str, str], now: datetime
) -> list[CheckLine]:
    place = find_private_key(config, environ)
    if place is None or place.path is None:
        return []
    return [certificate_line(place.path, now)]


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
