"""Files named on the command line: regular files of bounded size, and nothing that blocks."""

import os

import pytest

from inprocess import invoke
from unit.config.config_catalog import write

MIB = 1024 * 1024


def commands(path):
    return (
        ("rules", "check", str(path)),
        ("rules", "apply", str(path)),
        ("simulate", "--rules", str(path)),
        ("simulate", "--events", str(path)),
    )


@pytest.mark.parametrize("number", range(4))
def test_a_fifo_a_device_and_a_folder_are_refused_at_once(tmp_path, number):
    os.mkfifo(tmp_path / "fifo")
    config = write(tmp_path)
    for path, what in (
        (tmp_path / "fifo", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (tmp_path, "is a folder"),
    ):
        code, out, err = invoke(*commands(path)[number], config=config)
        assert (code, out) == (2, ""), err
        assert what in err
        assert "Traceback" not in err


def test_what_is_too_large_is_named_with_the_limit(tmp_path):
    config = write(tmp_path)
    large = tmp_path / "large"
    for number, size in enumerate((MIB, MIB, MIB, 16 * MIB)):
        with large.open("wb") as file:
            file.truncate(size + 1)
        code, out, err = invoke(*commands(large)[number], config=config)
        assert (code, out) == (2, ""), err
        assert f"is larger than {size} bytes" in err


def test_events_nested_without_end_are_named_by_their_line(tmp_path):
    events = tmp_path / "events.jsonl"
    events.write_text("\n" + "[" * 100_000)
    code, _, err = invoke("simulate", "--events", str(events), config=write(tmp_path))
    assert code == 2
    assert "events.jsonl: line 2" in err
    assert "Traceback" not in err
