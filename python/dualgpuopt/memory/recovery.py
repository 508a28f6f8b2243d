"""Freeing memory: strategies, the ladder that tries them in order, and the record of what it did."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Callable, NamedTuple

from ._answers import Candidate, StrategyAnswer
from ._batch import BatchSizeController
from ._caches import CacheAction, ClearedCaches, clear_caches
from ._chunks import Chunk, Chunks
from ._distributed import DistributedBatchError, average_gradients, each_alone, torch_agreement
from ._shared_batch_size import BatchSizeChange
from ._training_state import Appended, Gradients, OptimizerState, Undo
from .alerts import AlertLevel
from .metrics import Forecast, Reading, plain

__all__ = [
    "Appended",
    "BatchSizeChange",
    "BatchSizeController",
    "CacheAction",
    "Candidate",
    "Chunk",
    "Chunks",
    "ClearedCaches",
    "Decision",
    "DistributedBatchError",
    "Gradients",
    "Ladder",
    "MemoryRecoveryStrategy",
    "OptimizerState",
    "RecoveryManager",
    "RecoveryRequest",
    "RecoveryStrategy",
    "RungLimits",
    "RungRecord",
    "StrategyAnswer",
    "Undo",
    "average_gradients",
    "clear_caches",
    "default_clear_cuda_cache",
    "each_alone",
    "torch_agreement",
]

logger = logging.getLogger("DualGPUOpt.MemoryRecovery")


class RecoveryStrategy(Enum):
    """What can be done to free memory. Ladders try CLEAR_CACHE, REDUCE_BATCH, OFFLOAD, TERMINATE in this order.

    Example:
        >>> RecoveryStrategy.CLEAR_CACHE.value
        2
    """

    REDUCE_BATCH = 1
    CLEAR_CACHE = 2
    OFFLOAD = 3
    TERMINATE = 4


MemoryRecoveryStrategy = RecoveryStrategy
"""The original's name of `RecoveryStrategy`; one and the same class."""

LADDER_ORDER = (
    RecoveryStrategy.CLEAR_CACHE,
    RecoveryStrategy.REDUCE_BATCH,
    RecoveryStrategy.OFFLOAD,
    RecoveryStrategy.TERMINATE,
)


class RungLimits(NamedTuple):
    """What one rung is allowed, where it differs from the ladder. Provisional: keys may be added.

    Attributes:
        time_limit: Seconds for its callback; None: the ladder's.
        settle: Seconds between its end and the measurement; None: the ladder's.
        from_level: It may run in climbs that start at this level or above,
        by_forecast: and in those that a forecast starts.
        attempts: After so many climbs in a row in which it freed nothing it rests; 0: it never rests.
        rest: Seconds, after each further such climb twice as long as before, up to an hour.

    Example:
        >>> RungLimits(attempts=5).as_config()["attempts"]
        5
    """

    time_limit: float | None = None
    settle: float | None = None
    from_level: AlertLevel = AlertLevel.NORMAL
    by_forecast: bool = True
    attempts: int = 2
    rest: float = 60.0

    def as_config(self) -> dict[str, Any]:
        """A `[ladder.RUNG]` table of the configuration, as docs/configuration.md describes it."""
        table: dict[str, Any] = {
            "from": self.from_level.name.lower(),
            "by_forecast": self.by_forecast,
            "attempts": self.attempts,
            "rest": self.rest,
        }
        times = {"time_limit": self.time_limit, "settle": self.settle}
        return {**table, **{key: value for key, value in times.items() if value is not None}}


