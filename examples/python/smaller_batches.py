"""Works through batches that may not fit: what runs out of memory comes again in smaller chunks, and nothing is lost.

No framework is needed: the "model" here runs out of memory by itself when it gets more than --holds elements at once,
with the words of PyTorch. On a simulated source (--source sim:demo) its alerts are heeded too, as in a demonstration.

python smaller_batches.py [--source sim:demo] [--holds 12] [--batches 4]
"""

from __future__ import annotations

import argparse

from dualgpuopt.memory import BatchSizeController, MemoryMonitor

BATCH = 64


def model(inputs: list[int], holds: int) -> list[int]:
    """Squares its inputs, if there is room for them."""
    if len(inputs) > holds:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    return [each * each for each in inputs]


def main() -> None:
    """One line for every chunk that was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="auto", help="as gpumem --source")
    parser.add_argument("--holds", type=int, default=12, help="elements that the stand-in for a model has room for")
    parser.add_argument("--batches", type=int, default=4)
    options = parser.parse_args()
    with MemoryMonitor(options.source) as monitor:
        snapshot = monitor.wait_for_snapshot()
        controller = BatchSizeController(BATCH, simulated=snapshot.provenance != "driver")
        controller.watch(monitor)  # and the ladder's REDUCE_BATCH
        for number in range(options.batches):
            results: list[int] = []
            for chunk in controller.split(list(range(BATCH))):
                with chunk:
                    results += model(chunk.data, options.holds)
                    print(f"batch {number}, {snapshot.provenance} GPUs: {chunk.start} to {chunk.stop} of {chunk.total}")
            assert results == [each * each for each in range(BATCH)]
        change = controller.last_change
        print(f"{controller.size} at a time" + (f", after {change.before} because of {change.cause}" if change else ""))


if __name__ == "__main__":
    main()
