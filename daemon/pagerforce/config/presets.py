"""Presets of ``[[objects]]``: well-known objects as data; the user's keys override them."""

import tomllib
from collections.abc import Mapping
from importlib import resources

_FOLDER = ("salesforce", "presets")


def preset_names() -> tuple[str, ...]:
    """Returns the presets of pagerforce, sorted."""
    folder = resources.files("pagerforce").joinpath(*_FOLDER)
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_preset(name: str) -> dict[str, object]:
    """Returns a preset's keys from TOML. ``name`` is one of ``preset_names()``."""
    file = resources.files("pagerforce").joinpath(*_FOLDER, f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def overlay(base: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """Returns ``base`` overridden by ``given``; ``comments`` and ``fields`` are merged key by key.

    A field's value is always replaced as a whole: two lookups are never mixed.
    """
    merged = {**base, **given}
    for key in ("comments", "fields"):
        below, above = base.get(key), given.get(key)
        if isinstance(below, Mapping) and isinstance(above, Mapping):
            merged[key] = overlay(below, above) if key == "comments" else {**below, **above}
    return merged
