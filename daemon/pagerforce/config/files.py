"""Reads the configuration's files: the main file and its included files.

Returns parsed tables and problems; the only key that it knows is ``include``.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.config.bounds import LARGEST_RULES_BYTES, check_bounds
from pagerforce.config.inline_secrets import remove_secrets
from pagerforce.config.regular import NotRegularError, TooLargeError, read_regular
from pagerforce.errors import Problem

RULES_KEYS = ("rulesets", "maps")
_LARGEST_BYTES = 4 * 1024 * 1024
_MOST_FILES = 1000
_WILDCARD = re.compile(r"[*?\[]")
_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


class Document(Struct, frozen=True):
    """One file's content.

    Attributes:
        label: the file's name in problems: its path relative to the main file's folder.
        table: the TOML content without keys that contain secrets.
    """

    path: Path
    label: str
    table: Mapping[str, object]


class RulesText(Struct, frozen=True):
    """A rules file that is not a local file: an applied one, or one that a caller sent.

    ``label``: its name in problems.
    """

    label: str
    content: str


class FilesRead(Struct):
    """Everything read so far: documents in order, main file first, and problems."""

    documents: list[Document] = msgspec.field(default_factory=list)
    labels: list[str] = msgspec.field(default_factory=list)
    problems: list[Problem] = msgspec.field(default_factory=list)


def read_files(main: Path) -> FilesRead:
    """Reads the main file and its includes; an unreadable file is a problem, not an error."""
    reading = FilesRead()
    _read_into(reading, main, _main_label(main))
    if reading.documents:
        for path in _included(reading, main):
            _read_into(reading, path, _label_of(path, main.parent))
    return reading


def replace_rules(reading: FilesRead, files: Sequence[Path | RulesText]) -> None:
    """Replaces all rulesets read so far, and maps of the same names, with those of these files."""
    before = len(reading.documents)
    for item in files:
        if isinstance(item, RulesText):
            _take_text(reading, item)
        else:
            _read_into(reading, item.absolute(), str(item))
    added = reading.documents[before:]
    names = {name for document in added for name in _table(document.table.get("maps"))}
    for place, document in enumerate(reading.documents[:before]):
        kept = {key: value for key, value in document.table.items() if key != "rulesets"}
        maps = _table(document.table.get("maps"))
        if maps:
            kept["maps"] = {key: value for key, value in maps.items() if key not in names}
        reading.documents[place] = replace(document, table=kept)


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _main_label(main: Path) -> str:
    """Returns the bare name if the file exists; else the full path, to show the expected place."""
    try:
        main.stat()
    except (OSError, ValueError):
        return str(main)
    return main.name


def _read_into(reading: FilesRead, path: Path, label: str) -> None:
    reading.labels.append(label)
    _add(reading, path, label, _parse(path, label))


def _add(reading: FilesRead, path: Path, label: str, found: dict[str, object] | Problem) -> None:
    if isinstance(found, Problem):
        reading.problems.append(found)
        return
    table, problems = remove_secrets(found, label)
    reading.documents.append(Document(path, label, table))
    reading.problems += problems


def _take_text(reading: FilesRead, text: RulesText) -> None:
    """Adds a rules text; only rules and maps: the right to write rules covers nothing else."""
    reading.labels.append(text.label)
    found = _parse_text(text)
    if not isinstance(found, Problem):
        for key in found.keys() - set(RULES_KEYS):
            what = f"a rules file has {' and '.join(RULES_KEYS)} only: move it to the configuration"
            reading.problems.append(Problem(f"{text.label}: {key}", what))
        found = {key: value for key, value in found.items() if key in RULES_KEYS}
    _add(reading, Path(text.label), text.label, found)


def read_table(path: Path) -> dict[str, object] | None:
    """Returns a file's content unchecked, None if unparsable; raises ``PermissionError``."""
    try:
        found = _parse_toml(read_regular(path, _LARGEST_BYTES), str(path))
    except PermissionError:
        raise
    except (OSError, ValueError):
        return None
    return None if isinstance(found, Problem) else found


