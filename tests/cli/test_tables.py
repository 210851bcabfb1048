"""Tables: nothing is truncated, on a terminal or for a program that reads them."""

import subprocess
import sys

import pytest

from cli.test_progress import on_terminal

ROWS = """
from pagerforce.cli.console import print_table
row = {"incident": "QCQN5PSEH6SVLV", "object": "BMCServiceDesk__Incident__c", "record": "a0R000000000001EAA",
       "state": "active", "created_at": "2026-11-26T11:29:33Z", "reason": "because " * 12 + "END"}
print_table([row], tuple(row), "none")
"""


@pytest.mark.parametrize("columns", ["60", "80", "300"])
def test_what_people_copy_stays_in_one_piece(columns):
    _, shown = on_terminal(code=ROWS, columns=columns)
    assert "QCQN5PSEH6SVLV" in shown
    assert "a0R000000000001EAA" in shown
    assert "…" not in shown
    assert "END" in shown


def test_a_program_gets_each_row_as_one_line():
    done = subprocess.run([sys.executable, "-c", ROWS], capture_output=True, text=True, check=True)
    _, line = done.stdout.splitlines()
    assert line.split()[:4] == [
        "QCQN5PSEH6SVLV", "BMCServiceDesk__Incident__c", "a0R000000000001EAA", "active",
    ]  # fmt: skip
    assert line.endswith("because END")
