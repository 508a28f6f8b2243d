"""Offloading: what a program registers is moved to the host when a GPU's memory runs out, and back when there is room.

The decisions are the core's (`_core.OffloadLedger`, the same as in C++); the objects are moved here, since no thread of
the core enters Python: by the monitor's recovery thread, or by the program itself at its safe points. For PyTorch there
are ready objects in `dualgpuopt.memory.torch_offload`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Callable

from . import _offload_follower
from ._offload_state import OffloaderState
from ._offload_values import (
    HostRoom,
    Offloadable,
    OffloadMove,
    OffloadPolicy,
    OffloadStatus,
    host_room,
)
from .alerts import Subscription
from .recovery import RecoveryRequest, StrategyAnswer, default_clear_cuda_cache

if TYPE_CHECKING:
    from .metrics import Snapshot
    from .monitor import MemoryMonitor

__all__ = [
    "HostRoom",
    "OffloadMove",
    "OffloadPolicy",
    "OffloadRegistration",
    "OffloadStatus",
    "Offloadable",
    "Offloader",
    "host_room",
]


class OffloadRegistration:
    """Holds one registration of an object, until `cancel()`, the end of a `with` block, or its own end.

    Afterwards the object is not moved any more: it stays where it is.

    Example:
        >>> class Cache(Offloadable):
        ...     def bytes_on_device(self): return 2**30
        ...     def offload(self): print("leaves")
        ...     def restore(self): print("comes back")
        >>> offloader = Offloader()
        >>> with offloader.add(Cache()) as registration:
        ...     print(registration.status().residence)
        on_device
        >>> offloader.objects()
        ()
    """

    def __init__(self, state: OffloaderState, number: int) -> None:
        self._state: OffloaderState | None = state
        self._number = number

    def cancel(self) -> None:
        """Ends it. Waits while another thread moves the object; idempotent."""
        state, self._state = self._state, None
        if state is not None:
            state.remove(self._number)

    def status(self) -> OffloadStatus:
        """Where the object is.

        Raises:
            LookupError: It was cancelled.
        """
        found = self._state and self._state.status(self._number)
        if not found:
            raise LookupError("it is not registered any more")
        return found

    @contextmanager
    def use(self) -> Iterator[None]:
        """While the block runs the object is on its GPU: it is brought back if it is away, and kept from leaving.

        Raises:
            LookupError: It was cancelled.
            Exception: What its `restore` raised.
        """
        state = self._state
        if state is None:
            raise LookupError("it is not registered any more")
        state.begin_use(self._number)
        try:
            yield
        finally:
            state.end_use(self._number)

    def __enter__(self) -> OffloadRegistration:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()


class Offloader:
    """The rung that offloads: register it as the strategy, and attach it so that what fits again comes back.

    All methods may be called from any thread. The least valuable objects leave first: the lowest priority, then the
    longest unused (to the minute), then the largest; no more than suffice. While the host has no known room for them
    they stay: a host that runs out ends the process.

    Args:
        policy: When objects come back.
        host_room: Says what the host has left.
        clock: Seconds; `time.monotonic` unless a test has its own.
        give_back: Called with the GPU's index after each offload: hands what allocators keep to the driver.

    Raises:
        ValueError: The policy makes no sense; the text names the field.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor, RecoveryStrategy
        >>> offloader = Offloader()
        >>> monitor = MemoryMonitor("sim:demo")
        >>> monitor.register_strategy(RecoveryStrategy.OFFLOAD, offloader)
        >>> with offloader.attach(monitor):  # simulated GPUs: nothing is ever moved
        ...     offloader.safe_point()
        []
        >>> monitor.close()
    """

    def __init__(
        self,
        policy: OffloadPolicy | None = None,
        *,
        host_room: Callable[[], HostRoom] = host_room,
        clock: Callable[[], float] = time.monotonic,
        give_back: Callable[[int], object] = lambda gpu: default_clear_cuda_cache(gpu, None),
    ) -> None:
        self._state = OffloaderState(policy or OffloadPolicy(), host_room, clock, give_back)

    # Registering ------------------------------------------------------------------------------------------------

    def add(self, target: Offloadable, *, at_safe_point: bool | None = None) -> OffloadRegistration:
        """Takes an object up, which is on its GPU now.

        Args:
            target: The object; it is kept alive while it is registered.
            at_safe_point: Instead of the object's own.
        """
        waits = target.at_safe_point if at_safe_point is None else at_safe_point
        return OffloadRegistration(self._state, self._state.add(target, waits))

    def objects(self) -> tuple[OffloadStatus, ...]:
        """All objects, the oldest registration first."""
        return self._state.objects()

    # The rung ---------------------------------------------------------------------------------------------------

    def __call__(self, request: RecoveryRequest) -> StrategyAnswer:
        """The strategy: offloads until `bytes_to_free` are given back by the objects' own sizes, or the time is up.

        Objects that wait for safe points are asked for, and waited for. One that fails is recorded and passed over.

        Args:
            request: As the ladder gives it.

        Returns:
            Whether as much was given back, what was done, and all candidates.
        """
        return self._state.offload(request)

    def safe_point(self) -> list[OffloadMove]:
        """Here nothing uses the objects that wait for safe points: moves those that are asked for, on this thread.

        Costs less than a microsecond when there is nothing to do.

        Returns:
            What was moved, or could not be.
        """
        return self._state.safe_point()

    @contextmanager
    def safe_region(self) -> Iterator[None]:
        """While the block runs, nothing uses the objects that wait for safe points: the rung may move them itself.

        For blocks that wait, such as for the next request. Its end waits for moves that are under way.
        """
        self._state.begin_region()
        try:
            yield
        finally:
            self._state.end_region()

    # Coming back ------------------------------------------------------------------------------------------------

    def attach(self, monitor: MemoryMonitor) -> Subscription:
        """Brings back what fits again, on a thread of its own that looks at each snapshot of a monitor.

        After a fork it has to be attached again.

        Args:
            monitor: Running or not.

        Returns:
            Its `cancel()` ends it; it does not wait. It ends with the monitor or the offloader, too.
        """
        return _offload_follower.follow(monitor, self)

    def on_snapshot(self, snapshot: Snapshot, t: float | None = None) -> list[OffloadMove]:
        """Brings at most one object a GPU back if the snapshot allows it, on this thread; for loops of your own.

        Args:
            snapshot: A new one; simulated and replayed ones move nothing.
            t: Now, in seconds on the monitor's clock; left out: the snapshot is from this moment.

        Returns:
            What was moved, or could not be.
        """
        offset = self._state.clock() - (snapshot.t if t is None else t)
        moves = (self._state.on_device(device, offset) for device in snapshot.devices if device.status == "ok")
        return [move for move in moves if move is not None]
