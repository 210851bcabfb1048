"""The dashboard file matches its generator, and each query finds data of a real daemon."""

import importlib.util
import json
import math
import os
from collections import Counter
from pathlib import Path

import pytest

from pagerforce.observe.log import COMMON_KEYS, EVENTS
from prometheus_rig import SHIPPED, record_demo

pytestmark = pytest.mark.monitoring
DASHBOARD = SHIPPED / "grafana" / "pagerforce.json"


def load(path):
    spec = importlib.util.spec_from_file_location(f"shipped_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_what_the_generator_makes():
    generator = load(SHIPPED / "grafana" / "dashboard.py")
    assert DASHBOARD.read_text() == generator.text_of(generator.build()), (
        "run: make monitoring-dashboard"
    )


def test_it_fits_one_screen_and_names_no_host():
    board = json.loads(DASHBOARD.read_text())
    places = Counter()
    for panel in board["panels"]:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                places[x, y] += 1
    assert set(places.values()) == {1}
    assert max(x for x, _ in places) == 23
    assert max(y for _, y in places) <= 23
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}
    assert [item["name"] for item in board["templating"]["list"]] == ["datasource", "instance"]


async def test_every_query_finds_data_and_the_picture_shows_it(tools, tmp_path):
    pictures = load(SHIPPED / "pictures.py")
    async with record_demo(tmp_path) as recorded:
        span = pictures.Span(recorded.prometheus.url, recorded.start, recorded.end)
        board = json.loads(DASHBOARD.read_text())
        dry = []
        for panel in board["panels"]:
            for target in panel["targets"]:
                series = await recorded.prometheus.query_range(
                    span.expand(target["expr"]), span.start, span.end, 1
                )
                values = [float(value) for line in series for _, value in line["values"]]
                if not any(math.isfinite(value) for value in values):
                    dry.append(target["expr"])
        assert dry == []
        target = Path(os.environ.get("PAGERFORCE_PICTURES", tmp_path)) / "dashboard.png"
        pictures.draw(span, target)
        assert 20_000 < target.stat().st_size < 200_000
        # The log of the whole demo has only events of the closed list.
        lines = recorded.folder.joinpath("demo", "daemon.log").read_text().splitlines()
    logged = [json.loads(line) for line in lines]
    assert {"starting", "ready", "action", "source_up"} <= {line["event"] for line in logged}
    for line in logged:
        assert line.keys() <= EVENTS[line["event"]] | COMMON_KEYS, line
