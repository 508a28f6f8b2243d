"""Runs the examples that train under the system's Python, which is where Debian's PyTorch is. Exit code 77: skipped."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python"
SKIPPED = 77

TRAINING = ("loss ", "GPU 0: peak ", "GPU 1: peak ", " alerts")
LIMIT = "simulated GPUs, a simulated limit of 12 samples"


def output(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SYSTEM_PYTHON, *arguments], capture_output=True, text=True, timeout=240, check=False)


def main() -> int:
    found = output("-c", "import torch, dualgpuopt.memory")
    if found.returncode != 0:
        print(f"SKIPPED: {found.stderr.strip().splitlines()[-1]}; scripts/install-torch installs PyTorch")
        return SKIPPED
    return 0 if trains() and trains_in_smaller_batches() else 1


def trains() -> bool:
    ran = output(str(EXAMPLES / "torch_training.py"), "--source", "sim:demo", "--steps", "20")
    print(ran.stdout + ran.stderr)
    return ran.returncode == 0 and all(part in ran.stdout for part in TRAINING)


def trains_in_smaller_batches() -> bool:
    """With the same losses, to the last digit that is shown, as with enough memory."""
    ran = output(str(EXAMPLES / "torch_smaller_batches.py"), "--source", "sim:demo")
    print(ran.stdout + ran.stderr)
    shown = re.findall(r"loss ([0-9.]+) in chunks of 8 at last, ([0-9.]+) in whole batches", ran.stdout)
    return ran.returncode == 0 and LIMIT in ran.stdout and len(shown) == 2 and all(a == b for a, b in shown)


if __name__ == "__main__":
    sys.exit(main())