class Ladder(NamedTuple):
    """Which strategies are tried, when, and until when. Provisional: keys may be added.

    Attributes:
        rungs: In the order in which they are tried.
        trigger: A climb starts at this level or above.
        target_percent: It ends at or under this occupied share.
        by_forecast: A climb also starts when exhaustion is foreseen within the time that recovery takes,
        forecast_margin: and this many seconds.
        settle: Seconds between a rung's end and the measurement.
        cooldown: Seconds after a climb, before the next on the same device.
        rung_time_limit: Seconds for each callback.
        verification: "measured", by the driver's count; or "callback", by the callback's word alone.
        mode: "execute", or "dry_run": only say what would be done.
        limits: What single rungs are allowed, where that differs from the ladder.

    Example:
        >>> Ladder(target_percent=60.0).as_config()["target"]
        60.0
    """

    rungs: tuple[RecoveryStrategy, ...] = LADDER_ORDER
    trigger: AlertLevel = AlertLevel.CRITICAL
    target_percent: float = 75.0
    by_forecast: bool = True
    forecast_margin: float = 5.0
    settle: float = 0.5
    cooldown: float = 30.0
    rung_time_limit: float = 10.0
    verification: str = "measured"
    mode: str = "execute"
    limits: Mapping[RecoveryStrategy, RungLimits] = MappingProxyType({})

    def as_config(self) -> dict[str, Any]:
        """The `[ladder]` table of the configuration, as docs/configuration.md describes it."""
        return {
            "rungs": [rung.name.lower() for rung in self.rungs],
            "trigger": self.trigger.name.lower(),
            "target": self.target_percent,
            "by_forecast": self.by_forecast,
            "forecast_margin": self.forecast_margin,
            "settle": self.settle,
            "cooldown": self.cooldown,
            "rung_time_limit": self.rung_time_limit,
            "verification": self.verification,
            "mode": self.mode,
            **{rung.name.lower(): limits.as_config() for rung, limits in self.limits.items()},
        }


class RecoveryRequest(NamedTuple):
    """What a strategy is asked: free memory on one device. Provisional: fields may be added.

    Attributes:
        strategy: Which one is asked.
        gpu: The device's index.
        reading: The newest measurement.
        target_used: Occupied bytes to get down to.
        bytes_to_free: Occupied now minus the target.
        time_left: Seconds until the rung's time is up.
        stop_requested: Tells whether the time is up or the monitor stops: give up what you can.

    Example:
        >>> def clear_cache(request: RecoveryRequest) -> tuple[bool, str]:
        ...     return True, f"asked for {request.bytes_to_free} bytes of GPU {request.gpu}"
    """

    strategy: RecoveryStrategy
    gpu: int
    reading: Reading
    target_used: int
    bytes_to_free: int
    time_left: float
    stop_requested: Callable[[], bool]


class RungRecord(NamedTuple):
    """One rung of a climb.

    Attributes:
        strategy: What was tried.
        outcome: "would_run", "skipped", "freed", "freed_nothing", "failed", "timed_out" or "unverified".
        detail: The callback's own words, its error, why it was not run, or why it was not measured.
        used_before: Occupied bytes before it.
        used_after: Occupied bytes by a fresh reading after it; None if there was none.
        took: Seconds.
        own_before: Bytes that this process held before it by the driver's list; None where that does not tell.
        own_after: The same after it: what was given up, though others may have taken it at once.
        candidates: What it could choose from, the best first.

    Example:
        >>> rung = RungRecord(RecoveryStrategy.CLEAR_CACHE, "freed", "emptied it", 800, 300, 0.6)
        >>> rung.used_before - rung.used_after
        500
    """

    strategy: RecoveryStrategy
    outcome: str
    detail: str
    used_before: int | None
    used_after: int | None
    took: float
    own_before: int | None = None
    own_after: int | None = None
    candidates: tuple[Candidate, ...] = ()


