"""The original module's interface, on top of the new core: names, messages, orders and log records as they were.

What was mended on the way is in docs/migration.md. New programs use `dualgpuopt.memory`.
"""

from __future__ import annotations

import atexit
import os
import threading
import warnings
from typing import Any, Callable, ClassVar

from . import _injected_pynvml, _threads
from ._legacy_dispatch import EdgeFilter, NewestPoll, RecoveryFunction, serve
from ._legacy_driver import READ_TIMEOUT_S, logger
from ._legacy_profiles import LegacyProfiles
from ._legacy_values import DIVISORS, GPUMemoryStats, MemoryAlert, stats_from
from .alerts import AlertLevel, MemoryAlertLevel
from .metrics import MemoryUnit
from .predictor import DEFAULT_PROFILES, MemoryProfile
from .recovery import MemoryRecoveryStrategy, RecoveryStrategy

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
    "get_memory_monitor",
    "get_memory_usage",
    "initialize_memory_profiles",
    "is_memory_critical",
    "is_memory_low",
    "logger",
]

MemoryAlertCallback = Callable[[MemoryAlert], None]

ALERTS_VARIABLE = "DUALGPUOPT_ALERTS"  # "edge": only when a level is newly reached
THREAD_NAME = "MemoryMonitorThread"
STOP_S = 1.8
LOOK_S = 0.2

Unit = MemoryUnit
Stats = dict[str, float]


