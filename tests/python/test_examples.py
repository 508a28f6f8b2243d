"""The examples run, on simulated GPUs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python"

CASES = {
    "alert_callbacks.py": (["--seconds", "0.5"], "GPU 0, Simulated 24 GiB A: "),
    "recovery_ladder.py": (["--seconds", "0.5"], ""),
    "offload_model.py": (["--steps", "10"], "a rehearsal on a simulated GPU\n"),
    "forecast_pause.py": (["--tasks", "3"], "task 2: begun"),
    "smaller_batches.py": (["--batches", "2"], "batch 1, simulated GPUs: 56 to 64 of 64\n8 at a time"),
    "torch_smaller_batches.py": (["--epochs", "1"], ""),
    "torch_training.py": (["--steps", "5"], ""),
}


def test_every_example_has_a_case() -> None:
    assert sorted(CASES) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", CASES)
def test_runs(name: str) -> None:
    arguments, shown = CASES[name]
    command = [sys.executable, str(EXAMPLES / name), "--source", "sim:demo", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert shown in ended.stdout


@pytest.mark.parametrize("name", ["alert_callbacks.py", "torch_training.py"])
def test_without_a_driver_it_is_told(name: str) -> None:
    pytest.importorskip("torch") if name.startswith("torch") else None
    ended = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "no GPU was found" in ended.stderr
