"""The worked examples of CONTRIBUTING.md work as written, and touch as many files as it says.

Each is applied to a copy of the daemon; then a separate process uses the addition.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
HERE = Path(__file__).parent / "worked"
EXAMPLES = {
    name.replace(" ", "_"): (int(files), text)
    for name, files, text in re.findall(
        r"^### An? ([\w ]+): (\d) files?\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE
    )
}
PART = re.compile(r"^`(daemon/[^`]+)`:$|^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def parts_of(text):
    """(file, language, block) of each block; a file's name is valid until the next one."""
    path = None
    for name, language, block in PART.findall(text):
        if name:
            path = name
        else:
            yield path, language, block


def patched(text, block):
    """The text with a block of added and kept lines put at the place of its kept lines."""
    lines = block.splitlines()
    assert all(line[:1] in "+ " for line in lines), "examples only add"
    kept = [line[1:] for line in lines if line[0] == " "]
    old, new = "\n".join(kept), "\n".join(line[1:] for line in lines)
    assert f"\n{text}".count(f"\n{old}\n") == 1, f"the place is not found once: {old}"
    return f"\n{text}".replace(f"\n{old}\n", f"\n{new}\n")[1:]


def apply(text, root):
    for path, language, block in parts_of(text):
        file = root / path
        if language == "diff":
            file.write_text(patched(file.read_text("utf-8"), block), "utf-8")
        else:
            assert not file.exists()
            file.write_text(block, "utf-8")


def contents(root):
    """All files except compiled Python modules."""
    return {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def run(script, folder, root):
    """Runs a script with the copy's daemon; returns its output if it failed."""
    paths = [str(root / "daemon"), str(ROOT / "tests")]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    made = subprocess.run(
        [sys.executable, str(script), str(folder)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return made.stderr if made.returncode else ""


def test_every_example_is_tried():
    assert {f"see_{name}.py" for name in EXAMPLES} == {file.name for file in HERE.glob("*.py")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_worked_example_works_and_touches_as_many_files_as_it_says(name, tmp_path):
    files, text = EXAMPLES[name]
    root = tmp_path / "copy"
    shutil.copytree(ROOT / "daemon", root / "daemon")
    before = contents(root)
    apply(text, root)
    after = contents(root)
    assert sum(after[path] != before.get(path) for path in after) == files
    folder = tmp_path / "state"
    folder.mkdir()
    assert run(HERE / f"see_{name}.py", folder, root) == ""
