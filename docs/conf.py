"""How Sphinx builds the site from these pages: ``make docs``. Warnings are errors."""

import os.path
import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

_DOCS = Path(__file__).parent
_ROOT = _DOCS.parent

project = "pagerforce"
author = "the pagerforce authors"
release = version = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build"]
nitpicky = True
myst_heading_anchors = 6
suppress_warnings = ["myst.header"]  # the sections of the benchmarks begin two levels down

html_theme = "furo"
html_title = f"pagerforce {release}"
html_show_sphinx = False
html_copy_source = False

# Pages of the repository outside of this folder: each is shown by a page in project/.
_SHOWN = {
    "README.md": "project/readme.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "monitoring/README.md": "project/monitoring.md",
}
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def _read(_app: Sphinx, name: str, source: list[str]) -> None:
    """Puts the pages of the repository in their places, and keeps every link within the site."""
    page = _DOCS / f"{name}.md"
    shown = {place: outside for outside, place in _SHOWN.items()}.get(f"{name}.md")
    origin = page if shown is None else _ROOT / shown
    text = source[0] if shown is None else origin.read_text()

    def within(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(origin.parent / found[2]))
        inside = _SHOWN.get(os.path.relpath(target, _ROOT))
        if inside is None and (target.suffix != ".md" or not target.is_relative_to(_DOCS)):
            return found[1]  # a file or a folder of the repository
        place = target if inside is None else _DOCS / inside
        return f"[{found[1]}]({os.path.relpath(place, page.parent)}{found[3] or ''})"

    source[0] = _LINK.sub(within, text).replace("](../docs/images/", "](../images/")


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("source-read", _read)
