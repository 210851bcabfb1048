"""What is looked for is looked for alone."""

import pytest

from pagerforce.pipeline.apart import Creation, held_apart


def new(name, object_name="case"):
    return Creation(name, object_name, is_sought=False)


def sought(name, object_name="case"):
    return Creation(name, object_name, is_sought=True)


@pytest.mark.parametrize(
    ("ready", "under_way", "held"),
    [
        ([], [sought("x")], ""),
        ([new("a"), new("b")], [new("x")], ""),
        ([new("a"), new("b")], [sought("x")], "ab"),
        ([new("a"), sought("b")], [], "a"),
        ([sought("a"), sought("b"), new("c")], [], "bc"),
        ([sought("a"), new("b")], [new("x")], "ab"),
        ([sought("a")], [new("x", "other"), sought("y", "other")], ""),
        ([sought("a"), new("b", "other")], [new("x", "other")], ""),
    ],
)
def test_who_waits(ready, under_way, held):
    assert held_apart(ready, under_way) == frozenset(held)
