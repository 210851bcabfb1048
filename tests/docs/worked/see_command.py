"""The command line knows the new command, and the command answers."""

import subprocess
import sys
from pathlib import Path

from unit.config.config_catalog import write

path = write(Path(sys.argv[1]))
command = [sys.executable, "-m", "pagerforce", "files", "--config", str(path)]
shown = subprocess.run(command, check=True, capture_output=True, text=True)
assert shown.stdout.split() == [str(path)], shown
