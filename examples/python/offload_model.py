"""Moves what a program can spare to the host when a GPU runs out of memory, and back when there is room again.

On simulated GPUs (--source sim:demo) the ladder moves nothing, and says so; a rehearsal shows what it would do.

python offload_model.py [--source sim:demo] [--steps 3]
"""

from __future__ import annotations

import argparse
import threading
import time

from dualgpuopt.memory import MemoryMonitor, RecoveryRequest, RecoveryStrategy
from dualgpuopt.memory.offload import Offloadable, Offloader

MIB = 1 << 20


class Cache(Offloadable):
    """Stands for what lies on a GPU. With PyTorch: `TorchModule(encoder, gpu=0)` of dualgpuopt.memory.torch_offload."""

    at_safe_point = True  # a step works with it

    def __init__(self, name: str, size: int, priority: float) -> None:
        self.name, self.priority = name, priority
        self._size = size
        self._on_gpu = True

    def bytes_on_device(self) -> int:
        """What it holds there."""
        return self._size if self._on_gpu else 0

    def offload(self) -> None:
        """A real one copies, and lets the GPU's memory go."""
        self._on_gpu = False
        print(f"{self.name} is on the host", flush=True)

    def restore(self) -> None:
        """A real one allocates, and copies back."""
        self._on_gpu = True
        print(f"{self.name} is on the GPU", flush=True)


def rehearse(offloader: Offloader, monitor: MemoryMonitor) -> None:
    """Asks for 700 MiB of GPU 0, as the ladder would; the answer comes after a safe point."""
    reading = monitor.wait_for_snapshot(timeout=10).devices[0].reading
    request = RecoveryRequest(RecoveryStrategy.OFFLOAD, 0, reading, 0, 700 * MIB, 10.0, lambda: False)
    print(f"a rehearsal on a {reading.provenance} GPU", flush=True)
    answer = offloader(request)
    print(answer.detail, flush=True)
    for candidate in answer.candidates:
        print(f"  {candidate.what}: {'chosen' if candidate.chosen else 'stays'}, {candidate.reason}", flush=True)


def main() -> None:
    """Works in steps, between which nothing uses what may be moved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="auto", help="as gpumem --source")
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    offloader = Offloader()
    with MemoryMonitor(options.source, interval=0.1) as monitor:
        monitor.register_strategy(RecoveryStrategy.OFFLOAD, offloader)
        offloader.attach(monitor)
        with (
            offloader.add(Cache("teacher", 256 * MIB, 0.0)),
            offloader.add(Cache("encoder", 512 * MIB, 1.0)) as encoder,
        ):
            ladder = threading.Thread(target=rehearse, args=(offloader, monitor))
            if options.source.startswith("sim:"):
                ladder.start()
            for _ in range(options.steps):
                time.sleep(0.1)  # a step
                offloader.safe_point()
                with encoder.use():  # here it is on the GPU, whatever happened
                    pass
            if options.source.startswith("sim:"):
                ladder.join()


if __name__ == "__main__":
    main()
