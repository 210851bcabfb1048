"""Values that are copied with changes are structs; ``dataclasses.replace`` refuses those."""

import dataclasses
import pkgutil
from importlib import import_module

import pagerforce


def test_no_module_copies_values_as_dataclasses():
    found = []
    for item in pkgutil.walk_packages(pagerforce.__path__, "pagerforce."):
        if item.name.startswith("pagerforce.sandbox") or item.name.endswith("__main__"):
            continue
        module = import_module(item.name)
        if getattr(module, "replace", None) is dataclasses.replace:
            found.append(item.name)
    assert found == []
