"""The output of ``verify --json``, for scripts: the forms of docs/reference/commands.md."""

import json

from process import command, open_stage


async def test_json_is_one_object_of_rows_and_report_as_the_commands_page_says(folder):
    async with open_stage(folder) as stage:
        desk, path = stage.desk, folder / "r"
        desk.pagerduty.state.knobs.false_beliefs.add("pagerduty.resolve-entry-bears-note")
        code, out, err = await command(
            "verify", "PNET001", "--yes", "--json", "--report", str(path), config=desk.config
        )
        assert code == 1, err
        found = json.loads(out)
        assert list(found) == ["beliefs", "report", "left", "closed"]
        assert (found["report"], found["left"], found["closed"]) == (str(path), [], [])
        keys = ["belief", "status", "expected", "seen", "reason", "certainty"]
        assert {tuple(row) for row in found["beliefs"]} == {tuple(keys)}
        assert {row["status"] for row in found["beliefs"]} == {"ok", "differs", "not_tried"}
        assert {type(value) for row in found["beliefs"] for value in row.values()} == {str}
