"""Who takes the memory that gpumem is to see: a child process on a real GPU, or the stand-in driver's live control."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

HERE = Path(__file__).resolve().parent
MIB = 1 << 20


class CannotHold(Exception):
    """The text says why."""


class Holder(Protocol):
    """`hold` takes so many bytes more, `free` gives all back, `close` ends the process that held them."""

    pid: int

    def hold(self, amount: int) -> None: ...
    def free(self) -> None: ...
    def close(self) -> None: ...


class ChildHolder:
    """A process of its own, so that its end gives back what it holds, its CUDA context included."""

    def __init__(self, program: str, gpu: int, environment: Mapping[str, str], python: str = sys.executable) -> None:
        ordered = {key: value for key, value in environment.items() if key != "CUDA_VISIBLE_DEVICES"}
        ordered["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # the order of the driver's indices
        self._child = subprocess.Popen(
            [python, str(HERE / program), str(gpu)],
            env=ordered,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._child.pid
        self._expect_answer()

    def hold(self, amount: int) -> None:
        self._tell(f"hold {amount}")

    def free(self) -> None:
        self._tell("free")

    def close(self) -> None:
        assert self._child.stdin and self._child.stdout
        self._child.stdin.close()
        self._child.wait(timeout=60)
        self._child.stdout.close()

    def _tell(self, line: str) -> None:
        assert self._child.stdin
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()
        self._expect_answer()

    def _expect_answer(self) -> None:
        assert self._child.stdout
        answer = self._child.stdout.readline().strip()
        if not answer.startswith(("ready", "done")):
            self.close()
            raise CannotHold(answer.removeprefix("failed: ") or "the process that should hold memory has ended")


class StandInHolder:
    """Tells the stand-in driver that this process holds the memory."""

    def __init__(self, gpu: int, live: Path) -> None:
        self.pid = os.getpid()
        self._gpu, self._live, self._held = gpu, live, 0

    def hold(self, amount: int) -> None:
        self._held += amount
        self._write()

    def free(self) -> None:
        self._held = 0
        self._write()

    def close(self) -> None:
        self._live.unlink(missing_ok=True)

    def _write(self) -> None:
        fresh = self._live.with_suffix(".new")
        fresh.write_text(f'[[set]]\ngpu = {self._gpu}\npid = {self.pid}\nused = "{self._held // MIB}MiB"\n')
        fresh.rename(self._live)
