"""The GPUs that the stub drivers in ../stubs tell of, and what the scripts of this suite see and report.

A script sets the GPUs' use here; the stub, which has nothing but the driver's own functions, answers from here.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB = 1 << 20
GIB = 1 << 30
LOGGER = "DualGPUOpt.MemoryMonitor"


@dataclass(eq=False)
class Gpu:
    """One GPU of the stage. Its total makes whole percents, and halves of them, exact."""

    total: int = 10_000 * MIB
    used: int | Callable[[], int] = 1_000 * MIB
    processes: list[tuple[int, int | None]] = field(default_factory=list)
    trouble: str | None = None  # why its memory cannot be read
    process_trouble: str | None = None
    reads: int = 0

    def at(self, percent: float) -> Gpu:
        self.used = int(self.total * percent / 100)
        return self

    def used_now(self) -> int:
        return self.used() if callable(self.used) else self.used


gpus = [Gpu(), Gpu()]
calls: Counter[str] = Counter()
driver_trouble: str | None = None  # why the driver does not start
driver_users = 0  # how often it was initialised and not shut down
when_initialised: Callable[[], object] = int
when_shut_down: Callable[[], object] = int


class Records(logging.Handler):
    """Keeps what is logged, as (level, text), in order."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[tuple[str, str]] = []
        self.loggers: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append((record.levelname, record.getMessage()))
        self.loggers.append(record.name)

    def texts(self) -> list[str]:
        return [text for _, text in self.all]


def listen(logger: str = LOGGER) -> Records:
    records = Records()
    logging.getLogger(logger).addHandler(records)
    logging.getLogger(logger).setLevel(logging.DEBUG)
    return records


def inject() -> None:
    """Makes the stub that STAGE_STUB names the process's `pynvml`, if it is not to be found on the path."""
    if "STAGE_STUB" not in os.environ:
        return
    path = Path(os.environ["STAGE_STUB"]) / "pynvml.py"
    spec = importlib.util.spec_from_file_location("pynvml", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["pynvml"] = module


def eventually(condition: Callable[[], object], what: str = "it", within: float = 15.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {within} s")
        time.sleep(0.001)


def never(condition: Callable[[], object], what: str, within: float = 0.2) -> None:
    """Watches for so long that it does not happen: it can miss a fault, and cannot fail without one."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        assert not condition(), what
        time.sleep(0.001)


def polls(count: int = 3) -> None:
    """Waits for as many more readings of every GPU."""
    goal = [gpu.reads + count for gpu in gpus]
    eventually(lambda: all(gpu.reads >= n for gpu, n in zip(gpus, goal)), f"{count} polls")


def monitor_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "MemoryMonitorThread"]


def report(**facts: Any) -> None:
    """What the script found out, for the case to judge."""
    print("REPORT " + json.dumps(facts), flush=True)
