"""What gpumem says of the devices, read from `gpumem status --json` (docs/json.md)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Process:
    used: int | None
    kind: str


@dataclass(frozen=True)
class Device:
    """One device with its reading; a number is None where gpumem says null. Processes go by the driver's PID."""

    index: int
    name: str
    uuid: str
    kind: str
    pci_address: str | None
    status: str
    reason: str | None
    total: int | None
    used: int | None
    free: int | None
    reserved: int | None
    used_meaning: str | None
    processes: dict[int, Process] | None

    @property
    def is_readable(self) -> bool:
        return self.status == "ok"

    @property
    def is_instance(self) -> bool:
        return self.kind == "mig"

    @property
    def used_with_reserved(self) -> int | None:
        """`used` as the driver's first memory call means it."""
        return None if self.used is None else self.used + (self.reserved or 0)


def _processes(reading: Mapping[str, Any]) -> dict[int, Process] | None:
    if reading["processes"] is None or reading["processes_reason"]:
        return None
    return {
        entry.get("driver_pid") or entry["pid"]: Process(entry["used_bytes"], entry["kind"])
        for entry in reading["processes"]
    }


def _device(device: Mapping[str, Any], reading: Mapping[str, Any]) -> Device:
    return Device(
        index=device["gpu"],
        name=device["name"],
        uuid=device["uuid"],
        kind=device["kind"],
        pci_address=device["pci_address"],
        status=reading["status"],
        reason=reading["reason"],
        total=reading["total_bytes"],
        used=reading["used_bytes"],
        free=reading["free_bytes"],
        reserved=reading["reserved_bytes"],
        used_meaning=reading["used_meaning"],
        processes=_processes(reading),
    )


def parse(text: str) -> list[Device]:
    records = [json.loads(line) for line in text.splitlines()]
    readings = {record["gpu"]: record for record in records if record["type"] == "reading"}
    return [_device(record, readings[record["gpu"]]) for record in records if record["type"] == "device"]


def read(gpumem: Path, environment: Mapping[str, str]) -> list[Device]:
    """Exit code 1 is fine when devices are shown: one of them may be unavailable."""
    command = [str(gpumem), "status", "--json", "--source", "nvml"]
    ran = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=60, check=False)
    if not ran.stdout:
        raise RuntimeError(f"gpumem shows no device: {ran.stderr.strip()}")
    return parse(ran.stdout)
