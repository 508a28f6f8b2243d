"""Where readings come from, when they come from Python: write a class with these methods and hand it to a monitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from .metrics import Device

__all__ = ["CannotRead", "Measurement", "MemorySource"]


class CannotRead(Exception):
    """Raised by `MemorySource.read` for a device that gives no answer; its text is the reason that users see.

    Example:
        >>> raise CannotRead("it fell off the bus")
        Traceback (most recent call last):
        ...
        dualgpuopt.memory.sources.CannotRead: it fell off the bus
    """


class Measurement(NamedTuple):
    """One device's memory in bytes, as a source of readings gives it.

    Attributes:
        total: All there is; None: not known.
        used: As the driver counts it.
        free: None: the rest.
        reserved: The driver's own, if it is not in `used`; None: not known.
        processes: (PID, bytes or None) of each; None: not read.

    Example:
        >>> Measurement(total=8 << 30, used=2 << 30).free is None
        True
    """

    total: int | None
    used: int
    free: int | None = None
    reserved: int | None = None
    processes: Sequence[tuple[int, int | None]] | None = None


@runtime_checkable
class MemorySource(Protocol):
    """Gives readings. Its methods run one at a time, on a thread that the monitor makes for it.

    The monitor waits for them with a deadline: a method that hangs makes a device stale and stops nothing.

    Attributes:
        name: Short, for messages.
        provenance: "driver" for what was measured, else "simulated" or "replayed", on which nothing acts.

    Example:
        >>> class Fixed:
        ...     name, provenance = "fixed", "simulated"
        ...     def devices(self):
        ...         return [Device(0, "fixed-0", "A card")]
        ...     def read(self, gpu, processes):
        ...         return Measurement(total=8 << 30, used=2 << 30)
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> monitor = MemoryMonitor(Fixed())
        >>> monitor.step().devices[0].memory.occupied_percent
        25.0
        >>> monitor.close()
    """

    name: str
    provenance: str

    def devices(self) -> Sequence[Device]:
        """The devices of this run; `Device.gpu` is what `read` is asked for. Called again now and then."""

    def read(self, gpu: int, processes: bool) -> Measurement:
        """Measures one device.

        Args:
            gpu: Of a device that `devices` gave.
            processes: Whether the processes are wanted, too.

        Raises:
            CannotRead: with the reason; any other exception counts as one, too.
        """
