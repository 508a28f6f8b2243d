"""Runs the example that trains under the system's Python, which is where Debian's PyTorch is. Exit code 77: skipped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "python" / "torch_training.py"
SKIPPED = 77


def output(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SYSTEM_PYTHON, *arguments], capture_output=True, text=True, timeout=240, check=False)


def main() -> int:
    found = output("-c", "import torch, dualgpuopt.memory")
    if found.returncode != 0:
        print(f"SKIPPED: {found.stderr.strip().splitlines()[-1]}; scripts/install-torch installs PyTorch")
        return SKIPPED
    ran = output(str(EXAMPLE), "--source", "sim:demo", "--steps", "20")
    print(ran.stdout + ran.stderr)
    expected = ("loss ", "GPU 0: peak ", "GPU 1: peak ", " alerts")
    return 0 if ran.returncode == 0 and all(part in ran.stdout for part in expected) else 1


if __name__ == "__main__":
    sys.exit(main())
