"""Prints what nvidia-ml-py's pynvml says of each device, by UUID. A call that fails gives its error's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pynvml as nvml  # type: ignore[import-untyped]

LISTS = {
    "compute": "nvmlDeviceGetComputeRunningProcesses",
    "graphics": "nvmlDeviceGetGraphicsRunningProcesses",
    "mps": "nvmlDeviceGetMPSComputeRunningProcesses",
}


def or_error(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except (nvml.NVMLError, nvml.NVMLLibraryMismatchError) as error:
        return type(error).__name__


def pci_address(handle: Any) -> str:
    return str(nvml.nvmlDeviceGetPciInfo(handle).busId)


def mig_mode(handle: Any) -> int:
    current, _pending = nvml.nvmlDeviceGetMigMode(handle)
    return int(current)


def memory(handle: Any) -> dict[str, int]:
    seen = nvml.nvmlDeviceGetMemoryInfo(handle)
    return {"total": seen.total, "free": seen.free, "used": seen.used}


def memory_v2(handle: Any) -> dict[str, int]:
    seen = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    return {"total": seen.total, "reserved": seen.reserved, "free": seen.free, "used": seen.used}


def entries(name: str, handle: Any) -> list[dict[str, Any]]:
    """By the unsuffixed name; where the driver is older than it, by the version that pynvml's own message proposes."""
    try:
        listed = getattr(nvml, name)(handle)
    except nvml.NVMLLibraryMismatchError:
        listed = getattr(nvml, f"{name}_v2")(handle)
    return [{"pid": entry.pid, "used": entry.usedGpuMemory, "gpu_instance": entry.gpuInstanceId} for entry in listed]


def device(handle: Any) -> dict[str, Any]:
    return {
        "name": or_error(nvml.nvmlDeviceGetName, handle),
        "pci_address": or_error(pci_address, handle),
        "memory": or_error(memory, handle),
        "memory_v2": or_error(memory_v2, handle),
        "lists": {kind: or_error(entries, name, handle) for kind, name in LISTS.items()},
    }


def instances(handle: Any) -> list[Any]:
    """Handles of the MIG instances, past the empty slots."""
    if or_error(mig_mode, handle) != nvml.NVML_DEVICE_MIG_ENABLE:
        return []
    slots = range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle))
    found = [or_error(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, slot) for slot in slots]
    return [instance for instance in found if not isinstance(instance, str)]


def main() -> None:
    nvml.nvmlInit()
    shown = {}
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = or_error(nvml.nvmlDeviceGetHandleByIndex, index)
        if isinstance(handle, str):
            shown[f"index {index}"] = {"error": handle}
            continue
        for seen in (handle, *instances(handle)):
            shown[nvml.nvmlDeviceGetUUID(seen)] = device(seen)
    nvml.nvmlShutdown()
    print(json.dumps(shown))


main()
