"""Reads the values of knobs. Every function raises ValueError with the expected form."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeVar

_Kind = TypeVar("_Kind")


def number(value: object) -> float:
    """A non-negative number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError("the value must be a number, not negative")
    return float(value)


def text(value: object) -> str:
    """A text."""
    if not isinstance(value, str):
        raise ValueError("the value must be text")  # noqa: TRY004 - bad input, not bad code
    return value


def pair(value: object) -> tuple[str, str]:
    """Two texts."""
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("the value must be a list of two texts")
    return text(value[0]), text(value[1])


def triple(value: object) -> tuple[str, str, object]:
    """Two texts and something else."""
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError("the value must be a list of two texts and a third item")
    return text(value[0]), text(value[1]), value[2]


def mapping(value: object) -> Mapping[str, object]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise ValueError("the value must be a JSON object")  # noqa: TRY004 - as above
    return value


def made(kind: type[_Kind], value: object) -> _Kind:
    """A dataclass of texts, booleans and the like, from a JSON object with its attributes."""
    given = mapping(value)
    known = {item.name: item.type for item in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"unknown keys {', '.join(unknown)}; known: {', '.join(known)}")
    for name, item in given.items():
        if known[name] in (str, bool) and type(item) is not known[name]:
            raise ValueError(f"{name} has the wrong type")
    lists = {
        name: tuple(item)
        for name, item in given.items()
        if known[name] == tuple[str, ...] and isinstance(item, list)
    }
    try:
        return kind(**{**given, **lists})
    except TypeError as error:
        raise ValueError(f"the value needs {', '.join(known)}") from error
