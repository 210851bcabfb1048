"""An entry or row that raises delays no other one, and is evaluated once it can be read."""

import importlib

import pytest

from abuse.injection import Injected
from abuse.internal_errors import titles, turn
from pagerforce.pipeline import commit, entries, rows
from pagerforce.pipeline.aside import SET_ASIDE
from process import command
from rig import INCIDENT, P, open_rig


def failing(real, is_guilty, times=-1):
    """A function that raises for the failing item. ``times`` -1: always."""
    left = [times]

    def fail(*args, **keys):
        if left[0] and is_guilty(repr(args)):
            left[0] -= 1
            raise Injected
        return real(*args, **keys)

    return fail


@pytest.mark.parametrize("place", ["folding", "ruling", "storing"])
async def test_an_entry_that_cant_be_stored_is_set_aside_and_the_cursor_advances(
    tmp_path, monkeypatch, place
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        guilty = rig.pd.trigger("PDBA001", "guilty")["id"]
        raise_in(monkeypatch, place, guilty)
        for number in range(5):
            rig.pd.trigger("PDBA001", f"other {number}")
            await turn(rig, daemon, 20)
        subjects = {row[f"{P}shortDescription__c"] for row in rig.sf.rows(INCIDENT)}
        assert subjects == {f"other {number}" for number in range(5)}
        met = [x["rules"][0] for x in await daemon.log() if x["incident"] == guilty and x["rules"]]
        kept = [trace for trace in met if trace["ruleset"] == SET_ASIDE]
        assert kept
        assert all(trace["reason"].startswith("internal error: Injected in") for trace in kept)
        assert daemon.parts.pagerduty.state.is_up
        assert daemon.sample("internal_errors_total", part="poll") >= 5
        monkeypatch.undo()
        await turn(rig, daemon)
        code, out, err = await command("log", config=rig.desk.config)
        assert code == 0, err
        assert "internal error: Injected in" in out
        code, out, err = await command("simulate", config=rig.desk.config)
        assert code == 0, err


def raise_in(monkeypatch, place, about, times=-1):
    def is_guilty(text):
        return about in text

    if place == "folding":
        monkeypatch.setattr(entries, "fold", failing(entries.fold, is_guilty, times))
        monkeypatch.setattr(rows, "compare", failing(rows.compare, is_guilty, times))
    elif place == "ruling":
        real = commit.Judge.rule

        def rule(self, event, world, now):
            if about in repr(event):
                raise Injected
            return real(self, event, world, now)

        monkeypatch.setattr(commit.Judge, "rule", rule)
    else:
        store = failing(commit.links.join_all, is_guilty, times)
        monkeypatch.setattr(commit.links, "join_all", store)


@pytest.mark.parametrize("place", ["folding", "storing"])
async def test_a_row_that_cant_be_stored_is_set_aside_and_the_cursor_advances(
    tmp_path, monkeypatch, place
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        guilty = rig.open_record("guilty", priority="1")
        raise_in(monkeypatch, place, guilty)
        for number in range(5):
            rig.open_record(f"other {number}", priority="1")
            await turn(rig, daemon, 20)
        assert titles(rig) == [f"other {number}" for number in range(5)]
        (aside,) = [x for x in await daemon.log() if x["record"] == guilty]
        assert aside["rules"][0]["ruleset"] == SET_ASIDE
        before = daemon.sample("internal_errors_total", part="poll")
        await turn(rig, daemon, 90000)  # the daily comparison finds it again
        assert titles(rig) == [f"other {number}" for number in range(5)]
        assert len([x for x in await daemon.log() if x["record"] == guilty]) == 1
        assert daemon.sample("internal_errors_total", part="poll") == before
        monkeypatch.undo()
        rig.change(guilty, shortDescription="guilty no more")
        await turn(rig, daemon, 20)
        assert "guilty no more" in titles(rig), "the next change is tried like any other"


@pytest.mark.parametrize("place", ["folding", "storing"])
@pytest.mark.parametrize("has_restart", [False, True])
async def test_what_raised_for_a_while_is_evaluated_once_it_can_be(
    tmp_path, monkeypatch, place, has_restart
):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            guilty = rig.open_record("guilty", priority="1")
            alarm = rig.pd.trigger("PDBA001", "guilty alarm")["id"]
            raise_in(monkeypatch, place, guilty)
            raise_in(monkeypatch, place, alarm)
            for number in range(3):
                rig.open_record(f"other {number}", priority="1")
                await turn(rig, daemon)
            assert "guilty" not in titles(rig)
            if not has_restart:
                monkeypatch.undo()
                await turn(rig, daemon)
                await turn(rig, daemon)
                assert titles(rig).count("guilty") == 1
        monkeypatch.undo()
        async with rig.daemon() as daemon:
            await turn(rig, daemon)
            assert titles(rig).count("guilty") == 1
            assert sorted(titles(rig)) == sorted(set(titles(rig)))
            subjects = [row[f"{P}shortDescription__c"] for row in rig.sf.rows(INCIDENT)]
            assert subjects.count("guilty alarm") == 1


async def test_nothing_is_given_up_where_everything_fails(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        raise_in(monkeypatch, "storing", "")
        for number in range(8):
            rig.open_record(f"page {number}", priority="1")
            await turn(rig, daemon, 20)
        assert titles(rig) == []
        monkeypatch.undo()
        await turn(rig, daemon)
        await turn(rig, daemon)
        assert sorted(titles(rig)) == [f"page {number}" for number in range(8)]


@pytest.mark.parametrize(
    "decoder",
    ["pagerforce.pagerduty.decode.decode_incident", "pagerforce.salesforce.decode._to_record"],
)
async def test_a_row_that_cant_be_decoded_keeps_no_other(tmp_path, monkeypatch, decoder):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        module, _, name = decoder.rpartition(".")
        real = getattr(importlib.import_module(module), name)

        def fail(row, *args, **keys):
            if "guilty" in repr(row):
                raise Injected
            return real(row, *args, **keys)

        monkeypatch.setattr(decoder, fail)
        for text in ("guilty", "other"):
            rig.open_record(text, priority="1")
            rig.pd.trigger("PDBA001", f"alarm {text}")
        await turn(rig, daemon)
        await turn(rig, daemon)
        subjects = {row[f"{P}shortDescription__c"] for row in rig.sf.rows(INCIDENT)}
        assert "other" in titles(rig)
        assert "alarm other" in subjects