class MemoryMonitor(LegacyProfiles):
    """The original's monitor: one for the whole process, whatever it is constructed with later.

    Callbacks run at every poll at which exactly their level is reached, after the recovery functions at the emergency
    level; with `DUALGPUOPT_ALERTS=edge` only when a level is newly reached. They run on a thread of their own, so that
    a slow one delays no poll. Without a driver there are no GPUs, a warning says why, and it is tried again.

    Args:
        update_interval: Seconds between polls.
        warning_threshold: Percent.
        critical_threshold: Percent.
        emergency_threshold: Percent.

    Example:
        >>> get_memory_monitor() is MemoryMonitor()
        True
    """

    _instance: ClassVar[MemoryMonitor | None] = None
    _instance_lock = threading.RLock()

    def __new__(cls, *args: Any, **kwargs: Any) -> MemoryMonitor:
        """The one there is, or a first one with these settings."""
        with MemoryMonitor._instance_lock:
            if MemoryMonitor._instance is None:
                made = super().__new__(cls)
                made._set_up(*args, **kwargs)
                MemoryMonitor._instance = made
            return MemoryMonitor._instance

    def __init__(
        self,
        update_interval: float = 1.0,
        warning_threshold: float = 80.0,
        critical_threshold: float = 90.0,
        emergency_threshold: float = 95.0,
    ) -> None:
        pass  # __new__ has done it, once

    def _set_up(
        self,
        update_interval: float = 1.0,
        warning_threshold: float = 80.0,
        critical_threshold: float = 90.0,
        emergency_threshold: float = 95.0,
    ) -> None:
        self._set_up_driver(update_interval, warning_threshold, critical_threshold, emergency_threshold)
        self._set_up_profiles()
        self._callbacks: dict[AlertLevel, list[Callable[[MemoryAlert], Any]]] = {level: [] for level in AlertLevel}
        self._functions: dict[RecoveryStrategy, RecoveryFunction] = {}
        self._stop: threading.Event | None = None
        self._polls: NewestPoll | None = None
        self._poller: threading.Thread | None = None
        self._caller: threading.Thread | None = None
        self._lost: dict[int, str] = {}
        self._open_driver()
        atexit.register(self._end)

    # Callbacks ---------------------------------------------------------------------------------------------------

    def register_alert_callback(self, level: AlertLevel, callback: Callable[[MemoryAlert], Any]) -> None:
        """Adds a callback for exactly one level.

        Args:
            level: NORMAL never calls.
            callback: Given the alert, at every poll at which the level is reached.

        Raises:
            KeyError: It is no level.
        """
        self._callbacks[level].append(callback)

    def unregister_alert_callback(self, level: AlertLevel, callback: Callable[[MemoryAlert], Any]) -> bool:
        """Takes one registration away.

        Args:
            level: As it was registered.
            callback: As it was registered; the first of several.

        Returns:
            Whether there was one.

        Raises:
            KeyError: It is no level.
        """
        callbacks = self._callbacks[level]
        try:
            callbacks.remove(callback)
        except ValueError:
            return False
        return True

    def register_recovery_function(self, strategy: RecoveryStrategy, func: RecoveryFunction) -> None:
        """The older name of `register_recovery_strategy`, as the first call warns.

        Args:
            strategy: As there.
            func: As there.
        """
        _warn_of_rename("register_recovery_function", "register_recovery_strategy")
        self.register_recovery_strategy(strategy, func)

    def register_recovery_strategy(self, strategy: RecoveryStrategy, func: RecoveryFunction) -> None:
        """Registers what is called at the emergency level; one a strategy, the last wins.

        Args:
            strategy: Its place: CLEAR_CACHE, REDUCE_BATCH, OFFLOAD, TERMINATE are tried in this order.
            func: Given the GPU's index and its `GPUMemoryStats`; true ends the recovery.
        """
        self._functions[strategy] = func

    @property
    def simulated(self) -> bool:
        """Whether the GPUs are made up, as DUALGPUOPT_MOCK_GPU asks for."""
        return self._simulated

    def callbacks_of(self, level: AlertLevel) -> list[Callable[[MemoryAlert], Any]]:
        """Those registered now, in their order: a copy."""
        return list(self._callbacks[level])

    def recovery_functions(self) -> dict[RecoveryStrategy, RecoveryFunction]:
        """Those registered now: a copy."""
        return dict(self._functions)

    def thresholds(self) -> dict[AlertLevel, float]:
        """Percent, by level."""
        return {
            AlertLevel.WARNING: self.warning_threshold,
            AlertLevel.CRITICAL: self.critical_threshold,
            AlertLevel.EMERGENCY: self.emergency_threshold,
        }

    # Running -----------------------------------------------------------------------------------------------------

    def start_monitoring(self) -> None:
        """Begins polling; nothing happens if it polls already."""
        with self._lock:
            if self._stop is not None:
                return
            self._stop, self._polls = threading.Event(), NewestPoll()
            edge = EdgeFilter() if os.environ.get(ALERTS_VARIABLE, "").strip().lower() == "edge" else None
            self._poller = _threads.spawn(THREAD_NAME, self._poll, self._stop, self._polls, self._poller)
            self._caller = _threads.spawn("MemoryMonitorCallbacks", serve, self, self._polls, edge, self._caller)

    def stop_monitoring(self) -> None:
        """Ends polling, within 2 s also if a callback or the driver hangs; nothing happens if it does not poll."""
        with self._lock:
            if self._stop is None or self._polls is None:
                return
            self._stop.set()
            self._polls.close()
            self._stop = None
            poller, native = self._poller, self._native
        native.stop()
        if poller is not None and poller is not threading.current_thread():
            poller.join(STOP_S)

    def start(self) -> None:
        """The same as `start_monitoring`."""
        self.start_monitoring()

    def stop(self) -> None:
        """The same as `stop_monitoring`."""
        self.stop_monitoring()

    def shutdown(self) -> None:
        """Stops, and lets go of the driver; the monitor stays, and opens it again when it is used. Idempotent."""
        self.stop_monitoring()
        self._close_driver()

    def _end(self) -> None:
        self._ended = True
        self.shutdown()

    def close(self) -> None:
        """The same as `shutdown`; and who iterates over `events()` comes to the end."""
        self.shutdown()
        super().close()

    def _poll(self, stop: threading.Event, polls: NewestPoll, before: threading.Thread | None) -> None:
        """The thread that looks at every new reading."""
        if before is not None:
            before.join()
        seen = {entry[0]: entry[8] for entry in self._native.usage()}  # from before, and no news
        sequence = 0
        while not stop.is_set():
            try:
                native = self._live()
                native.start()
                if self._listens:
                    self._listen()
                sequence = native.wait(sequence, LOOK_S)
            except RuntimeError:  # no driver now
                stop.wait(min(LOOK_S, self._interval))
                sequence = 0
                continue
            self._tell_of_lost(dict(native.unavailable()))
            fresh = [entry for entry in native.usage() if seen.get(entry[0]) != entry[8]]
            if stop.is_set() or not fresh:
                continue
            seen.update((entry[0], entry[8]) for entry in fresh)
            stats = [stats_from(entry) for entry in fresh]
            self._remember(stats)
            polls.put(stats)
        self._native.stop()

    def _tell_of_lost(self, lost: dict[int, str]) -> None:
        for gpu in lost.keys() - self._lost.keys():
            logger.warning("GPU %d cannot be read: %s", gpu, lost[gpu])
        self._lost = lost

    # Reading -----------------------------------------------------------------------------------------------------

    def get_memory_stats(self, gpu_id: int | None = None, unit: Unit = MemoryUnit.GB) -> Any:
        """The memory of one GPU, or of all; read anew if it is more than two intervals old.

        Args:
            gpu_id: The device's index; None: all.
            unit: Of the amounts.

        Returns:
            "total", "used", "free", "reserved", "cached" as floats, {} for a GPU that is not there or cannot be read;
            for all of them {index: such a dictionary}.

        Raises:
            KeyError: It is no unit.
        """
        if gpu_id is None:
            return self._all_in(unit)
        try:
            stats = self._native.memory_stats(gpu_id, DIVISORS[unit], self._max_age)
        except TypeError:  # no index at all
            return {}
        if stats is not None:
            return stats
        self._refresh(gpu_id)
        return self._native.memory_stats(gpu_id, DIVISORS[unit], READ_TIMEOUT_S + self._max_age) or {}

    def _all_in(self, unit: Unit) -> dict[int, Stats]:
        stats = self._native.all_divided(DIVISORS[unit], self._max_age)
        if stats:
            return stats
        self._refresh()
        return self._native.all_divided(DIVISORS[unit], READ_TIMEOUT_S + self._max_age) or {}

    def get_all_stats(self) -> dict[int, dict[str, Any]]:
        """Every GPU that can be read, as `GPUMemoryStats.as_dict()` gives it, by index."""
        stats = self._native.all_memory_stats(self._max_age)
        if stats:
            return stats
        self._refresh()
        return self._native.all_memory_stats(READ_TIMEOUT_S + self._max_age) or {}

    # Later additions ---------------------------------------------------------------------------------------------

    def get_memory_usage(self) -> dict[int, dict[str, int | float]]:
        """Total, used and free bytes of every GPU, and the percentage in use to one decimal, by index."""
        return {
            gpu: {
                "total": stats["total_memory_bytes"],
                "used": stats["used_memory_bytes"],
                "free": stats["free_memory_bytes"],
                "percent": round(stats["usage_percent"], 1),
            }
            for gpu, stats in self.get_all_stats().items()
        }

    def is_memory_critical(self, gpu_id: int) -> bool:
        """Whether a GPU has reached the critical threshold; not known is not critical."""
        return self._reaches(gpu_id, self.critical_threshold)

    def is_memory_low(self, gpu_id: int) -> bool:
        """Whether what is free is low: the warning threshold is reached."""
        return self._reaches(gpu_id, self.warning_threshold)

    def _reaches(self, gpu_id: int, threshold: float) -> bool:
        stats = self.get_all_stats().get(gpu_id)
        return stats is not None and stats["usage_percent"] >= threshold

    def _abandon(self) -> None:
        self._stop = self._polls = self._poller = self._caller = None
        super()._abandon()


