"""Watches GPU memory, says before it happens that a GPU will run out, and frees memory in time.

This is the new interface, and every name of the original module `dualgpuopt.memory_monitor`. Where both have a name and
mean the same, it is one object; where they differ, the original's is in `dualgpuopt.memory.compat`.

Example:
    >>> from dualgpuopt.memory import AlertLevel, MemoryMonitor
    >>> monitor = MemoryMonitor("sim:demo")
    >>> subscription = monitor.subscribe(AlertLevel.WARNING, print)
    >>> [device.name for device in monitor.devices]
    ['Simulated 24 GiB A', 'Simulated 24 GiB B']
    >>> monitor.close()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .alerts import AlertLevel, LearnedThreshold, MemoryAlert, MemoryAlertLevel, Subscription, Threshold, Thresholds
from .compat import (
    GPUMemoryStats,
    MemoryAlertCallback,
    get_memory_monitor,
    get_memory_usage,
    initialize_memory_profiles,
    is_memory_critical,
    is_memory_low,
)
from .metrics import (
    Device,
    DeviceEvent,
    DeviceSnapshot,
    Forecast,
    ForecastAccuracy,
    History,
    HistorySummary,
    Leak,
    MemoryUnit,
    MemoryUse,
    ProcessList,
    ProcessMemory,
    Reading,
    Snapshot,
    calculate_usage_percent,
    format_memory_size,
    plain,
)
from .monitor import MemoryMonitor, MonitorError
from .offload import Offloadable, Offloader, OffloadPolicy
from .predictor import (
    DEFAULT_PROFILES,
    MemoryProfile,
    find_optimal_batch,
    get_available_profiles,
    get_profile,
    predict_memory_usage,
    will_run_out_of_memory,
)
from .recovery import (
    BatchSizeController,
    Candidate,
    Decision,
    Ladder,
    MemoryRecoveryStrategy,
    RecoveryManager,
    RecoveryRequest,
    RecoveryStrategy,
    RungLimits,
    RungRecord,
    StrategyAnswer,
    clear_caches,
    default_clear_cuda_cache,
)
from .sources import CannotRead, Measurement, MemorySource

if TYPE_CHECKING:
    from .profiler import MemoryEventType, MemoryProfiler, get_memory_profiler

__all__ = [
    # the new interface
    "AlertLevel",
    "BatchSizeController",
    "Candidate",
    "CannotRead",
    "Decision",
    "Device",
    "DeviceEvent",
    "DeviceSnapshot",
    "Forecast",
    "ForecastAccuracy",
    "Leak",
    "History",
    "HistorySummary",
    "Ladder",
    "LearnedThreshold",
    "Measurement",
    "MemoryAlert",
    "MemoryMonitor",
    "MemorySource",
    "MemoryUse",
    "MonitorError",
    "OffloadPolicy",
    "Offloadable",
    "Offloader",
    "ProcessList",
    "ProcessMemory",
    "Reading",
    "RecoveryRequest",
    "RecoveryStrategy",
    "RungLimits",
    "RungRecord",
    "Snapshot",
    "StrategyAnswer",
    "Subscription",
    "Threshold",
    "Thresholds",
    "clear_caches",
    "plain",
    # the original's, and its author's later additions
    "DEFAULT_PROFILES",
    "GPUMemoryStats",
    "MemoryAlertCallback",
    "MemoryAlertLevel",
    "MemoryEventType",
    "MemoryProfile",
    "MemoryProfiler",
    "MemoryRecoveryStrategy",
    "MemoryUnit",
    "RecoveryManager",
    "calculate_usage_percent",
    "default_clear_cuda_cache",
    "find_optimal_batch",
    "format_memory_size",
    "get_available_profiles",
    "get_memory_monitor",
    "get_memory_profiler",
    "get_memory_usage",
    "get_profile",
    "initialize_memory_profiles",
    "is_memory_critical",
    "is_memory_low",
    "predict_memory_usage",
    "will_run_out_of_memory",
]

_IN_PROFILER = ("MemoryEventType", "MemoryProfiler", "get_memory_profiler")


def __getattr__(name: str) -> Any:
    """The profiler is loaded when it is asked for."""
    if name in _IN_PROFILER:
        from . import profiler

        return getattr(profiler, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
