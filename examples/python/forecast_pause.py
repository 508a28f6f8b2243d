"""Takes on no new work while a GPU is about to run out of memory, by the forecast and not by the level.

python forecast_pause.py [--source sim:demo] [--tasks 20]
"""

from __future__ import annotations

import argparse
import time

from dualgpuopt.memory import DeviceSnapshot, MemoryMonitor

ENOUGH_TIME_S = 30.0  # for a task to end before memory does


def is_in_danger(device: DeviceSnapshot) -> bool:
    """Whether memory is likely to end before a task that begins now. A device that cannot be read is no reason."""
    time_to_oom = device.forecast.time_to_oom_low if device.forecast else None
    return time_to_oom is not None and time_to_oom < ENOUGH_TIME_S


def wait_until_safe(monitor: MemoryMonitor, patience_s: float) -> bool:
    """Whether all devices were safe in time."""
    deadline = time.monotonic() + patience_s
    snapshot = monitor.snapshot()
    while any(is_in_danger(device) for device in snapshot.devices):
        if time.monotonic() >= deadline:
            return False
        snapshot = monitor.wait_for_snapshot(snapshot.sequence, timeout=1.0)
    return True


def main() -> None:
    """Does some tasks, each when there is room for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="auto", help="as gpumem --source")
    parser.add_argument("--tasks", type=int, default=20)
    options = parser.parse_args()
    with MemoryMonitor(options.source) as monitor:
        monitor.wait_for_snapshot()
        for task in range(options.tasks):
            safe = wait_until_safe(monitor, patience_s=10.0)
            print(f"task {task}: {'begun' if safe else 'put off, memory is running out'}", flush=True)
            time.sleep(0.05)


if __name__ == "__main__":
    main()
