"""The original's values: what its callbacks and recovery functions are given."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .alerts import AlertLevel
from .metrics import MemoryUnit

DIVISORS = {
    MemoryUnit.BYTES: 1.0,
    MemoryUnit.KB: 1024.0,
    MemoryUnit.MB: 1024.0**2,
    MemoryUnit.GB: 1024.0**3,
}


@dataclass
class GPUMemoryStats:
    """The memory of one GPU at one moment, in bytes.

    Attributes:
        gpu_id: The device's index.
        total_memory: All there is.
        used_memory: Total - free, so that 100 % is reached when nothing is free.
        free_memory: What can still be allocated.
        reserved_memory: The driver's own, contained in `used_memory`; 0 where it is not known.
        cached_memory: Of the application's allocator; the driver does not know it.
        process_memory: Bytes by PID, None where the driver does not say.
        timestamp: Seconds since the epoch; now if left out.

    Example:
        >>> GPUMemoryStats(0, 8 * 1024**3, 2 * 1024**3, 6 * 1024**3).usage_percent()
        25.0
    """

    gpu_id: int
    total_memory: int
    used_memory: int
    free_memory: int
    reserved_memory: int = 0
    cached_memory: int = 0
    process_memory: dict[int, int | None] | None = None
    timestamp: float | None = None

    def __post_init__(self) -> None:
        if self.process_memory is None:
            self.process_memory = {}
        if self.timestamp is None:
            self.timestamp = time.time()

    def usage_percent(self) -> float:
        """Used as a percentage of total; 0 without a total; above 100 if the numbers are."""
        return self.used_memory / self.total_memory * 100 if self.total_memory > 0 else 0.0

    def get_memory(self, unit: MemoryUnit = MemoryUnit.GB) -> dict[str, float]:
        """The amounts in a unit.

        Args:
            unit: Of the result.

        Returns:
            "total", "used", "free", "reserved", "cached".

        Raises:
            KeyError: It is no unit.

        Example:
            >>> GPUMemoryStats(0, 2048, 1024, 1024).get_memory(MemoryUnit.KB)["used"]
            1.0
        """
        divisor = DIVISORS[unit]
        return {
            "total": self.total_memory / divisor,
            "used": self.used_memory / divisor,
            "free": self.free_memory / divisor,
            "reserved": self.reserved_memory / divisor,
            "cached": self.cached_memory / divisor,
        }

    def as_dict(self) -> dict[str, Any]:
        """Everything, under the names that dashboards of the original read."""
        return {
            "gpu_id": self.gpu_id,
            "total_memory_bytes": self.total_memory,
            "used_memory_bytes": self.used_memory,
            "free_memory_bytes": self.free_memory,
            "reserved_memory_bytes": self.reserved_memory,
            "cached_memory_bytes": self.cached_memory,
            "usage_percent": self.usage_percent(),
            "process_memory": self.process_memory,
            "timestamp": self.timestamp,
        }


class MemoryAlert:
    """What the original's callbacks are given.

    Args:
        level: The level that is reached.
        gpu_id: The device's index.
        message: One sentence.
        current_usage: Percent, from before any recovery.
        threshold: Percent, of the level.
        timestamp: Seconds since the epoch; now if left out.
        recommendations: What to do, most important first.
        context: "total_memory", "used_memory" and "free_memory" in bytes.

    Example:
        >>> str(MemoryAlert(AlertLevel.WARNING, 0, "Memory usage on GPU 0 is high", 84.0, 80.0))
        '[GPU 0] WARNING: Memory usage on GPU 0 is high (84.0% > 80.0%)'
    """

    def __init__(
        self,
        level: AlertLevel,
        gpu_id: int,
        message: str,
        current_usage: float,
        threshold: float,
        timestamp: float | None = None,
        recommendations: list[str] | None = None,
        context: dict[str, Any] | None = None,
    ) -> None:
        self.level = level
        self.gpu_id = gpu_id
        self.message = message
        self.current_usage = current_usage
        self.threshold = threshold
        self.timestamp = time.time() if timestamp is None else timestamp
        self.recommendations = [] if recommendations is None else recommendations
        self.context = {} if context is None else context

    def __str__(self) -> str:
        usage = f"({self.current_usage:.1f}% > {self.threshold:.1f}%)"
        return f"[GPU {self.gpu_id}] {self.level.name}: {self.message} {usage}"


def stats_from(entry: tuple[Any, ...]) -> GPUMemoryStats:
    """Of one entry of the native monitor's `usage()`."""
    gpu, total, used, free, reserved, wall, processes, *_ = entry
    return GPUMemoryStats(gpu, total, used, free, reserved, 0, processes, wall)


MESSAGES = {
    AlertLevel.WARNING: "Memory usage on GPU {} is high",
    AlertLevel.CRITICAL: "Memory usage on GPU {} is approaching critical level",
    AlertLevel.EMERGENCY: "Memory usage on GPU {} is at emergency level, OOM risk",
}
RECOMMENDATIONS = {
    AlertLevel.WARNING: ["Consider reducing batch size", "Monitor for further increases"],
    AlertLevel.CRITICAL: [
        "Reduce batch size",
        "Clear caches if possible",
        "Consider terminating non-essential processes",
    ],
    AlertLevel.EMERGENCY: [
        "Immediately reduce workload",
        "Terminate non-essential processes",
        "Clear all caches",
    ],
}


def alert_for(stats: GPUMemoryStats, level: AlertLevel, threshold: float) -> MemoryAlert:
    """The alert of a measurement that has reached a level."""
    context = {
        "total_memory": stats.total_memory,
        "used_memory": stats.used_memory,
        "free_memory": stats.free_memory,
    }
    return MemoryAlert(
        level,
        stats.gpu_id,
        MESSAGES[level].format(stats.gpu_id),
        stats.usage_percent(),
        threshold,
        stats.timestamp,
        list(RECOMMENDATIONS[level]),
        context,
    )