def _renew_lock() -> None:
    """In a forked child: whoever held it stayed with the parent."""
    MemoryMonitor._instance_lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


_warned_of: set[str] = set()


def _warn_of_rename(old: str, new: str) -> None:
    """Once in the life of the process, at the line that calls the method."""
    if old not in _warned_of:
        _warned_of.add(old)
        warnings.warn(f"{old} is deprecated: use {new}", DeprecationWarning, stacklevel=3)


def get_memory_monitor() -> MemoryMonitor:
    """The process's one monitor.

    Returns:
        Always the same; made at the first call.

    Example:
        >>> get_memory_monitor() is get_memory_monitor()
        True
    """
    return MemoryMonitor()


def initialize_memory_profiles() -> None:
    """Registers the five built-in profiles with the process's monitor, and makes none of them the active one.

    Example:
        >>> initialize_memory_profiles()
        >>> get_memory_monitor().set_active_profile("mistral-7b")
        True
    """
    monitor = get_memory_monitor()
    for profile in DEFAULT_PROFILES.values():
        monitor.register_profile(profile)


def get_memory_usage() -> dict[int, dict[str, int | float]]:
    """`MemoryMonitor.get_memory_usage` of the process's monitor.

    Example:
        >>> isinstance(get_memory_usage(), dict)
        True
    """
    return get_memory_monitor().get_memory_usage()


def is_memory_critical(gpu_id: int) -> bool:
    """`MemoryMonitor.is_memory_critical` of the process's monitor.

    Example:
        >>> is_memory_critical(99)
        False
    """
    return get_memory_monitor().is_memory_critical(gpu_id)


def is_memory_low(gpu_id: int) -> bool:
    """`MemoryMonitor.is_memory_low` of the process's monitor.

    Example:
        >>> is_memory_low(99)
        False
    """
    return get_memory_monitor().is_memory_low(gpu_id)


def __getattr__(name: str) -> Any:
    """`NVML_AVAILABLE`: whether there is something to read GPUs through, looked up when it is asked for."""
    if name == "NVML_AVAILABLE":
        return _nvml_available()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _nvml_available() -> bool:
    import ctypes

    if _injected_pynvml.find() is not None:
        return True
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True
