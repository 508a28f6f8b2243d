"""Tells when a GPU gets full, and when it is over: the least that a program can do.

python alert_callbacks.py [--source sim:demo] [--seconds 60]
"""

from __future__ import annotations

import argparse
import time

from dualgpuopt.memory import AlertLevel, MemoryAlert, MemoryMonitor


def tell(alert: MemoryAlert) -> None:
    """Runs on the monitor's thread: hand it over to your own loop if that takes long."""
    print(f"{alert.event}: {alert}", flush=True)
    for advice in alert.recommendations:
        print(f"  - {advice}", flush=True)


def main() -> None:
    """Listens for a while."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="auto", help="as gpumem --source")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with MemoryMonitor(options.source) as monitor:
        monitor.subscribe(AlertLevel.WARNING, tell)
        for device in monitor.wait_for_snapshot().devices:
            percent = device.memory.occupied_percent if device.memory else None
            print(f"GPU {device.gpu}, {device.device.name}: {f'{percent:.1f} %' if percent else device.reason}")
        time.sleep(options.seconds)


if __name__ == "__main__":
    main()
