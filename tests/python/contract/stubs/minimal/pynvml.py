"""A stub as small as existing integrations inject: six functions and the error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import stage


class NVMLError(Exception):
    pass


def nvmlInit() -> None:
    stage.calls["nvmlInit"] += 1
    stage.when_initialised()
    if stage.driver_trouble:
        raise NVMLError(stage.driver_trouble)
    stage.driver_users += 1


def nvmlShutdown() -> None:
    stage.calls["nvmlShutdown"] += 1
    if not stage.driver_users:
        raise NVMLError("Uninitialized")
    stage.driver_users -= 1
    stage.when_shut_down()


def nvmlDeviceGetCount() -> int:
    if not stage.driver_users:
        raise NVMLError("Uninitialized")
    return len(stage.gpus)


def nvmlDeviceGetHandleByIndex(index: int) -> stage.Gpu:
    if not 0 <= index < nvmlDeviceGetCount():
        raise NVMLError("Invalid Argument")
    return stage.gpus[index]


def nvmlDeviceGetMemoryInfo(handle: stage.Gpu) -> Any:
    handle.reads += 1
    if not stage.driver_users:
        raise NVMLError("Uninitialized")
    if handle.trouble:
        raise NVMLError(handle.trouble)
    used = handle.used_now()
    return SimpleNamespace(total=handle.total, used=used, free=handle.total - used)


def nvmlDeviceGetComputeRunningProcesses(handle: stage.Gpu) -> list[Any]:
    if handle.process_trouble:
        raise NVMLError(handle.process_trouble)
    return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in handle.processes]
