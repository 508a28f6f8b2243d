"""Times the calls that applications make often, beside the reference. Prints JSON; run.py starts it."""

from __future__ import annotations

import json
import sys
import time
import timeit
import warnings
from collections.abc import Callable
from typing import Any

import reference
import stub_driver

INTERVAL_S = 0.1
REPEATS = 25


def best_us(call: Callable[[], Any]) -> float:
    """The best of many rounds of at least 20 ms each, in microseconds a call."""
    timer = timeit.Timer(call)
    calls = 100
    while (took := timer.timeit(calls)) < 0.02:
        calls = max(calls * 2, int(calls * 0.025 / max(took, 1e-6)))
    return min(timer.repeat(REPEATS, calls)) / calls * 1e6


def ours() -> Any:
    """The monitor of this package over the stub, with a full history of its profile."""
    sys.modules["pynvml"] = stub_driver
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import dualgpuopt.memory_monitor as legacy
    monitor = legacy.MemoryMonitor(INTERVAL_S, 99.0, 99.5, 99.9)
    profile = legacy.MemoryProfile("benchmark", 0, 1, 1)
    monitor.register_profile(profile)
    monitor.set_active_profile("benchmark")
    monitor.start_monitoring()
    deadline = time.monotonic() + 60
    while len(profile.usage_history) < 100 or monitor.project_memory_usage(0) is None:
        assert time.monotonic() < deadline, "the history did not fill"
        time.sleep(INTERVAL_S)
    return monitor


def beside() -> reference.Monitor:
    monitor = reference.Monitor(stub_driver, 60.0, stub_driver.GPUS)
    for _ in range(100):
        monitor.poll()
    return monitor


def check_that_both_answer_alike(mine: Any, other: reference.Monitor) -> None:
    assert mine.get_memory_stats(0) == other.get_memory_stats(0)
    assert mine.get_memory_stats() == other.get_memory_stats()
    for one, another in zip(mine.get_all_stats().values(), other.get_all_stats().values()):
        assert {**one, "timestamp": 0} == {**another, "timestamp": 0}
    assert mine.project_memory_usage(0) is not None and other.project_memory_usage(0) is not None


def main() -> None:
    mine, other = ours(), beside()
    check_that_both_answer_alike(mine, other)
    calls: dict[str, Callable[[Any], Any]] = {
        "get_memory_stats(0)": lambda monitor: lambda: monitor.get_memory_stats(0),
        "get_memory_stats()": lambda monitor: monitor.get_memory_stats,
        "get_all_stats()": lambda monitor: monitor.get_all_stats,
        "project_memory_usage(0)": lambda monitor: lambda: monitor.project_memory_usage(0),
    }
    times = {name: [best_us(of(mine)), best_us(of(other))] for name, of in calls.items()}
    mine.stop_monitoring()
    times["reference's update, 2 GPUs"] = [best_us(reference.Monitor(stub_driver, 60.0, 2).update)] * 2
    print(json.dumps(times))


if __name__ == "__main__":
    main()
