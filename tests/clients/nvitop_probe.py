"""Prints what nvitop's library says of each device and MIG instance, by UUID; what it calls N/A is null."""

from __future__ import annotations

import json
from typing import Any

from nvitop import NA, Device  # type: ignore[import-untyped]


def or_none(value: Any) -> Any:
    return None if value == NA else value


def processes(device: Device) -> dict[str, Any]:
    return {
        str(pid): {"used": or_none(process.gpu_memory()), "type": process.type}
        for pid, process in device.processes().items()
    }


def view(device: Device) -> dict[str, Any]:
    memory = device.memory_info()
    return {
        "name": device.name(),
        "pci_address": or_none(device.bus_id()),
        "memory": {field: or_none(getattr(memory, field)) for field in ("total", "free", "used", "reserved")},
        "processes": processes(device),
    }


def key(device: Device) -> str:
    uuid = or_none(device.uuid())
    return str(uuid) if uuid else f"index {device.index}"


def main() -> None:
    physical = Device.all()
    devices = [*physical, *(instance for device in physical for instance in device.mig_devices())]
    print(json.dumps({key(device): view(device) for device in devices}))


main()
