"""Runs scripts of this suite, each in an interpreter of its own, with a `pynvml` that the script injected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

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


class Run(Protocol):
    """Runs a script and gives what it reported; `inject` is "modules" (sys.modules), "path" (a file) or "nothing"."""

    def __call__(
        self, source: str, *, inject: str = ..., stub: str = ..., prelude: str = ..., **env: str
    ) -> dict[str, Any]: ...


def environment(inject: str, stub: str, extra: dict[str, str]) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("DUALGPUOPT_")}
    paths = [str(HERE / "stage"), env.get("PYTHONPATH", "")]
    if inject == "modules":
        env["STAGE_STUB"] = str(HERE / "stubs" / stub)
    elif inject == "path":
        paths.insert(0, str(HERE / "stubs" / stub))
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return {**env, **extra}


@pytest.fixture(scope="session")
def run_script(tmp_path_factory: pytest.TempPathFactory) -> Run:
    def run(
        source: str, *, inject: str = "modules", stub: str = "minimal", prelude: str = PRELUDE, **env: str
    ) -> dict[str, Any]:
        script = tmp_path_factory.mktemp("script") / "script.py"
        script.write_text(prelude + source)
        command = [sys.executable, "-X", "faulthandler", "-W", "ignore::DeprecationWarning", str(script)]
        surroundings = environment(inject, stub, env)
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
        said = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, f"the script ended with {done.returncode}:\n{said}"
        reports = [line[7:] for line in done.stdout.splitlines() if line.startswith("REPORT ")]
        facts = {key: value for line in reports for key, value in json.loads(line).items()}
        return {**facts, "stdout": done.stdout, "stderr": done.stderr}

    return run


@pytest.fixture(scope="session")
def legacy() -> ModuleType:
    """The module in this interpreter: for values that need no GPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import dualgpuopt.memory_monitor as module
    return module
