"""A `pynvml` that costs as little as one can: the same for our monitor and for the reference beside it."""

from __future__ import annotations

from types import SimpleNamespace

GIB = 1 << 30
GPUS = 8


class NVMLError(Exception):
    pass


def nvmlInit() -> None:
    pass


def nvmlShutdown() -> None:
    pass


def nvmlDeviceGetCount() -> int:
    return GPUS


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    return index


def nvmlDeviceGetMemoryInfo(handle: int) -> SimpleNamespace:
    return SimpleNamespace(total=24 * GIB, used=(8 + handle) * GIB, free=(16 - handle) * GIB)


def nvmlDeviceGetComputeRunningProcesses(handle: int) -> list[SimpleNamespace]:
    return []
