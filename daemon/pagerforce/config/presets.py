"""Presets of ``[[objects]]``: well-known objects as data, under what the user wrote."""

import tomllib
from collections.abc import Mapping
from importlib import resources

_FOLDER = ("salesforce", "presets")


def preset_names() -> tuple[str, ...]:
    """The presets that come with pagerforce, sorted."""
    folder = resources.files("pagerforce").joinpath(*_FOLDER)
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_preset(name: str) -> dict[str, object]:
    """A preset's keys as TOML holds them. ``name`` is one of ``preset_names()``."""
    file = resources.files("pagerforce").joinpath(*_FOLDER, f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def overlay(base: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """``base`` with ``given`` on top; ``comments`` and its ``fields`` are merged key by key.

    A single field's value is replaced whole: a lookup never mixes with the one it replaces.
    """
    merged = {**base, **given}
    for key in ("comments", "fields"):
        below, above = base.get(key), given.get(key)
        if isinstance(below, Mapping) and isinstance(above, Mapping):
            merged[key] = overlay(below, above) if key == "comments" else {**below, **above}
    return merged
