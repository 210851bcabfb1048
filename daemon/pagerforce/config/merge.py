"""Merges the files' tables into one, and remembers the origin of each part."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from pagerforce.config.files import Document
from pagerforce.config.keypath import key_path
from pagerforce.config.presets import load_preset, overlay, preset_names
from pagerforce.config.suggest import did_you_mean
from pagerforce.errors import Problem

LISTS = ("objects", "service_mappings", "rulesets")
_SHARED = (*LISTS, "maps")
_MAIN_ONLY = ("include", "daemon", "state", "metrics", "pagerduty", "salesforce", "delivery")


class Merged(Struct):
    """One table of all files.

    Attributes:
        main: label of the main file.
        table: ready for the schema.
        origins: for each list, the label and index of each of its items.
        map_labels: the file of each map.
    """

    main: str
    table: dict[str, object] = msgspec.field(default_factory=dict)
    origins: dict[str, list[tuple[str, int]]] = msgspec.field(default_factory=dict)
    map_labels: dict[str, str] = msgspec.field(default_factory=dict)
    problems: list[Problem] = msgspec.field(default_factory=list)

    def place(self, path: Sequence[str | int]) -> str:
        """Returns file and key path of a path in the merged table."""
        label, parts = self.main, tuple(path)
        if len(parts) > 1 and parts[0] in self.origins and isinstance(parts[1], int):
            label, index = self.origins[str(parts[0])][parts[1]]
            parts = (parts[0], index, *parts[2:])
        elif len(parts) > 1 and parts[0] == "maps":
            label = self.map_labels.get(str(parts[1]), label)
        return f"{label}: {key_path(parts)}" if parts else label

    def items(self, key: str) -> list[Mapping[str, object]]:
        """Returns the tables of one of the lists, from all files, in order."""
        found = self.table.get(key)
        return list(found) if isinstance(found, list) else []

    @property
    def maps(self) -> Mapping[str, Mapping[str, object]]:
        """Returns all maps by name."""
        found = self.table.get("maps")
        return found if isinstance(found, dict) else {}


def merge_documents(documents: Sequence[Document]) -> Merged:
    """Returns all documents as one table, presets applied; the first document is the main file."""
    main = documents[0]
    merged = Merged(main.label)
    merged.table = {key: value for key, value in main.table.items() if key not in _SHARED}
    merged.table |= {key: [] for key in LISTS} | {"maps": {}}
    merged.origins = {key: [] for key in LISTS}
    for document in documents:
        if document is not main:
            _refuse_foreign_keys(merged, document)
        for key in LISTS:
            _add_list(merged, document, key)
        _add_maps(merged, document)
    merged.table["objects"] = [
        _with_preset(merged, index, item) for index, item in enumerate(merged.items("objects"))
    ]
    return merged


def _refuse_foreign_keys(merged: Merged, document: Document) -> None:
    for key in document.table:
        if key in _SHARED:
            continue
        if key == "include":
            what = "an included file can not include others: list them in the main file"
        elif key in _MAIN_ONLY:
            what = f"is allowed in the main file only: move [{key}] to {merged.main}"
        else:
            what = f"unknown key{did_you_mean(key, _SHARED)}; an included file may have "
            what += ", ".join(_SHARED)
        merged.problems.append(Problem(f"{document.label}: {key_path((key,))}", what))


def _add_list(merged: Merged, document: Document, key: str) -> None:
    found = document.table.get(key, [])
    if not isinstance(found, list):
        what = f"must be an array of tables: write [[{key}]] with two brackets on each side"
        merged.problems.append(Problem(f"{document.label}: {key}", what))
        return
    items = merged.items(key)
    for index, item in enumerate(found):
        if isinstance(item, Mapping):
            items.append(item)
            merged.origins[key].append((document.label, index))
        else:
            what = f"must be a table: write each one under its own [[{key}]]"
            merged.problems.append(Problem(f"{document.label}: {key}[{index}]", what))
    merged.table[key] = items


def _add_maps(merged: Merged, document: Document) -> None:
    found = document.table.get("maps", {})
    if not isinstance(found, Mapping):
        what = "must be tables: write each map under its own [maps.NAME]"
        merged.problems.append(Problem(f"{document.label}: maps", what))
        return
    maps = merged.table["maps"] = dict(merged.maps)
    for name, table in found.items():
        where = f"{document.label}: {key_path(('maps', name))}"
        if name in merged.map_labels:
            what = f"this map is in {merged.map_labels[name]} too: rename or merge them"
            merged.problems.append(Problem(where, what))
        elif not isinstance(table, Mapping):
            what = f"must be a table: write {key_path(('maps', name))} as its own section"
            merged.problems.append(Problem(where, what))
        else:
            merged.map_labels[name] = document.label
            maps[name] = table


def _with_preset(merged: Merged, index: int, item: Mapping[str, object]) -> Mapping[str, object]:
    name = item.get("preset", "")
    if not isinstance(name, str) or not name:
        return item
    known = preset_names()
    if name in known:
        return overlay(load_preset(name), item)
    what = "is not an existing preset"
    what += f"{did_you_mean(name, known)}: there are: {', '.join(known)}"
    merged.problems.append(Problem(merged.place(("objects", index, "preset")), what))
    return item
