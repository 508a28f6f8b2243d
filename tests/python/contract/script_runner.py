"""Runs scripts, each in an interpreter of its own, with a `pynvml` that was injected into it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PRELUDE = """\
import logging, os, sys, threading, time
import stage
from stage import GIB, MIB, Gpu, eventually, gpus, listen, monitor_threads, polls, report
stage.inject()
import dualgpuopt.memory_monitor as legacy
from dualgpuopt.memory_monitor import MemoryAlertLevel as Level, MemoryRecoveryStrategy as Strategy
GPU0, GPU1 = gpus
"""


def environment(inject: str, stub: str, extra: dict[str, str]) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("DUALGPUOPT_")}
    paths = [str(HERE / "stage"), env.get("PYTHONPATH", "")]
    if inject == "modules":
        env["STAGE_STUB"] = str(HERE / "stubs" / stub)
    elif inject == "path":
        paths.insert(0, str(HERE / "stubs" / stub))
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return {**env, **extra}


class ScriptRunner:
    """Runs scripts that lie in a folder of their own each."""

    def __init__(self, folders: Callable[[], Path]) -> None:
        self._folders = folders

    def __call__(
        self, source: str, *, inject: str = "modules", stub: str = "minimal", prelude: str = PRELUDE, **env: str
    ) -> dict[str, Any]:
        """What the script reported; `inject` is "modules" (sys.modules), "path" (a pynvml.py) or "nothing"."""
        script = self._folders() / "script.py"
        script.write_text(prelude + source)
        command = [sys.executable, "-X", "faulthandler", "-W", "ignore::DeprecationWarning", str(script)]
        surroundings = environment(inject, stub, env)
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"the script ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return {**reported(done.stdout), "stdout": done.stdout, "stderr": done.stderr}


def reported(output: str) -> dict[str, Any]:
    lines = [line[7:] for line in output.splitlines() if line.startswith("REPORT ")]
    return {key: value for line in lines for key, value in json.loads(line).items()}
