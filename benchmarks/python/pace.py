"""How evenly a monitor samples at a fixed 100 ms while Python is busy. Prints JSON; run.py starts it."""

from __future__ import annotations

import ctypes
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from dualgpuopt.memory import AlertLevel, MemoryMonitor, Threshold, Thresholds

INTERVAL_S = 0.1
HOLD_S = 2.0


def hold_the_interpreter(until: Callable[[], bool]) -> None:
    """One C call of two seconds after the other; PyDLL does not let the interpreter's lock go."""
    libc = ctypes.PyDLL(None)
    while not until():
        libc.usleep(int(HOLD_S * 1e6))
        time.sleep(0.05)


def wait(until: Callable[[], bool]) -> None:
    while not until():
        time.sleep(0.5)


def sampling_times(monitor: MemoryMonitor, count: int, meanwhile: Callable[[Callable[[], bool]], None]) -> list[float]:
    """The times at which the core took its readings, recorded by the core."""
    times: list[float] = []
    limit_s = count * INTERVAL_S * 2 + 10
    recorder = threading.Thread(target=lambda: times.extend(monitor._native.sampling_times(0, count, limit_s)))
    recorder.start()
    meanwhile(lambda: not recorder.is_alive())
    recorder.join()
    return times


def judge(times: list[float], count: int) -> dict[str, Any]:
    assert len(times) == count, f"{len(times)} of {count} readings came"
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    even = sum(abs(gap - INTERVAL_S) <= 0.1 * INTERVAL_S for gap in gaps)
    return {"intervals": len(gaps), "even_percent": even / len(gaps) * 100, "longest_ms": max(gaps) * 1e3}


def while_the_interpreter_is_held(count: int) -> dict[str, Any]:
    with MemoryMonitor("sim:demo", interval=INTERVAL_S) as monitor:
        monitor.wait_for_snapshot(timeout=10)
        return judge(sampling_times(monitor, count, hold_the_interpreter), count)


def while_callbacks_are_slow(count: int) -> dict[str, Any]:
    """Alerts at every use of memory, repeated at once; each takes half a second of somebody's time."""
    called = []

    def slow(alert: object) -> None:
        called.append(alert)
        time.sleep(0.5)

    thresholds = Thresholds(Threshold(0.001), Threshold(99.8), Threshold(99.9), 0.0, INTERVAL_S)
    with MemoryMonitor("sim:demo", interval=INTERVAL_S, thresholds=thresholds) as monitor:
        for _ in range(4):
            monitor.subscribe(AlertLevel.WARNING, slow)
        monitor.wait_for_snapshot(timeout=10)
        found = judge(sampling_times(monitor, count, wait), count)
    assert len(called) >= 4, "the callbacks did not run"
    return {**found, "callbacks": len(called)}


def main() -> None:
    logging.getLogger("dualgpuopt").setLevel(logging.CRITICAL + 1)
    count = int(sys.argv[1])
    print(json.dumps({"held": while_the_interpreter_is_held(count), "slow": while_callbacks_are_slow(count)}))


if __name__ == "__main__":
    main()
