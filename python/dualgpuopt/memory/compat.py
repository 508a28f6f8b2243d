"""The original module's interface, on top of the new core: names, messages, orders and log records as they were.

What was mended on the way is in docs/migration.md. New programs use `dualgpuopt.memory`.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from typing import Any, Callable, ClassVar

from . import _configuration, _core, _injected_pynvml, _legacy_source
from ._legacy_dispatch import EdgeFilter, NewestPoll, RecoveryFunction, serve
from ._legacy_values import DIVISORS, GPUMemoryStats, MemoryAlert
from .alerts import AlertLevel, MemoryAlertLevel
from .metrics import MemoryUnit
from .monitor import MemoryMonitor as _CoreMonitor
from .monitor import MonitorError
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
]

logger = logging.getLogger("DualGPUOpt.MemoryMonitor")

MemoryAlertCallback = Callable[[MemoryAlert], None]

ALERTS_VARIABLE = "DUALGPUOPT_ALERTS"  # "edge": only when a level is newly reached
THREAD_NAME = "MemoryMonitorThread"
SERIES_LENGTH = 100
RETRY_S = 5.0
READ_TIMEOUT_S = 5.0
STOP_S = 1.8
LOOK_S = 0.2
LOOK_AGAIN_S = 1.0  # at a GPU that could not be read
NO_LIBRARY = "cannot load libnvidia-ml"

Unit = MemoryUnit
Stats = dict[str, float]


class _NoMonitor:
    """In the native monitor's place while there is no driver: nothing is known."""

    closed = True
    running = False

    def memory(self, gpu: int, max_age_s: float) -> None:
        return None

    def memory_stats(self, gpu: int, divisor: float, max_age_s: float) -> None:
        return None

    def all_memory_stats(self, max_age_s: float) -> dict[int, dict[str, Any]]:
        return {}

    def usage(self) -> list[Any]:
        return []

    def close(self) -> None:
        return None

    stop = close
    abandon = close


_NONE = _NoMonitor()


