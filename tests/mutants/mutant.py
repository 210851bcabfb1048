"""One mistake in one module, and the list of mistakes that no test caught."""

import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

SURVIVORS = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True)
class Mutant:
    """One module with one mistake in it.

    Args:
        module: its path below the repository.
        operator: what kind of mistake it is.
        original: the module's whole text.
        mutated: the same with the mistake.
    """

    module: str
    operator: str
    original: str = field(repr=False)
    mutated: str = field(repr=False)

    @property
    def before(self) -> str:
        """The lines that the mistake changes, without indentation."""
        return self._changed("-")

    @property
    def after(self) -> str:
        """The same lines with the mistake."""
        return self._changed("+")

    @property
    def line(self) -> int:
        """The number of the line with the mistake."""
        pairs = zip(self.original.splitlines(), self.mutated.splitlines(), strict=False)
        return next((number for number, (old, new) in enumerate(pairs, 1) if old != new), 1)

    def diff(self, context: int = 3) -> list[str]:
        """The mistake as a patch."""
        old, new = self.original.splitlines(), self.mutated.splitlines()
        return [*difflib.unified_diff(old, new, self.module, self.module, n=context, lineterm="")]

    def _changed(self, sign: str) -> str:
        changed = (line[1:].strip() for line in self.diff(0)[2:] if line.startswith(sign))
        return "\n".join(changed)


@dataclass(frozen=True)
class Survivor:
    """A mutant that once survived: why it is not a mistake, or the test that now catches it."""

    module: str
    before: str
    after: str
    equivalent: str = ""
    caught_by: str = ""

    def is_same(self, mutant: Mutant) -> bool:
        """Whether this is that mutant; lines may have moved."""
        mine = (self.module, self.before, self.after)
        return mine == (mutant.module, mutant.before, mutant.after)


def read_survivors(file: Path = SURVIVORS) -> list[Survivor]:
    """The entries of the file."""
    return [Survivor(**item) for item in tomllib.loads(file.read_text()).get("survivor", [])]
