"""What ``check --offline`` says: everything about the configuration that needs no remote side."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pagerforce.config.load import Loaded, load_config
from pagerforce.config.paths import control_socket, state_dir
from pagerforce.config.schema import Config
from pagerforce.config.secret import (
    SecretPlace,
    check_secret_mode,
    find_api_key,
    find_private_key,
)
from pagerforce.model.action import ActionSpec


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of ``check``: what was looked at, and what to do where it is not well."""

    ok: bool
    what: str
    remedy: str = ""


def check_offline(
    path: Path, *, catalog: Sequence[ActionSpec], environ: Mapping[str, str]
) -> Loaded:
    """Loads a configuration as the daemon would; secrets need not be there.

    Raises:
        ConfigError: with every problem found.
    """
    return load_config(path, catalog=catalog, environ=environ)


def offline_lines(loaded: Loaded, environ: Mapping[str, str]) -> tuple[CheckLine, ...]:
    """One line per part of a configuration that was loaded."""
    config = loaded.config
    return (
        CheckLine(ok=True, what=f"syntax: {_count(len(loaded.files), 'file')} read"),
        _folders_line(config, environ),
        _mode_line(config),
        _objects_line(config),
        _mappings_line(config),
        CheckLine(ok=True, what=f"maps: {_names(config.maps)}"),
        _rules_line(loaded),
        _secret_line("PagerDuty API key", find_api_key, config, environ),
        _secret_line("Salesforce private key", find_private_key, config, environ),
    )


def _folders_line(config: Config, environ: Mapping[str, str]) -> CheckLine:
    socket = control_socket(config, environ) or "disabled"
    return CheckLine(
        ok=True, what=f"state folder: {state_dir(config, environ)}; control socket: {socket}"
    )


def _mode_line(config: Config) -> CheckLine:
    writes = "writes to neither side" if config.daemon.mode == "shadow" else "writes to both sides"
    return CheckLine(ok=True, what=f"mode: {config.daemon.mode} ({writes})")


def _objects_line(config: Config) -> CheckLine:
    if not config.objects:
        return CheckLine(ok=True, what="objects: none, so nothing is read from Salesforce")
    return CheckLine(ok=True, what=f"objects: {_names(item.name for item in config.objects)}")


def _mappings_line(config: Config) -> CheckLine:
    names = _names(item.name for item in config.service_mappings)
    return CheckLine(ok=True, what=f"service mappings: {names}")


def _rules_line(loaded: Loaded) -> CheckLine:
    enabled = sum(1 for rule in loaded.rules if rule.enabled)
    rulesets = _count(len(loaded.config.rulesets), "ruleset")
    rules = _count(len(loaded.rules), "rule")
    return CheckLine(ok=True, what=f"rules: {rules} in {rulesets}, {enabled} enabled")


def _secret_line(
    what: str,
    find: Callable[[Config, Mapping[str, str]], SecretPlace | None],
    config: Config,
    environ: Mapping[str, str],
) -> CheckLine:
    place = find(config, environ)
    if place is None:
        return CheckLine(ok=True, what=f"{what}: not given yet, not checked offline")
    if place.path is None:
        return CheckLine(ok=True, what=f"{what}: {place.name} is set, not checked offline")
    try:
        mode = place.path.stat().st_mode
    except OSError as error:  # absent, or out of this user's sight: the daemon is another user
        reason = f"{place.name} not seen ({error.strerror}), not checked offline"
        return CheckLine(ok=True, what=f"{what}: {reason}")
    problem = check_secret_mode(place, mode)
    if problem is not None:
        return CheckLine(ok=False, what=f"{what}: {place.name}", remedy=problem.what)
    return CheckLine(ok=True, what=f"{what}: {place.name} found, not checked offline")


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
