"""The original's module name: everything it had, from `dualgpuopt.memory`, and a warning that it has moved."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from .memory.compat import (
    DEFAULT_PROFILES,
    GPUMemoryStats,
    MemoryAlert,
    MemoryAlertCallback,
    MemoryAlertLevel,
    MemoryMonitor,
    MemoryProfile,
    MemoryRecoveryStrategy,
    MemoryUnit,
    get_memory_monitor,
    get_memory_usage,
    initialize_memory_profiles,
    is_memory_critical,
    is_memory_low,
    logger,
)
from .memory.metrics import calculate_usage_percent, format_memory_size
from .memory.predictor import (
    find_optimal_batch,
    get_available_profiles,
    get_profile,
    predict_memory_usage,
    will_run_out_of_memory,
)
from .memory.recovery import RecoveryManager, default_clear_cuda_cache

__all__ = [
    "DEFAULT_PROFILES",
    "GPUMemoryStats",
    "MemoryAlert",
    "MemoryAlertCallback",
    "MemoryAlertLevel",
    "MemoryMonitor",
    "MemoryProfile",
    "MemoryRecoveryStrategy",
    "MemoryUnit",
    "RecoveryManager",
    "calculate_usage_percent",
    "default_clear_cuda_cache",
    "find_optimal_batch",
    "format_memory_size",
    "get_available_profiles",
    "get_memory_monitor",
    "get_memory_usage",
    "get_profile",
    "initialize_memory_profiles",
    "is_memory_critical",
    "is_memory_low",
    "logger",
    "predict_memory_usage",
    "will_run_out_of_memory",
]


def _warn() -> None:
    """Of the line that imports, also if that is a call of importlib: `stacklevel` would show importlib's own line."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _IMPORT_SYSTEM:
            break
    names = frame.f_globals
    warnings.warn_explicit(
        "dualgpuopt.memory_monitor is deprecated: import from dualgpuopt.memory",
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=names.get("__name__"),
        registry=names.setdefault("__warningregistry__", {}),
    )


_IMPORT_SYSTEM = ("importlib", "_frozen_importlib", "_frozen_importlib_external")
_warn()


def __getattr__(name: str) -> Any:
    """`NVML_AVAILABLE`, which is looked up when it is asked for."""
    if name == "NVML_AVAILABLE":
        from .memory import compat

        return compat.NVML_AVAILABLE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
