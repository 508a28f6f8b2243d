"""Frees memory before it is too late: what the program can give up, in the order in which it hurts least.

On simulated GPUs (--source sim:demo) nothing is done, and the decision says what would have been.

python recovery_ladder.py [--source sim:demo] [--seconds 120]
"""

from __future__ import annotations

import argparse
import time

from dualgpuopt.memory import (
    Decision,
    Ladder,
    MemoryMonitor,
    RecoveryRequest,
    RecoveryStrategy,
    default_clear_cuda_cache,
)


class Server:
    """Stands for a program that serves requests in batches and keeps results."""

    def __init__(self) -> None:
        self.batch_size = 32
        self.results: dict[str, bytes] = {}

    def clear_cache(self, request: RecoveryRequest) -> tuple[bool, str]:
        """Gives up what can be computed again. The driver's count decides whether that helped."""
        dropped = len(self.results)
        self.results.clear()
        emptied = default_clear_cuda_cache(request.gpu, None)
        return dropped > 0 or emptied, f"dropped {dropped} results"

    def reduce_batch(self, request: RecoveryRequest) -> tuple[bool, str]:
        """The next batch is smaller; the one that runs is not touched."""
        if self.batch_size == 1:
            return False, "the batch is as small as it gets"
        self.batch_size //= 2
        return True, f"batches of {self.batch_size} from now on"


def show(decision: Decision) -> None:
    """One climb of the ladder: what was tried, and what it brought."""
    print(f"GPU {decision.gpu}: {decision.end}: {decision.reason}", flush=True)
    for rung in decision.rungs:
        print(f"  {rung.strategy.name.lower()}: {rung.outcome} {rung.detail}", flush=True)


def main() -> None:
    """Serves for a while."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="auto", help="as gpumem --source")
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    server = Server()
    with MemoryMonitor(options.source, ladder=Ladder(target_percent=70.0)) as monitor:
        monitor.subscribe_decisions(show)
        monitor.register_strategy(RecoveryStrategy.CLEAR_CACHE, server.clear_cache)
        monitor.register_strategy(RecoveryStrategy.REDUCE_BATCH, server.reduce_batch)
        time.sleep(options.seconds)


if __name__ == "__main__":
    main()
