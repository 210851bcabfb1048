"""A report on tried rules lists a bounded number and counts the rest; it ends when the time is up."""

import itertools
import json

from pagerforce.model.action import ActionCall
from pagerforce.model.ids import Side
from pagerforce.pipeline.simulate import Bounds, simulate
from pagerforce.rules.evaluate import RuleBook
from pagerforce.rules.syntax import Group, Mode, Rule
from pagerforce.service.catalog import SPECS
from pagerforce.service.checker import tasks


def book(*titles):
    call = [ActionCall(SPECS["pagerduty.create_incident"], {"title": title}) for title in titles]
    every = Group(Mode.ALL, ())
    rule = Rule(
        "Set", "Rule", "Case", Side.SALESFORCE, Mode.ALL, True, False, None, every, tuple(call)
    )
    return RuleBook([rule], {})


def lines(count):
    for number in range(count, 0, -1):  # the newest first
        at = f"2026-01-01T00:00:{number % 60:02}Z"
        event = {
            "id": f"e{number}",
            "source": "salesforce",
            "type": "create",
            "at": at,
            "object": "Case",
        }
        event |= {"record_id": f"r{number}", "record": {"Name": f"secret {number}"}}
        recorded = {"seen_at": at, "event": event, "context": {}}
        yield json.dumps({"recorded": recorded}).encode()


def last(reports):
    for found in reports:  # noqa: B007 - the last is needed
        pass
    return found


def report(count, *, bounds=None, left=10**9, shows_values=True):
    tried, in_force = book("{{ record.Name }}", "same"), book("same", "other")
    steps = itertools.count()
    if bounds is not None:
        recorded = tasks._iter_recorded(lines(count), None)
        return tasks.show_report(last(simulate(recorded, tried, in_force, bounds)))
    return tasks.show_report(
        last(
            tasks.try_rules(
                lines(count),
                tried,
                in_force,
                since=None,
                shows_values=shows_values,
                is_over=lambda: next(steps) >= left,
            )
        )
    )


def test_the_newest_are_listed_oldest_first_and_the_others_counted():
    found = report(50, bounds=Bounds(10**6, tried=3, differences=5))
    (rule,) = found["rules"]
    assert found["events"] == rule["fired"] == 50
    assert rule["actions"] == {"pagerduty.create_incident": 100}
    assert [item["event"] for item in rule["tried"]] == ["e48", "e49", "e50"]
    assert rule["tried_more"] == 47
    assert [item["event"] for item in found["gained"]] == [f"e{n}" for n in range(46, 51)]
    assert found["gained"][-1]["arguments"] == {"title": "secret 50"}
    assert found["gained_more"] == found["lost_more"] == 45
    assert found["lost"][0]["arguments"] == {"title": "other"}


def test_a_report_is_no_larger_than_it_may_be():
    found = report(500, bounds=Bounds(5_000, tried=500, differences=500))
    assert len(json.dumps(found)) < 10_000
    assert found["events"] == 500
    (rule,) = found["rules"]
    assert len(rule["tried"]) + rule["tried_more"] == 500
    assert len(found["gained"]) + found["gained_more"] == 500


def test_a_time_limit_leaves_the_oldest_out():
    found = report(50, left=20)
    assert 0 < found["events"] < 50
    assert found["gained"][-1]["event"] == "e50"


def test_values_are_left_out_if_they_must_not_be_shown():
    shown, hidden = report(5), report(5, shows_values=False)
    assert "secret" in json.dumps(shown)
    assert "secret" not in json.dumps(hidden)
    assert len(hidden["gained"]) == len(shown["gained"]) == 5
