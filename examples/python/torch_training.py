"""A training loop that says at its end what happened to the GPUs' memory. Without PyTorch it says so and ends.

python torch_training.py [--source sim:demo] [--steps 50]
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dualgpuopt.memory import AlertLevel, MemoryAlert, MemoryMonitor, MonitorError, format_memory_size

MIB = 1 << 20


def train(torch: Any, steps: int) -> float:
    """A small model on the GPU, or on the CPU where PyTorch has none; the last loss."""
    place = "cuda" if torch.cuda.is_available() else "cpu"
    model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1)).to(place)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss = torch.zeros(())
    for _ in range(steps):
        inputs = torch.randn(128, 64, device=place)
        loss = torch.nn.functional.mse_loss(model(inputs), inputs.sum(dim=1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss)


def report(monitor: MemoryMonitor, alerts: list[MemoryAlert]) -> None:
    """Peak and growth of every GPU."""
    for device in monitor.snapshot().devices:
        summary = monitor.summary(device.gpu, window=3600.0)
        if summary is None:
            print(f"GPU {device.gpu}: nothing was seen: {device.reason}")
            continue
        growth = summary.rate / MIB
        print(f"GPU {device.gpu}: peak {format_memory_size(device.peak_used / MIB)}, {growth:+.1f} MB/s")
    print(f"{len(alerts)} alerts")


def main() -> int:
    """Trains under watch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="auto", help="as gpumem --source")
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: nothing to train")
        return 0
    alerts: list[MemoryAlert] = []
    try:
        with MemoryMonitor(options.source, interval=0.1) as monitor:
            monitor.subscribe(AlertLevel.WARNING, alerts.append)
            monitor.wait_for_snapshot()
            print(f"loss {train(torch, options.steps):.3f}")
            report(monitor, alerts)
    except MonitorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
