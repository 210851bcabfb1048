"""Loads the configuration: files, schema, cross-checks and rules, all problems at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from msgspec import Struct
from pydantic import ValidationError

from pagerforce.config.crosscheck import cross_check, object_names
from pagerforce.config.explain import to_problems
from pagerforce.config.files import Document, FilesRead, RulesText, read_files, replace_rules
from pagerforce.config.keypath import split_path
from pagerforce.config.merge import Merged, merge_documents
from pagerforce.config.paths import control_socket
from pagerforce.config.schema import Config
from pagerforce.errors import ConfigError, Problem
from pagerforce.model.action import ActionSpec
from pagerforce.rules.parse import parse_rulesets
from pagerforce.rules.syntax import Rule

DEFAULT_PATH = Path("/etc/pagerforce/config.toml")
VARIABLE = "PAGERFORCE_CONFIG"


class Loaded(Struct, frozen=True):
    """A configuration without any problem.

    Attributes:
        rules: of all rulesets, in file order.
        files: main file first, then its included files, in reading order.
    """

    config: Config
    rules: tuple[Rule, ...]
    files: tuple[Path, ...]


def find_config(option: Path | None, environ: Mapping[str, str]) -> Path:
    """Returns the file to load: ``--config``, else ``$PAGERFORCE_CONFIG``, else the one in /etc."""
    if option is not None:
        return option
    named = environ.get(VARIABLE, "")
    return Path(named) if named else DEFAULT_PATH


def load_config(
    path: Path,
    *,
    catalog: Sequence[ActionSpec],
    environ: Mapping[str, str],
    rules: Sequence[Path | RulesText] = (),
) -> Loaded:
    """Reads and checks a configuration with its included files.

    Secrets are not read: see ``secret.load_secrets``.

    Args:
        path: the main file.
        catalog: the actions that rules may use.
        environ: the process environment, for the folders from systemd.
        rules: files or texts that replace all rulesets of the configuration, and maps of the same
            names: to try them, or because an operator applied them.

    Raises:
        ConfigError: with every problem found, in the order of the files.
    """
    path = path.absolute()
    reading = read_files(path)
    if rules and reading.documents:
        replace_rules(reading, rules)
    if not reading.documents:
        raise ConfigError(reading.problems)
    merged = merge_documents(reading.documents)
    config, problems = _validate(merged, path.parent)
    parsed, rule_problems = _parse_rules(merged, catalog)
    problems += [*reading.problems, *merged.problems, *cross_check(merged), *rule_problems]
    if config is not None:
        problems += _check_files(config, merged, environ)
    if problems or config is None:
        raise ConfigError(_in_file_order(problems, reading))
    return Loaded(config, parsed, tuple(document.path for document in reading.documents))


def _validate(merged: Merged, folder: Path) -> tuple[Config | None, list[Problem]]:
    try:
        return Config.model_validate(merged.table, context={"folder": folder}), []
    except ValidationError as error:
        return None, to_problems(error, merged.place)


def _parse_rules(
    merged: Merged, catalog: Sequence[ActionSpec]
) -> tuple[tuple[Rule, ...], tuple[Problem, ...]]:
    return parse_rulesets(
        [
            (merged.place(("rulesets", index)), ruleset)
            for index, ruleset in enumerate(merged.items("rulesets"))
        ],
        catalog=catalog,
        objects=object_names(merged),
        maps=_scalar_maps(merged),
    )


def _scalar_maps(merged: Merged) -> dict[str, dict[str, str | int | float | bool]]:
    """Returns the maps with their valid values; the schema reports the others."""
    return {
        name: {key: value for key, value in table.items() if isinstance(value, str | int | float)}
        for name, table in merged.maps.items()
    }


def _check_files(config: Config, merged: Merged, environ: Mapping[str, str]) -> list[Problem]:
    problems = []
    try:
        control_socket(config, environ)
    except ConfigError as error:
        problems += [Problem(f"{merged.main}: {one.where}", one.what) for one in error.problems]
    if config.daemon.ca_file is not None:
        wrong = _check_certificates(config.daemon.ca_file)
        if wrong:
            problems.append(Problem(merged.place(("daemon", "ca_file")), wrong))
    return problems


def _check_certificates(path: Path) -> str:
    """Returns what is wrong with a CA bundle; ``""`` if nothing."""
    try:
        if not path.is_file():
            return "is not an existing file: give the path of a PEM file, or remove the key"
        if not x509.load_pem_x509_certificates(path.read_bytes()):
            return "contains no certificate: give a PEM file with the CA certificates to trust"
    except OSError as error:
        return f"can not be read ({error.strerror}): check its owner and mode"
    except ValueError:
        return "is not a PEM file of certificates: give one that begins with BEGIN CERTIFICATE"
    return ""


def _in_file_order(problems: Sequence[Problem], reading: FilesRead) -> list[Problem]:
    """Sorts problems by file, then by the place of section and item in it."""
    tables = {document.label: document for document in reading.documents}
    order = {label: rank for rank, label in enumerate(reading.labels)}

    def rank(problem: Problem) -> tuple[int, int, tuple[int, ...]]:
        label = max(
            (one for one in order if problem.where == one or problem.where.startswith(f"{one}: ")),
            key=len,
            default="",
        )
        path = split_path(problem.where[len(label) + 2 :])
        section = _section_rank(tables.get(label), path)
        return order.get(label, -1), section, tuple(part for part in path if isinstance(part, int))

    return sorted(dict.fromkeys(problems), key=rank)


def _section_rank(document: Document | None, path: Sequence[str | int]) -> int:
    if document is None or not path or path[0] not in document.table:
        return len(document.table) if document and path else -1
    return list(document.table).index(str(path[0]))
