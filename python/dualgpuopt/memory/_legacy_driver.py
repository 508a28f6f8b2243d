"""The original monitor's hold on a driver: opened when it can be, tried again when it cannot, read when it is time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from . import _configuration, _core, _injected_pynvml, _legacy_source
from .alerts import Subscription, Threshold, Thresholds
from .monitor import MemoryMonitor, MonitorError, StrategyCallback, _monitors
from .recovery import RecoveryStrategy

logger = logging.getLogger("DualGPUOpt.MemoryMonitor")

RETRY_S = 5.0
PATIENCE_S = 5.0  # reads of the application wait for it
HUNG_RETRY_S = 60.0  # every try costs a thread that never ends
READ_TIMEOUT_S = 1.0  # stopping may have to wait for a read, and has 2 s
SHORTEST_S, LONGEST_S = 0.001, 86400.0
LOOK_AGAIN_S = 1.0  # at a GPU that could not be read
NO_LIBRARY = "cannot load libnvidia-ml"

Memory = tuple[int, int, int, int]  # total, used, free, reserved


class NoMonitor:
    """In the native monitor's place while there is no driver: nothing is known."""

    closed = True
    running = False

    def memory(self, gpu: int, max_age_s: float) -> None:
        return None

    def memory_stats(self, gpu: int, divisor: float, max_age_s: float) -> None:
        return None

    def all_memory_stats(self, max_age_s: float) -> dict[int, dict[str, Any]]:
        return {}

    def all_divided(self, divisor: float, max_age_s: float) -> None:
        return None

    def usage(self) -> list[Any]:
        return []

    def close(self) -> None:
        return None

    stop = close
    abandon = close


NO_MONITOR = NoMonitor()


class LegacyDriver(MemoryMonitor):
    """A monitor that is there also when the driver is not."""

    _listens = False  # to the core's alerts, unless somebody subscribes to them: it looks at the readings itself

    def _set_up_driver(self, update_interval: float, warning: float, critical: float, emergency: float) -> None:
        self._prepare()
        self.update_interval = update_interval
        self.warning_threshold = warning
        self.critical_threshold = critical
        self.emergency_threshold = emergency
        self._interval = min(max(float(update_interval), SHORTEST_S), LONGEST_S)
        self._max_age = 2 * self._interval
        self._retry_at = self._read_again = 0.0
        self._said = self._reason = ""
        self._simulated = False
        self._ended = False  # with the interpreter: nothing is opened any more
        self._opening_lock = threading.RLock()
        self._native = NO_MONITOR  # type: ignore[assignment]
        _monitors.add(self)  # so that a fork is heard of also without a driver

    def _open_driver(self) -> None:
        """Tries to, unless that failed a moment ago; says what it found when that is news."""
        with self._opening_lock:  # not the monitor's own, which stopping takes: opening may take long
            if self._ended or not self._native.closed or time.monotonic() < self._retry_at:
                return
            self._retry_at = time.monotonic() + RETRY_S
            begun = time.monotonic()
            error = self._try(_legacy_source.measured())
            self._reason = error or ""
            if error is None:
                return
            if time.monotonic() - begun >= PATIENCE_S:
                self._retry_at = time.monotonic() + HUNG_RETRY_S
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

    def _say(self, level: int, text: str) -> None:
        if text != self._said:
            logger.log(level, "%s", text)
        self._said = text

    def _try(self, choice: _legacy_source.Choice) -> str | None:
        """None when it is open, else why not."""
        interval = self._interval
        pace = interval if isinstance(choice.source, _injected_pynvml.InjectedPynvml) else None
        config = _configuration.configuration(interval, pace, self._core_thresholds(), None, None)
        self._opening = (choice.source, config, False, PATIENCE_S)
        try:
            self._open(*self._opening)
        except (MonitorError, ValueError) as error:
            return str(error)
        self._said = ""
        self._simulated = choice.is_simulated
        for strategy in self._strategies:
            self._register(strategy)
        return None

    def _core_thresholds(self) -> Thresholds:
        """For those who subscribe, without forecasts; the core's own where these make no sense to it."""
        percents = (self.warning_threshold, self.critical_threshold, self.emergency_threshold)
        if not 2 < percents[0] <= percents[1] <= percents[2] <= 100:
            return Thresholds(warning=Threshold(80.0))
        warning, critical, emergency = (Threshold(float(percent)) for percent in percents)
        return Thresholds(warning, critical, emergency)

    def register_strategy(self, strategy: RecoveryStrategy, callback: StrategyCallback) -> None:
        """As `dualgpuopt.memory.MemoryMonitor.register_strategy`; also before there is a driver."""
        with self._lock:
            self._strategies[strategy] = callback
        if not self._native.closed:
            self._register(strategy)

    def _subscribe(self, callback: Callable[[Any], object], wanted: Callable[[Any], bool]) -> Subscription:
        """Those of the new interface: only from now on the core's own alerts are heard."""
        self._listens = True
        subscription = super()._subscribe(callback, wanted)
        if self._native.running:
            self._listen()
        return subscription

    def release_driver(self) -> None:
        """Stops polling, and closes what is open at the driver; `start_monitoring` and reads open it again.

        Raises:
            MonitorError: A call hangs and keeps the driver open.
        """
        self.stop()
        if not self._native.closed:
            super().release_driver()

    def _close_driver(self) -> None:
        with self._lock:
            native, self._native = self._native, NO_MONITOR  # type: ignore[assignment]
            self._threads.clear()
            self._retry_at = self._read_again = 0.0
        native.close()
        source = getattr(self, "_opening", (None,))[0]
        if isinstance(source, _injected_pynvml.InjectedPynvml):
            source.close()

    def _abandon(self) -> None:
        self._retry_at = self._read_again = 0.0
        if not isinstance(self._native, NoMonitor):
            super()._abandon()
            self._native = NO_MONITOR  # type: ignore[assignment]
        self._lock, self._opening_lock = threading.RLock(), threading.RLock()
        self._forked = False

    def _live(self) -> _core.Monitor:
        if self._native.closed:
            self._forked = False
            self._open_driver()
        if self._native.closed:
            reason = f": {self._reason}" if self._reason else ""
            raise MonitorError(f"there is no GPU that could be monitored{reason}")
        return self._native

    def _is_given_up(self, gpu: object) -> bool:
        """Whether a device cannot be read although it is being tried all the time: waiting gives nothing more."""
        native = self._native
        return native.running and any(gpu == other for other, _ in native.unavailable())

    def _refresh(self, gpu: int | None = None) -> None:
        """Reads the GPUs now, if the last time is more than two intervals ago."""
        if time.monotonic() < self._read_again and not self._native.closed:
            return
        if gpu is not None and self._is_given_up(gpu):
            return
        try:
            native = self._live()
            native.refresh(READ_TIMEOUT_S)
        except RuntimeError:  # none there, or closed meanwhile
            return
        patience = min(self._max_age, LOOK_AGAIN_S) if native.unavailable() else self._max_age
        self._read_again = time.monotonic() + patience

    def _memory(self, gpu_id: int, quiet: bool = False) -> tuple[int, int, int, int] | None:
        try:
            memory = self._native.memory(gpu_id, self._max_age)
            if memory is None:
                self._refresh(gpu_id)
                memory = self._native.memory(gpu_id, READ_TIMEOUT_S + self._max_age)
        except TypeError:
            memory = None
        if memory is None and not quiet:
            logger.warning("No memory stats available for GPU %s", gpu_id)
        return memory
