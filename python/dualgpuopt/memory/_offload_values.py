"""What offloading is about: the objects that are moved, the policy, and the records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from . import _core


class HostRoom(NamedTuple):
    """What this process could still take of the host's memory.

    Attributes:
        bytes: None: not known.
        text: What bounds it, or why it is not known.

    Example:
        >>> HostRoom(2**30, "the limit of the cgroup /jobs").bytes
        1073741824
    """

    bytes: int | None
    text: str


def host_room() -> HostRoom:
    """Looks at the kernel's estimate and at the memory limits of this process's cgroups (version 2).

    Returns:
        The least of them.

    Example:
        >>> host_room().bytes > 0
        True
    """
    return HostRoom(*_core.host_room())


class OffloadPolicy(NamedTuple):
    """When what was offloaded comes back. Provisional: keys may be added.

    Attributes:
        trigger_percent: The occupied share at which the ladder starts to climb.
        margin_percent: A restore leaves the use at least so far under it, by the forecast as well.
        hold_off: Seconds between an offload on a GPU and the first restore there.
        soon: An object that leaves again sooner than so many seconds after its restore, or sooner than it had waited
            for that, waits twice as long as the last time,
        longest_wait: and at most so many seconds.
        calm_risk: Nothing comes back while a forecast sees a higher risk of exhaustion, from 0 to 1.
        freshness: Seconds; an older reading restores nothing.
        host_reserve: Bytes that the host keeps for others.

    Example:
        >>> OffloadPolicy(hold_off=30.0).longest_wait
        3600.0
    """

    trigger_percent: float = 90.0
    margin_percent: float = 10.0
    hold_off: float = 60.0
    soon: float = 300.0
    longest_wait: float = 3600.0
    calm_risk: float = 0.1
    freshness: float = 10.0
    host_reserve: int = 1 << 30


class Offloadable(ABC):
    """One thing that is moved as a whole: a model, an optimizer's state, a cache.

    Moves come one at a time; the rest may be asked from other threads meanwhile. No lock is held.

    Attributes:
        name: For records.
        gpu: Its GPU's index in the monitor; does not change.
        priority: The higher, the longer it stays.
        last_use: Seconds on the offloader's clock (`time.monotonic`); None: not known.
        at_safe_point: It may only be moved where the program says that nothing uses it.

    Example:
        >>> class Cache(Offloadable):
        ...     name, size = "cache", 2**30
        ...     def bytes_on_device(self): return self.size
        ...     def offload(self): self.size = 0
        ...     def restore(self): self.size = 2**30
        >>> Cache().priority
        0.0
    """

    name: str = "object"
    gpu: int = 0
    priority: float = 0.0
    last_use: float | None = None
    at_safe_point: bool = False

    @abstractmethod
    def bytes_on_device(self) -> int:
        """What moving it would give back now; 0 while it is on the host."""

    @abstractmethod
    def offload(self) -> None:
        """Moves it to the host. When it returns the GPU's memory is unused. If it raises, nothing has changed."""

    @abstractmethod
    def restore(self) -> None:
        """Moves it back to the same GPU. If it raises, it is on the host, whole, and will be tried again later."""


class OffloadMove(NamedTuple):
    """One object that was moved, or could not be.

    Attributes:
        name: The object's.
        gpu: Its GPU's index.
        bytes: What it holds there when at home.
        direction: "to_host" or "to_device".
        problem: Why it failed; None: it succeeded.

    Example:
        >>> OffloadMove("encoder", 0, 2**30, "to_host", None).problem is None
        True
    """

    name: str
    gpu: int
    bytes: int
    direction: str
    problem: str | None


class OffloadStatus(NamedTuple):
    """A registered object as the offloader knows it.

    Attributes:
        name: The object's.
        gpu: Its GPU's index.
        bytes: What it holds there when at home.
        priority: As it said last.
        at_safe_point: Whether it waits for safe points.
        residence: "on_device", "leaving", "offloaded" or "returning".
        users: How many keep it there at the moment.
        problem: Of its last move, if that failed.

    Example:
        >>> OffloadStatus("encoder", 0, 2**30, 0.0, True, "offloaded", 0, None).residence
        'offloaded'
    """

    name: str
    gpu: int
    bytes: int
    priority: float
    at_safe_point: bool
    residence: str
    users: int
    problem: str | None


def status_of(entry: tuple[Any, ...]) -> OffloadStatus:
    """Of an entry of the core's ledger."""
    name, gpu, size, priority, waits, residence, users, problem = entry
    return OffloadStatus(name, gpu, size, priority, waits, residence, users, problem or None)