def _parse_text(text: RulesText) -> dict[str, object] | Problem:
    raw = text.content.encode("utf-8", "surrogatepass")
    if len(raw) > LARGEST_RULES_BYTES:
        return Problem(text.label, f"is larger than {LARGEST_RULES_BYTES} bytes: use fewer rules")
    return _parse_toml(raw, text.label)


def _parse(path: Path, label: str) -> dict[str, object] | Problem:
    try:
        raw = read_regular(path, _LARGEST_BYTES)
    except NotRegularError as error:
        is_folder = "folder" in str(error)
        what = "name the configuration file in it" if is_folder else "give the path of a TOML file"
        return Problem(label, f"{error}: {what}")
    except TooLargeError as error:
        return Problem(label, f"{error}: split it with include")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return Problem(label, _why_unreadable(error))
    return _parse_toml(raw, label)


def _why_unreadable(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "does not exist: `pagerforce init` writes one; use --config for another file"
        case PermissionError():
            return "may not be read by this user: check its owner and mode"
        case OSError():
            return f"can not be read ({error.strerror}): check the path"
    return "is not a path: it must not contain a NUL"


def _parse_toml(raw: bytes, label: str) -> dict[str, object] | Problem:
    try:
        text = raw.decode("utf-8-sig")
        wrong = check_bounds(text)
        if wrong is not None:
            return Problem(f"{label}: line {wrong[0]}", wrong[1])
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Problem(f"{label}: line {line}", "is not UTF-8: save the file in UTF-8")
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        what = _TOML_PLACE.sub("", str(error))
        where = f"line {place[1]}, column {place[2]}" if place and place[1] else "end of file"
        return Problem(f"{label}: {where}", f"is not valid TOML: {_dotted(what)}")
    except RecursionError:
        return Problem(label, "is nested too deeply: flatten it")
    except ValueError as error:  # a whole number with more digits than Python accepts
        return Problem(label, f"is not valid TOML: {error}")


def _dotted(message: str) -> str:
    """Replaces keys in the parser's form, ``('daemon', 'mode')``, with dotted keys."""
    return re.sub(
        r"\(('[^']*',? ?)+\)", lambda key: ".".join(re.findall(r"'([^']*)'", key[0])), message
    )


def _included(reading: FilesRead, main: Path) -> Sequence[Path]:
    patterns = reading.documents[0].table.get("include", [])
    label = reading.documents[0].label
    if not isinstance(patterns, list) or not all(isinstance(one, str) for one in patterns):
        return ()  # the schema reports the type
    found: dict[Path, None] = {}
    for index, pattern in enumerate(patterns):
        where = f"{label}: include[{index}]"
        try:
            paths = sorted(_expand(main.parent, pattern))
        except PermissionError:
            what = "needs a folder that this user may not read: check its owner and mode"
            reading.problems.append(Problem(where, what))
            continue
        except (OSError, ValueError, IndexError, NotImplementedError):
            what = 'is not a pattern of files: write one such as "rules.d/*.toml"'
            reading.problems.append(Problem(where, what))
            continue
        # Editors leave hidden lock and backup files; the main file may match its own pattern.
        found |= {
            path: None
            for path in paths
            # realpath: unlike resolve() it accepts a link that leads to itself
            if not path.name.startswith(".") and os.path.realpath(path) != os.path.realpath(main)
        }
        if len(found) > _MOST_FILES:
            what = f"matches more than {_MOST_FILES} files: write a narrower pattern"
            reading.problems.append(Problem(where, what))
            return ()
    return tuple(found)


def _expand(folder: Path, pattern: str) -> list[Path]:
    """Returns the files that match a pattern, relative to ``folder`` unless it is absolute.

    Raises:
        PermissionError: a folder may not be read; the search itself would skip it silently.
        ValueError, IndexError, NotImplementedError: it is not a pattern.
    """
    if not pattern:
        raise ValueError(pattern)
    whole = folder / pattern
    start = Path(whole.anchor)
    for part in whole.parts[1:-1]:
        if _WILDCARD.search(part):
            break
        start /= part
    if start.is_dir() and not os.access(start, os.R_OK | os.X_OK):
        raise PermissionError(start)
    rest = whole.relative_to(start)
    return list(start.glob(str(rest)))


def _label_of(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
