"""What the tests of the package share."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import settings

from dualgpuopt.memory.metrics import Device
from dualgpuopt.memory.sources import CannotRead, Measurement

GIB = 1 << 30

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


def eventually(condition: Callable[[], object], within: float = 10.0) -> None:
    """Waits for a condition, and fails if it does not come true in time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


class StagedSource:
    """GPUs of 24 GiB whose use a test sets; counts what it is asked."""

    def __init__(self, used: list[int], provenance: str = "driver") -> None:
        self.name = "staged"
        self.provenance = provenance
        self.used = used
        self.reads = 0
        self.trouble: Exception | None = None

    def devices(self) -> list[Device]:
        return [Device(gpu, f"staged-{gpu}", "A card", vendor="nvidia") for gpu in range(len(self.used))]

    def read(self, gpu: int, processes: bool) -> Measurement:
        self.reads += 1
        if self.trouble is not None:
            raise self.trouble
        if self.used[gpu] < 0:
            raise CannotRead("it fell off the bus")
        return Measurement(24 * GIB, self.used[gpu], processes=[(4711, self.used[gpu])] if processes else None)


@pytest.fixture
def staged() -> StagedSource:
    return StagedSource([2 * GIB, 3 * GIB])
