"""The table of beliefs: its names, the modules that rely on them, and the page that shows it."""

import importlib
import re
from pathlib import Path

import pytest

from pagerforce.model.beliefs import BELIEFS, Certainty, belief
from pagerforce.model.ids import Side

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "beliefs.md"


@pytest.mark.parametrize("item", BELIEFS.values(), ids=lambda item: item.name)
def test_a_belief_has_a_name_a_sentence_and_somebody_who_relies_on_it(item):
    assert re.fullmatch(r"(pagerduty|salesforce)\.[A-Za-z]+(-[A-Za-z]+)*", item.name)
    assert item.side in Side
    assert item.says.endswith(".")
    assert item.says[0].isupper()
    assert item.relied_on_by
    for module in item.relied_on_by:
        importlib.import_module(f"pagerforce.{module}")


def test_a_name_that_is_not_in_the_table_is_an_error():
    with pytest.raises(KeyError):
        belief("pagerduty.no-such-thing")


def test_the_page_shows_the_table_as_it_is():
    rows = re.findall(
        r"^\| `([^`]+)` \| (.+) \| (\w+) \| (.+) \| (.*) \|$", PAGE.read_text(), re.MULTILINE
    )
    shown = {name: (says, sure, by, tried) for name, says, sure, by, tried in rows}
    assert list(shown) == list(BELIEFS)
    for name, (says, sure, by, tried) in shown.items():
        item = BELIEFS[name]
        assert says == item.says, name
        assert Certainty(sure) is item.certainty, name
        assert by == ", ".join(f"`{module}`" for module in item.relied_on_by), name
        assert tried == (f"no: {item.untried}" if item.untried else "yes"), name