class MemoryMonitor(_CoreMonitor):
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

    _listens = False  # it looks at the readings itself
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
        self._prepare()
        self.update_interval = update_interval
        self.warning_threshold = warning_threshold
        self.critical_threshold = critical_threshold
        self.emergency_threshold = emergency_threshold
        self._max_age = 2 * update_interval
        self._profiles: dict[str, MemoryProfile] = {}
        self._active: MemoryProfile | None = None
        self._series: dict[tuple[str, int], _core.UsageSeries] = {}
        self._callbacks: dict[AlertLevel, list[Callable[[MemoryAlert], Any]]] = {level: [] for level in AlertLevel}
        self._functions: dict[RecoveryStrategy, RecoveryFunction] = {}
        self._stop: threading.Event | None = None
        self._polls: NewestPoll | None = None
        self._poller: threading.Thread | None = None
        self._retry_at = 0.0
        self._native = _NONE  # type: ignore[assignment]
        self._read_again = 0.0
        self._open_driver()
        atexit.register(self.shutdown)

    # The driver --------------------------------------------------------------------------------------------------

    def _open_driver(self) -> None:
        """Tries to, unless that failed a moment ago; says what it found when that is news."""
        with self._lock:
            if not self._native.closed or time.monotonic() < self._retry_at:
                return
            self._retry_at = time.monotonic() + RETRY_S
            error = self._try(_legacy_source.measured())
            if error is None:
                return
            if _legacy_source.wants_mock():
                self._say(
                    logging.WARNING,
                    "NVML not available, using mock GPU memory monitoring: simulated GPUs, none of these numbers is "
                    f"measured ({_legacy_source.MOCK_VARIABLE}=1)",
                )
                error = self._try(_legacy_source.mock())
            elif NO_LIBRARY in error:
                self._say(logging.WARNING, f"NVML not available, no GPU memory is monitored: {error}")
            else:
                self._say(logging.ERROR, f"Failed to initialize NVML: {error}")

    _said = ""

    def _say(self, level: int, text: str) -> None:
        if text != self._said:
            logger.log(level, "%s", text)
        self._said = text

    def _try(self, choice: _legacy_source.Choice) -> str | None:
        """None when it is open, else why not."""
        interval = self.update_interval
        pace = interval if isinstance(choice.source, _injected_pynvml.InjectedPynvml) else None
        config = _configuration.configuration(interval, pace, None, None, None)
        self._opening = (choice.source, config, False, 15.0)
        try:
            self._open(*self._opening)
        except MonitorError as error:
            return str(error)
        self._said = ""
        return None

    def _live(self) -> _core.Monitor:
        if self._native.closed:
            self._forked = False
            self._open_driver()
        if self._native.closed:
            raise MonitorError("there is no GPU that could be monitored")
        return self._native

    def _refresh(self) -> None:
        """Reads the GPUs now, if the last time is more than two intervals ago."""
        if time.monotonic() < self._read_again and not self._native.closed:
            return
        try:
            self._live().refresh(READ_TIMEOUT_S)
        except RuntimeError:  # none there, or closed meanwhile
            return
        patience = min(self._max_age, LOOK_AGAIN_S) if self._native.unavailable() else self._max_age
        self._read_again = time.monotonic() + patience

    def _usage(self, gpu: int | None = None) -> list[GPUMemoryStats]:
        usage = self._native.usage()
        return [_stats(entry) for entry in usage if gpu is None or entry[0] == gpu]

    # Profiles ----------------------------------------------------------------------------------------------------

    def register_profile(self, profile: MemoryProfile) -> None:
        """Makes a profile known under its name; one of the same name is replaced.

        Args:
            profile: Of a model.
        """
        self._profiles[profile.name] = profile

    def set_active_profile(self, profile_name: str) -> bool:
        """Chooses the profile for estimates, which from now on learns what the GPUs use.

        Args:
            profile_name: Of a registered profile.

        Returns:
            Whether there is one of that name; if not, the old one stays.
        """
        profile = self._profiles.get(profile_name)
        if profile is None:
            logger.warning("Memory profile not found: %s", profile_name)
            return False
        self._active = profile
        return True

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
        """Registers what is called at the emergency level; one a strategy, the last wins.

        Args:
            strategy: Its place: CLEAR_CACHE, REDUCE_BATCH, OFFLOAD, TERMINATE are tried in this order.
            func: Given the GPU's index and its `GPUMemoryStats`; true ends the recovery.
        """
        self._functions[strategy] = func

    def register_strategy(self, strategy: RecoveryStrategy, callback: Any) -> None:
        """The same as `register_recovery_function`: this monitor takes a function's word."""
        self._functions[strategy] = callback

    register_recovery_strategy = register_recovery_function

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
            self._poller = threading.Thread(
                target=self._poll, args=(self._stop, self._polls, self._poller), name=THREAD_NAME, daemon=True
            )
            caller = threading.Thread(
                target=serve, args=(self, self._polls, edge), name="MemoryMonitorCallbacks", daemon=True
            )
            self._poller.start()
            caller.start()

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
        with self._lock:
            native, self._native = self._native, _NONE  # type: ignore[assignment]
            self._retry_at = self._read_again = 0.0
        native.close()
        source = getattr(self, "_opening", (None,))[0]
        if isinstance(source, _injected_pynvml.InjectedPynvml):
            source.close()

    def close(self) -> None:
        """The same as `shutdown`."""
        self.shutdown()

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
                sequence = native.wait(sequence, LOOK_S)
            except RuntimeError:  # no driver now
                stop.wait(min(LOOK_S, self.update_interval))
                sequence = 0
                continue
            fresh = [entry for entry in native.usage() if seen.get(entry[0]) != entry[8]]
            if stop.is_set() or not fresh:
                continue
            seen.update((entry[0], entry[8]) for entry in fresh)
            stats = [_stats(entry) for entry in fresh]
            self._remember(stats)
            polls.put(stats)
        self._native.stop()

    def _remember(self, stats: list[GPUMemoryStats]) -> None:
        profile = self._active
        if profile is None:
            return
        for each in stats:
            profile.update_history(each.used_memory, each.gpu_id)
            key = (profile.name, each.gpu_id)
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = _core.UsageSeries(SERIES_LENGTH)
            series.append(each.timestamp or time.time(), each.used_memory)

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
        self._refresh()
        return self._native.memory_stats(gpu_id, DIVISORS[unit], READ_TIMEOUT_S + self._max_age) or {}

    def _all_in(self, unit: Unit) -> dict[int, Stats]:
        divisor = DIVISORS[unit]
        return {
            gpu: {
                "total": stats["total_memory_bytes"] / divisor,
                "used": stats["used_memory_bytes"] / divisor,
                "free": stats["free_memory_bytes"] / divisor,
                "reserved": stats["reserved_memory_bytes"] / divisor,
                "cached": stats["cached_memory_bytes"] / divisor,
            }
            for gpu, stats in self.get_all_stats().items()
        }

    def get_all_stats(self) -> dict[int, dict[str, Any]]:
        """Every GPU that can be read, as `GPUMemoryStats.as_dict()` gives it, by index."""
        stats = self._native.all_memory_stats(self._max_age)
        if stats:
            return stats
        self._refresh()
        return self._native.all_memory_stats(READ_TIMEOUT_S + self._max_age) or {}

    # Estimating --------------------------------------------------------------------------------------------------

    def estimate_max_batch(self, gpu_id: int, token_count: int, profile_name: str | None = None) -> int:
        """The largest batch for nine tenths of what is free now.

        Args:
            gpu_id: The device's index.
            token_count: Tokens.
            profile_name: Of a registered profile; the active one if left out or not known.

        Returns:
            At least 1, also for a GPU that is not known.
        """
        profile = self._profiles.get(profile_name, self._active) if profile_name else self._active
        if profile_name and profile_name not in self._profiles:
            logger.warning("Memory profile not found: %s", profile_name)
        if profile is None:
            logger.warning("No memory profile available for batch size estimation")
            return 1
        memory = self._memory(gpu_id)
        return 1 if memory is None else profile.max_batch_size(int(memory[2] * 0.9), token_count)

    def estimate_safe_context_size(self, gpu_id: int, batch_size: int, buffer_percent: float = 10.0) -> int:
        """The longest context for what is free now, less a buffer, by the active profile.

        Args:
            gpu_id: The device's index.
            batch_size: Sequences.
            buffer_percent: Of what is free, kept free.

        Returns:
            Tokens; 2048 without a profile, or for a GPU that is not known.
        """
        if self._active is None:
            logger.warning("No active memory profile for context size estimation")
            return 2048
        memory = self._memory(gpu_id)
        if memory is None:
            return 2048
        return self._active.max_sequence_length(int(memory[2] * (1 - buffer_percent / 100)), batch_size)

    def project_memory_usage(self, gpu_id: int, seconds_ahead: float = 60.0) -> float | None:
        """How full a GPU will be, by the active profile's past of this GPU.

        Args:
            gpu_id: The device's index.
            seconds_ahead: From now.

        Returns:
            Percent of its total; None without a profile, a past, or the GPU.
        """
        profile = self._active
        if profile is None:
            return None
        memory = self._native.memory(gpu_id, self._max_age) or self._memory(gpu_id, quiet=True)
        if memory is None or memory[0] == 0:
            return None
        series = self._series.get((profile.name, gpu_id))
        projected = series.project(time.time(), seconds_ahead, profile.growth_rate) if series is not None else None
        if projected is None:
            projected = profile.project_growth(seconds_ahead, gpu_id)
        return None if projected is None else projected / memory[0] * 100

    def _memory(self, gpu_id: int, quiet: bool = False) -> tuple[int, int, int, int] | None:
        try:
            memory = self._native.memory(gpu_id, self._max_age)
            if memory is None:
                self._refresh()
                memory = self._native.memory(gpu_id, READ_TIMEOUT_S + self._max_age)
        except TypeError:
            memory = None
        if memory is None and not quiet:
            logger.warning("No memory stats available for GPU %s", gpu_id)
        return memory

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
        self._stop = self._polls = self._poller = None
        self._retry_at = self._read_again = 0.0
        if self._native is not _NONE:  # type: ignore[comparison-overlap]
            super()._abandon()
            self._native = _NONE  # type: ignore[assignment]
        self._forked = False


def _stats(entry: tuple[Any, ...]) -> GPUMemoryStats:
    gpu, total, used, free, reserved, wall, processes, *_ = entry
    return GPUMemoryStats(gpu, total, used, free, reserved, 0, processes, wall)


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
    """Registers the five built-in profiles with the process's monitor, and makes none of them the active one."""
    monitor = get_memory_monitor()
    for profile in DEFAULT_PROFILES.values():
        monitor.register_profile(profile)


def get_memory_usage() -> dict[int, dict[str, int | float]]:
    """`MemoryMonitor.get_memory_usage` of the process's monitor."""
    return get_memory_monitor().get_memory_usage()


def is_memory_critical(gpu_id: int) -> bool:
    """`MemoryMonitor.is_memory_critical` of the process's monitor."""
    return get_memory_monitor().is_memory_critical(gpu_id)


def is_memory_low(gpu_id: int) -> bool:
    """`MemoryMonitor.is_memory_low` of the process's monitor."""
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
