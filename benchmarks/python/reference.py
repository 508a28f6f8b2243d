"""The hot calls of the legacy monitor in plain Python, written from what is known of its behaviour.

What ours are measured against: no threads, no alerts, and a fit of a line without NumPy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

DIVISORS = {"BYTES": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


@dataclass
class Stats:
    gpu_id: int
    total_memory: int
    used_memory: int
    free_memory: int
    reserved_memory: int = 0
    cached_memory: int = 0
    process_memory: dict[int, int | None] = field(default_factory=dict)
    timestamp: float = field(default_factory=time.time)

    def usage_percent(self) -> float:
        return self.used_memory / self.total_memory * 100 if self.total_memory > 0 else 0

    def get_memory(self, unit: str) -> dict[str, float]:
        divisor = DIVISORS[unit]
        return {
            "total": self.total_memory / divisor,
            "used": self.used_memory / divisor,
            "free": self.free_memory / divisor,
            "reserved": self.reserved_memory / divisor,
            "cached": self.cached_memory / divisor,
        }

    def as_dict(self) -> dict[str, Any]:
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


class Profile:
    """The history of one profile, and the line through it."""

    growth_rate = 1.05

    def __init__(self) -> None:
        self.usage_history: list[tuple[float, int]] = []

    def update_history(self, memory_usage: int) -> None:
        self.usage_history.append((time.time(), memory_usage))
        if len(self.usage_history) > 100:
            self.usage_history = self.usage_history[-100:]

    def project_growth(self, horizon: float) -> int | None:
        if len(self.usage_history) < 5:
            return None
        now = time.time()
        recent = [(stamp - now, used) for stamp, used in self.usage_history if now - stamp < 300]
        if len(recent) < 3:
            return None
        at_now, slope = fit_line(recent)
        return int(at_now + slope * horizon * self.growth_rate)


def fit_line(points: list[tuple[float, int]]) -> tuple[float, float]:
    """The value at zero and the slope of the least-squares line."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return mean_y - slope * mean_x, slope


class Monitor:
    """Reads a driver, keeps the statistics, and answers from them for twice the interval."""

    def __init__(self, driver: Any, update_interval: float, gpus: int) -> None:
        self.driver = driver
        self.update_interval = update_interval
        self.gpus = gpus
        self.profile = Profile()
        self.stats: dict[int, Stats] = {}
        self.updated = float("-inf")

    def update(self) -> None:
        for gpu in range(self.gpus):
            handle = self.driver.nvmlDeviceGetHandleByIndex(gpu)
            memory = self.driver.nvmlDeviceGetMemoryInfo(handle)
            processes = {one.pid: one.usedGpuMemory for one in self.driver.nvmlDeviceGetComputeRunningProcesses(handle)}
            self.stats[gpu] = Stats(gpu, memory.total, memory.used, memory.free, process_memory=processes)
        self.updated = time.monotonic()

    def poll(self) -> None:
        self.update()
        for stats in self.stats.values():
            self.profile.update_history(stats.used_memory)

    def refresh(self) -> None:
        if time.monotonic() - self.updated > 2 * self.update_interval:
            self.update()

    def get_memory_stats(self, gpu_id: int | None = None, unit: str = "GB") -> dict[Any, Any]:
        self.refresh()
        if gpu_id is None:
            return {gpu: stats.get_memory(unit) for gpu, stats in self.stats.items()}
        return self.stats[gpu_id].get_memory(unit) if gpu_id in self.stats else {}

    def get_all_stats(self) -> dict[int, dict[str, Any]]:
        self.refresh()
        return {gpu: stats.as_dict() for gpu, stats in self.stats.items()}

    def project_memory_usage(self, gpu_id: int, seconds_ahead: float = 60.0) -> float | None:
        projected = self.profile.project_growth(seconds_ahead)
        stats = self.stats.get(gpu_id)
        if projected is None or stats is None or stats.total_memory <= 0:
            return None
        return projected / stats.total_memory * 100
