"""Pages that show commands with their output: finds the examples and compares them with real output.

A line ``$ command`` starts an example, the lines after it are its output. Ids, times, numbers and
paths are normalised on both sides; a line ``...`` stands for omitted lines.
"""

import re


def examples(text, mark):
    """(command line, lines shown) of every example in blocks that start with ```` ```mark ````."""
    found = []
    pattern = rf"^```{re.escape(mark)}\n(.*?)^```"
    for block in re.findall(pattern, text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *shown = part.rstrip("\n").split("\n")
            found.append((line, shown))
    return found


def alike(line):
    """A line without the parts that differ from run to run."""
    line = re.sub(r"/[^ ,\"]*/", "/DIR/", line)
    line = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|\+00:00)?", "TIME", line)
    line = re.sub(r"\ba[0-9a-f]{19}\b|\b[PQ][A-Z0-9]{6,13}\b|\ba0R[A-Za-z0-9]{12,15}", "ID", line)
    line = re.sub(r"-?\d+(\.\d+)?", "N", line)
    return re.sub(r"[\s─]+", " ", line).strip()


def renamed(text, names, ids):
    """The text with the ids of this run in place of those on the page."""
    for name, shown in names.items():
        text = text.replace(shown, ids.get(name, shown))
    return text
