"""Key paths as problems show them: ``rulesets[0].rules[2].actions[0].field``."""

import re
from collections.abc import Sequence

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STEP = re.compile(r'"((?:[^"\\]|\\.)*)"|\[(\d+)\]|([^.\[\]"]+)')


def key_path(parts: Sequence[str | int]) -> str:
    """Returns the parts of a path as text; quotes keys that need quotes in TOML."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        key = part if _BARE.fullmatch(part) else '"' + part.replace('"', '\\"') + '"'
        text += f".{key}" if text else key
    return text


def split_path(text: str) -> tuple[str | int, ...]:
    """Returns the parts of a path that ``key_path`` wrote, to sort problems in file order."""
    return tuple(
        int(step[2]) if step[2] is not None else (step[1] if step[1] is not None else step[3])
        for step in _STEP.finditer(text)
    )
