"""The minimal stub, and names and UUIDs as well; the name as bytes, as older bindings gave it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import stage

_spec = importlib.util.spec_from_file_location("_minimal", Path(__file__).parents[1] / "minimal" / "pynvml.py")
assert _spec and _spec.loader
_minimal = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_minimal)

NVMLError = _minimal.NVMLError
nvmlInit = _minimal.nvmlInit
nvmlShutdown = _minimal.nvmlShutdown
nvmlDeviceGetCount = _minimal.nvmlDeviceGetCount
nvmlDeviceGetHandleByIndex = _minimal.nvmlDeviceGetHandleByIndex
nvmlDeviceGetMemoryInfo = _minimal.nvmlDeviceGetMemoryInfo
nvmlDeviceGetComputeRunningProcesses = _minimal.nvmlDeviceGetComputeRunningProcesses


def nvmlDeviceGetName(handle: stage.Gpu) -> bytes:
    return b"A staged card"


def nvmlDeviceGetUUID(handle: stage.Gpu) -> str:
    return f"GPU-00000000-0000-0000-0000-{stage.gpus.index(handle):012d}"
