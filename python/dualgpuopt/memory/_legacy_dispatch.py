"""What the original's monitor does at each poll: judge every GPU, recover, log, call back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ._legacy_values import GPUMemoryStats, MemoryAlert, alert_for
from .alerts import AlertLevel
from .recovery import LADDER_ORDER, RecoveryStrategy

if TYPE_CHECKING:
    from .compat import MemoryMonitor

logger = logging.getLogger("DualGPUOpt.MemoryMonitor")

_LOG_LEVELS = {
    AlertLevel.WARNING: logging.WARNING,
    AlertLevel.CRITICAL: logging.ERROR,
    AlertLevel.EMERGENCY: logging.CRITICAL,
}
EDGE_REPEAT_S = 300.0
EDGE_HYSTERESIS_PERCENT = 2.0

RecoveryFunction = Callable[[int, GPUMemoryStats], Any]


class NewestPoll:
    """Hands readings from the thread that polls to the one that calls back, which may be slow: newer ones replace."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[int, GPUMemoryStats] = {}
        self._closed = False

    def put(self, stats: list[GPUMemoryStats]) -> None:
        with self._changed:
            self._waiting.update((each.gpu_id, each) for each in stats)
            self._changed.notify()

    def take(self) -> list[GPUMemoryStats] | None:
        """By the order of their index, as soon as there are some; None when it is closed."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            taken, self._waiting = self._waiting, {}
        return [taken[gpu] for gpu in sorted(taken)]

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class EdgeFilter:
    """Lets an alert through when its level is newly reached, and every five minutes while it lasts."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[AlertLevel, float]] = {}

    def passes(self, gpu: int, level: AlertLevel, percent: float, thresholds: Mapping[AlertLevel, float]) -> bool:
        now = time.monotonic()
        before, since = self._last.get(gpu, (AlertLevel.NORMAL, now))
        if level < before and percent >= thresholds[before] - EDGE_HYSTERESIS_PERCENT:
            return False  # hovering at the threshold is not falling below it
        if level is before and now - since < EDGE_REPEAT_S:
            return False
        self._last[gpu] = (level, now)
        return level is not AlertLevel.NORMAL and level >= before


def level_of(percent: float, thresholds: Mapping[AlertLevel, float]) -> AlertLevel:
    """The highest level whose threshold is reached."""
    reached = [level for level, threshold in thresholds.items() if percent >= threshold]
    return max(reached, default=AlertLevel.NORMAL)


def recover(functions: Mapping[RecoveryStrategy, RecoveryFunction], stats: GPUMemoryStats) -> bool:
    """Tries the registered functions in the ladder's order; the first that says it succeeded ends it."""
    gpu = stats.gpu_id
    logger.warning("Attempting automatic memory recovery for GPU %d", gpu)
    for strategy in LADDER_ORDER:
        function = functions.get(strategy)
        if function is not None and _succeeds(strategy, function, stats):
            return True
    logger.critical("All memory recovery strategies failed for GPU %d", gpu)
    return False


def _succeeds(strategy: RecoveryStrategy, function: RecoveryFunction, stats: GPUMemoryStats) -> bool:
    logger.info("Attempting recovery strategy: %s", strategy.name)
    try:
        succeeded = bool(function(stats.gpu_id, stats))
    except BaseException as error:  # a failed strategy, whatever it raises
        logger.error("Recovery strategy %s failed: %s", strategy.name, error)
        return False
    if succeeded:
        logger.info("Recovery strategy %s successful", strategy.name)
    return succeeded


def call_back(callbacks: list[Callable[[MemoryAlert], Any]], alert: MemoryAlert) -> None:
    """Calls everybody in order; what one raises keeps nobody else from being called."""
    for callback in callbacks:
        try:
            callback(alert)
        except BaseException as error:
            logger.error("Error in memory alert callback: %s", error)


def judge(monitor: MemoryMonitor, stats: GPUMemoryStats, edge: EdgeFilter | None) -> None:
    """One GPU at one poll."""
    thresholds, percent = monitor.thresholds(), stats.usage_percent()
    level = level_of(percent, thresholds)
    is_due = edge is None or edge.passes(stats.gpu_id, level, percent, thresholds)
    if level is AlertLevel.NORMAL:
        return
    alert = alert_for(stats, level, thresholds[level])
    if level is AlertLevel.EMERGENCY:
        recover(monitor.recovery_functions(), stats)  # at every poll, for memory is short as long as it lasts
    if is_due:
        logger.log(_LOG_LEVELS[level], "%s%s", alert, " (simulated)" if monitor.simulated else "")
        call_back(monitor.callbacks_of(level), alert)


def serve(
    monitor: MemoryMonitor, polls: NewestPoll, edge: EdgeFilter | None, before: threading.Thread | None = None
) -> None:
    """The thread that runs the application's functions: one at a time, also when an earlier one is slow to end."""
    if before is not None:
        before.join()
    while (taken := polls.take()) is not None:
        for stats in taken:
            if polls.closed:
                return
            try:
                judge(monitor, stats, edge)
            except Exception as error:  # thresholds that are no numbers, say: the next poll may be better
                logger.error("Cannot judge GPU %d: %s", stats.gpu_id, error)
