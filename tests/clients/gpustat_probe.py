"""Prints what gpustat's own JSON says of each device, by UUID; memory is in whole MiB there."""

from __future__ import annotations

import json
from typing import Any

import gpustat  # type: ignore[import-untyped]


def view(gpu: dict[str, Any]) -> dict[str, Any]:
    listed = gpu["processes"]
    return {
        "name": gpu["name"],
        "memory": {"total": gpu.get("memory.total"), "used": gpu.get("memory.used")},
        "processes": None if listed is None else {str(row["pid"]): row["gpu_memory_usage"] for row in listed},
    }


def main() -> None:
    gpus = gpustat.new_query().jsonify()["gpus"]
    print(json.dumps({gpu.get("uuid") or f"index {gpu['index']}": view(gpu) for gpu in gpus}))


main()
