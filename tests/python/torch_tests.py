"""Runs tests/python/with_torch under the system's Python, which is where Debian's PyTorch is. Exit code 77: skipped.

pytest comes from the environment that runs this, from the end of the path: everything else is the system's own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from torch_example import SKIPPED, SYSTEM_PYTHON, output

TESTS = Path(__file__).with_name("with_torch")
RUN = "import sys; sys.path.append(sys.argv.pop(1)); import pytest; sys.exit(pytest.main(sys.argv[1:]))"


def main() -> int:
    found = output("-c", "import torch, dualgpuopt.memory")
    if found.returncode != 0:
        print(f"SKIPPED: {found.stderr.strip().splitlines()[-1]}; scripts/install-torch installs PyTorch")
        return SKIPPED
    site_packages = str(Path(pytest.__file__).parents[1])
    return subprocess.run([SYSTEM_PYTHON, "-c", RUN, site_packages, "-q", str(TESTS)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
