"""A batch size that several threads use: the core's state machine, a lock, and requests that wait for a safe point.

The counterpart of SharedBatchSize in C++. The rules are the core's and exist once; waiting is Python's own, so that no
thread of the core ever needs the interpreter.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from . import _core

if TYPE_CHECKING:
    from .alerts import AlertLevel
    from .recovery import RecoveryRequest

_LOOK_S = 0.05  # how soon a waiting rung hears that its time is up


class BatchSizeChange(NamedTuple):
    """The newest change of a batch size.

    Attributes:
        before: Elements at a time before it.
        after: And since.
        cause: "out_of_memory", "level", "forecast", "request" or "calm".
        t: Seconds on the controller's clock.

    Example:
        >>> BatchSizeChange(64, 32, "out_of_memory", 12.5).after
        32
    """

    before: int
    after: int
    cause: str
    t: float


class SharedBatchSize:
    """Every method may be called from any thread; `clock` gives seconds that never go backwards."""

    def __init__(self, policy: _core.BatchSizeController, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._changed = threading.Condition()  # guards the policy and what follows
        self._asked = self._answered = 0  # requests that wait for a safe point, and those that had one

    def size(self) -> int:
        with self._changed:
            return self._policy.size

    def last_change(self) -> BatchSizeChange | None:
        with self._changed:
            change = self._policy.last_change
        return None if change is None else BatchSizeChange(*change)

    def now(self) -> float:
        return self._clock()

    def on_level(self, gpu: int, level: AlertLevel) -> None:
        with self._changed:
            self._policy.on_level(gpu, level.name.lower(), self._clock())

    def on_forecast(self, gpu: int, forecast: Any) -> None:
        time_to_oom, risk = (None, None) if forecast is None else (forecast.time_to_oom, forecast.risk)
        with self._changed:
            self._policy.on_forecast(gpu, time_to_oom, risk, self._clock())

    def on_done(self, chunk: int) -> None:
        with self._changed:
            self._policy.on_done(chunk, self._clock())

    def on_out_of_memory(self, chunk: int) -> bool:
        with self._changed:
            return self._policy.on_out_of_memory(chunk, self._clock())

    def at_safe_point(self, clear: Callable[[], object]) -> int:
        """The size from now on; `clear` runs first, without the lock, if a request waits for this."""
        with self._changed:
            asked = self._asked
            if asked == self._answered:
                return self._policy.size
        clear()
        with self._changed:
            self._answered = max(self._answered, asked)  # who asked in the meantime waits for the next one
            self._changed.notify_all()
            return self._policy.size

    def reduce(self, request: RecoveryRequest | None) -> tuple[bool, str]:
        """Shrinks; with a request, returns once a safe point has come by or the request's time is up."""
        with self._changed:
            if not self._policy.on_request(self._clock()):
                return False, f"{self._policy.size} at a time are the fewest already"
            size = self._policy.size
            if request is None:
                return True, f"{size} at a time from now on"
            self._asked += 1
            if self._wait_for_safe_point(self._asked, request):
                return True, f"{size} at a time from now on"
        return False, f"{size} at a time from the next safe point on, which did not come in time"

    def _wait_for_safe_point(self, mine: int, request: RecoveryRequest) -> bool:
        deadline = time.monotonic() + request.time_left
        while self._answered < mine and not request.stop_requested():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._changed.wait(min(left, _LOOK_S))
        return self._answered >= mine
