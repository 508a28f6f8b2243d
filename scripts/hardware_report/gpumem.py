"""gpumem as a witness: one look, and a watch that goes on while other things happen. Records: docs/json.md."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

Record = dict[str, Any]

# Process lists as often as memory: a step lasts about a second, and the list shall show each.
WATCH_CONFIGURATION = '[polling]\nprocesses = "500ms"\n'


@dataclass(frozen=True)
class Gpumem:
    binary: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.binary), *arguments]
        return subprocess.run(
            command, env=dict(self.environment), capture_output=True, text=True, timeout=120, check=False
        )

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen([str(self.binary), *arguments], env=dict(self.environment), text=True, **options)


@dataclass(frozen=True)
class Device:
    """What one look says of one device."""

    about: Record
    reading: Record

    @property
    def gpu(self) -> int:
        return int(self.about["gpu"])

    @property
    def uuid(self) -> str:
        return str(self.about["uuid"])

    def processes(self) -> dict[int, int | None]:
        """Used bytes by the driver's PID."""
        listed = self.reading["processes"] or []
        return {entry.get("driver_pid") or entry["pid"]: entry["used_bytes"] for entry in listed}


def look(gpumem: Gpumem) -> dict[str, Device]:
    """Every device by its UUID. Raises RuntimeError with gpumem's own words if it shows none."""
    ran = gpumem.run("status", "--json", "--source", "nvml")
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    readings = {record["gpu"]: record for record in records if record["type"] == "reading"}
    devices = [record for record in records if record["type"] == "device"]
    if not devices:
        raise RuntimeError(f"gpumem shows no GPU: {ran.stderr.strip()}")
    return {device["uuid"]: Device(device, readings[device["gpu"]]) for device in devices}


def moment(record: Record) -> float:
    """Seconds since the epoch."""
    return datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()


@contextlib.contextmanager
def watching(gpumem: Gpumem, interval: str) -> Iterator[list[Record]]:
    """The list is empty until the context ends; then it has every record of the watch."""
    records: list[Record] = []
    with tempfile.TemporaryDirectory() as name:
        output, configuration = Path(name, "records.jsonl"), Path(name, "watch.toml")
        configuration.write_text(WATCH_CONFIGURATION)
        with output.open("w") as stream:
            command = ["watch", "--json", "--source", "nvml", "--interval", interval, "--config", str(configuration)]
            watch = gpumem.start(*command, stdout=stream)
        try:
            yield records
        finally:
            watch.terminate()
            watch.wait(timeout=30)
        records += [json.loads(line) for line in output.read_text().splitlines()]