class Decision(NamedTuple):
    """The record of one climb, from the evidence to the reason it ended. Provisional: fields may be added.

    Attributes:
        id: Counts from 1 in each monitor.
        gpu: The device's index.
        t: Seconds on the monitor's clock, when it started.
        time: Seconds since the epoch.
        took: Seconds.
        provenance: "driver", "simulated" or "replayed".
        mode: "execute" or "dry_run".
        cause: "level", or "forecast": exhaustion was foreseen sooner than recovery takes.
        level: The level at its start,
        evidence: the reading behind it,
        forecast: and the forecast of that moment.
        target_used: Occupied bytes at or under which it ends.
        rungs: What was tried.
        end: "target_reached", "nothing_to_do", "ladder_exhausted", "no_rungs", "dry_run", "measurement_lost" or
            "stopped".
        reason: One sentence.
        freed: Bytes by the driver's count, negative if use grew; None if nothing was measured.

    Example:
        >>> def show(decision: Decision) -> None:
        ...     print(decision.end, decision.freed, [rung.outcome for rung in decision.rungs])
    """

    id: int
    gpu: int
    t: float
    time: float | None
    took: float
    provenance: str
    mode: str
    cause: str
    level: AlertLevel
    evidence: Reading
    forecast: Forecast | None
    target_used: int
    rungs: tuple[RungRecord, ...]
    end: str
    reason: str
    freed: int | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for `json.dumps`."""
        return dict(plain(self))


class RecoveryManager:
    """Tries registered functions by their own word: the first that returns something true ends the attempt.

    For programs that decide themselves when to recover. A monitor's own ladder measures after each rung instead of
    believing the function. Not thread-safe.

    Example:
        >>> manager = RecoveryManager()
        >>> manager.register_strategy(RecoveryStrategy.CLEAR_CACHE, lambda gpu_id, stats: True)
        >>> manager.attempt_recovery(0, None)
        True
    """

    def __init__(self) -> None:
        self._functions: dict[RecoveryStrategy, Callable[..., Any]] = {}

    def register_strategy(self, strategy: RecoveryStrategy, func: Callable[..., Any]) -> None:
        """Registers a function; one a strategy, the last wins.

        Args:
            strategy: What the function does.
            func: Called with what `execute_strategy` is given; true for success.
        """
        self._functions[strategy] = func

    def execute_strategy(self, strategy: RecoveryStrategy, *args: Any, **kwargs: Any) -> bool:
        """Runs one strategy.

        Args:
            strategy: Which one.
            *args: For the function.
            **kwargs: For the function.

        Returns:
            Whether it says it succeeded; False if none is registered or it raises, which is logged.
        """
        func = self._functions.get(strategy)
        if func is None:
            return False
        try:
            return bool(func(*args, **kwargs))
        except Exception as error:
            logger.error("Recovery strategy %s failed: %s", strategy.name, error)
            return False

    def attempt_recovery(
        self, gpu_id: int, memory_stats: Any, strategies: list[RecoveryStrategy] | None = None
    ) -> bool:
        """Tries strategies in order until one succeeds.

        Args:
            gpu_id: The device's index.
            memory_stats: Handed to the functions.
            strategies: Which ones in which order; the ladder's order if left out. Those without a function are skipped.

        Returns:
            Whether one succeeded.
        """
        logger.warning("Attempting automatic memory recovery for GPU %d", gpu_id)
        for strategy in LADDER_ORDER if strategies is None else strategies:
            if strategy not in self._functions:
                continue
            logger.info("Attempting recovery strategy: %s", strategy.name)
            if self.execute_strategy(strategy, gpu_id, memory_stats):
                logger.info("Recovery strategy %s successful", strategy.name)
                return True
        logger.critical("All memory recovery strategies failed for GPU %d", gpu_id)
        return False


def default_clear_cuda_cache(gpu_id: int, memory_stats: Any) -> bool:
    """Returns what PyTorch keeps cached and does not use to the driver, if the application uses PyTorch with CUDA.

    Never imports PyTorch itself.

    Args:
        gpu_id: The device's index.
        memory_stats: Not used; there so that it can be registered as a strategy.

    Returns:
        Whether a cache was emptied. How much came back, only a new reading tells.

    Example:
        >>> default_clear_cuda_cache(0, None) in (True, False)
        True
    """
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return False
    try:
        cuda.empty_cache()
    except RuntimeError as error:
        logger.error("Cannot clear the cache of GPU %d: %s", gpu_id, error)
        return False
    return True
