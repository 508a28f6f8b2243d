"""What is measured: devices, readings, forecasts, and the snapshots that hold them together.

All values are immutable tuples with names: they can be compared, pickled, and turned into plain dictionaries for JSON.
Bytes are whole numbers, times and durations seconds; what is not available is None, never 0 or -1.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from .alerts import AlertLevel, LearnedThreshold

__all__ = [
    "Device",
    "DeviceEvent",
    "DeviceSnapshot",
    "Forecast",
    "ForecastAccuracy",
    "History",
    "HistorySummary",
    "Leak",
    "MemoryUnit",
    "MemoryUse",
    "ProcessList",
    "ProcessMemory",
    "Reading",
    "Snapshot",
    "calculate_usage_percent",
    "format_memory_size",
    "plain",
]


class MemoryUnit(Enum):
    """Units of amounts; binary: 1 KB is 1024 bytes.

    Example:
        >>> [unit.name for unit in MemoryUnit]
        ['BYTES', 'KB', 'MB', 'GB']
    """

    BYTES = 1
    KB = 2
    MB = 3
    GB = 4


class Device(NamedTuple):
    """One GPU or MIG instance.

    Attributes:
        gpu: Index in this run.
        key: Identity across runs: the UUID, else the PCI address.
        name: Product name as the driver gives it.
        uuid: "GPU-…" or "MIG-…" with NVIDIA.
        pci_address: "00000000:01:00.0".
        parent_key: The partitioned GPU that a MIG instance belongs to.
        vendor: "nvidia", "amd", "intel" or "unknown".
        kind: "gpu", "mig", "partitioned" or "integrated".

    Example:
        >>> Device(0, "GPU-1", "A card").kind
        'gpu'
    """

    gpu: int
    key: str
    name: str = ""
    uuid: str | None = None
    pci_address: str | None = None
    parent_key: str | None = None
    vendor: str = "unknown"
    kind: str = "gpu"


class ProcessMemory(NamedTuple):
    """The memory that one process holds on one device.

    Attributes:
        pid: In our own PID namespace where that is known, else the driver's number.
        start_ticks: Start in clock ticks after boot, which with the PID names the process; None: it cannot be seen.
        used: Bytes; None where the driver does not say.
        kind: "compute", "graphics", "compute_and_graphics" or "mps".
        name: Command name.
        presence: "alive", "zombie", "gone" or "unseen".
        driver_pid: The driver's number, where `pid` is another.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> with MemoryMonitor("sim:demo") as monitor:
        ...     snapshot = monitor.wait_for_snapshot()
        >>> snapshot.devices[0].processes.entries[0].kind
        'compute'
    """

    pid: int
    start_ticks: int | None
    used: int | None
    kind: str
    name: str
    presence: str
    driver_pid: int | None


class ProcessList(NamedTuple):
    """A device's processes, which are read less often than its memory.

    Attributes:
        t: Seconds on the monitor's clock, when it was read.
        time: Seconds since the epoch.
        entries: The processes.
        reason: Why there are none, if the driver refused the list.
        used_reason: Why some of them have no `used`.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> with MemoryMonitor("sim:demo") as monitor:
        ...     snapshot = monitor.wait_for_snapshot()
        >>> [process.name for process in snapshot.devices[0].processes.entries]
        ['train.py']
    """

    t: float
    time: float | None
    entries: tuple[ProcessMemory, ...]
    reason: str
    used_reason: str


class MemoryUse(NamedTuple):
    """A device's memory, in bytes. total = reserved + used + free where all are known.

    Attributes:
        used: As the driver counts it.
        total: All there is.
        free: What can still be allocated.
        reserved: The driver's own.
        used_meaning: "without_reserved", "with_reserved" or "estimate": what `used` counts.
        occupied: What counts against the capacity: total - free where the reserve is apart, else used.
        occupied_percent: Of the total; 100 when nothing is free.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> with MemoryMonitor("sim:demo") as monitor:
        ...     snapshot = monitor.wait_for_snapshot()
        >>> memory = snapshot.devices[0].memory
        >>> memory.total == memory.reserved + memory.used + memory.free
        True
    """

    used: int
    total: int | None
    free: int | None
    reserved: int | None
    used_meaning: str
    occupied: int
    occupied_percent: float | None


class DeviceEvent(NamedTuple):
    """An error that the driver reported.

    Attributes:
        t: Seconds on the monitor's clock.
        time: Seconds since the epoch.
        kind: "xid", "ecc_corrected" or "ecc_uncorrected".
        code: The number of an Xid.
        text: In words.

    Example:
        >>> DeviceEvent(t=12.5, time=None, kind="xid", code=79, text="Xid 79 (the GPU has fallen off the bus)").code
        79
    """

    t: float
    time: float | None
    kind: str
    code: int
    text: str


class Reading(NamedTuple):
    """One device at one moment: its memory, or the reason why it cannot be read.

    Attributes:
        gpu: The device's index.
        t: Seconds on the monitor's clock.
        time: Seconds since the epoch; None in a replay.
        provenance: "driver", "simulated" or "replayed".
        memory: None when the device could not be read:
        reason: then this says why.
        processes: None when they were not asked for.
        events: What the driver reported since the reading before.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> with MemoryMonitor("sim:demo") as monitor:
        ...     snapshot = monitor.wait_for_snapshot()
        >>> reading = snapshot.devices[0].reading
        >>> reading.ok, reading.provenance
        (True, 'simulated')
    """

    gpu: int
    t: float
    time: float | None
    provenance: str
    memory: MemoryUse | None
    reason: str
    processes: ProcessList | None
    events: tuple[DeviceEvent, ...]

    @property
    def ok(self) -> bool:
        """Whether there are numbers."""
        return self.memory is not None


class Forecast(NamedTuple):
    """What the past of a device says of its next `horizon` seconds.

    Attributes:
        t: Seconds on the monitor's clock.
        time: Seconds since the epoch.
        horizon: Seconds.
        time_to_oom: Seconds until nothing is free; None: none foreseen. Where that is at least 25 % probable within
            three horizons it is the median of those futures, else the median of all.
        time_to_oom_low: Lower end of the 80 % interval.
        time_to_oom_high: Upper end; None: never.
        risk: Probability, 0 to 1, that nothing is free within the horizon; None without a known capacity.
        expected_used: Bytes at the horizon.
        expected_used_low: Lower end of the 80 % interval.
        expected_used_high: Upper end.
        slope: The growth it reckons with, in bytes a second.
        regime: What made the forecast: "unknown" (too few readings), "steady", "restless", "growing", "falling",
            "stepping", "recurring" or "returning".
        step: Mean bytes of a step where the regime is "stepping", else None.
        period: Seconds between steps, or from one visit at the capacity to the next; None for the other regimes.
        since_oom: Seconds since the use was at the capacity, where that made the forecast.
        explanation: The same as a sentence.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> with MemoryMonitor("sim:demo") as monitor:
        ...     snapshot = monitor.wait_for_snapshot()
        >>> snapshot.devices[0].forecast.horizon, snapshot.devices[0].forecast.risk
        (60.0, 0.0)
    """

    t: float
    time: float | None
    horizon: float
    time_to_oom: float | None
    time_to_oom_low: float | None
    time_to_oom_high: float | None
    risk: float | None
    expected_used: int
    expected_used_low: int
    expected_used_high: int
    slope: float
    regime: str
    step: int | None
    period: float | None
    since_oom: float | None
    explanation: str


class ForecastAccuracy(NamedTuple):
    """How a device's forecasts have come out so far; a forecast comes due when its horizon has passed.

    Attributes:
        due: Forecasts compared with what happened.
        unknown: Those that came due where there were no readings, and are not counted.
        brier_score: Mean of (risk - happened)^2, 0 is best; None before the first came due.
        calibration_error: Mean distance of a risk from how often it happened at such a risk, 0 is best; None as above.
        interval_coverage: Share of the uses at the horizon that lay in the 80 % interval; None as above.
        exhaustions: Times that nothing was free.
        foreseen: Of these, warned of between 5 s and a horizon before.
        alarms: Of the due, those with a `time_to_oom` within the horizon.
        alarms_true: Of these, those after which nothing was free within two horizons.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> with MemoryMonitor("sim:demo") as monitor:
        ...     snapshot = monitor.wait_for_snapshot()
        >>> snapshot.devices[0].accuracy.due, snapshot.devices[0].accuracy.brier_score
        (0, None)
    """

    due: int
    unknown: int
    brier_score: float | None
    calibration_error: float | None
    interval_coverage: float | None
    exhaustions: int
    foreseen: int
    alarms: int
    alarms_true: int


class Leak(NamedTuple):
    """Memory that a device or a process takes again and again and never gives back.

    Attributes:
        pid: Of the process; None: the device as a whole.
        start_ticks: Start time of the process, in clock ticks after boot; with the PID it names the process.
        name: Of the process.
        rate: Bytes a second: the median growth of the floor, which is the least in use in each window.
        confidence: 0 to 1, by a sign test over the windows.
        grown: Bytes, over the windows that show it.
        lasting: Seconds that these windows span.
        text: The same as a sentence.

    Example:
        >>> Leak(None, None, "", 1048576.0, 0.99, 734003200, 700.0, "leaks 60 MiB/min").rate
        1048576.0
    """

    pid: int | None
    start_ticks: int | None
    name: str
    rate: float
    confidence: float
    grown: int
    lasting: float
    text: str


class DeviceSnapshot(NamedTuple):
    """One device as the monitor knows it.

    Attributes:
        device: Who it is.
        status: "ok"; "stale": the reading is old; "unavailable": there is none.
        reason: Why it is stale or unavailable.
        reading: The newest good one where the status is "stale".
        level: By that reading.
        forecast: By that reading; None if there is none.
        processes: The newest list, which has its own time.
        peak_used: The most occupied bytes since the monitor began.
        events: The newest that the driver reported, oldest first.
        accuracy: Of the forecasts that came due since the monitor began.
        leaks: The device's own first, then its processes', the fastest first.
        thresholds: Where they are adaptive: those that have moved.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> with MemoryMonitor("sim:demo") as monitor:
        ...     snapshot = monitor.wait_for_snapshot()
        >>> snapshot.devices[1].device.name, snapshot.devices[1].status
        ('Simulated 24 GiB B', 'ok')
    """

    device: Device
    status: str
    reason: str
    reading: Reading
    level: AlertLevel
    forecast: Forecast | None
    processes: ProcessList | None
    peak_used: int
    events: tuple[DeviceEvent, ...]
    accuracy: ForecastAccuracy
    leaks: tuple[Leak, ...]
    thresholds: tuple[LearnedThreshold, ...]

    @property
    def gpu(self) -> int:
        """The device's index."""
        return self.device.gpu

    @property
    def memory(self) -> MemoryUse | None:
        """The reading's memory; None when there is none."""
        return self.reading.memory


class Snapshot(NamedTuple):
    """All devices at one step.

    Attributes:
        sequence: Counts the steps from 1; 0: nothing was read yet.
        t: Seconds on the monitor's clock.
        time: Seconds since the epoch.
        provenance: "driver", "simulated" or "replayed".
        devices: In the order of their index.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> with MemoryMonitor("sim:demo") as monitor:
        ...     snapshot = monitor.wait_for_snapshot()
        >>> snapshot.find(1).gpu, snapshot.find(7) is None
        (1, True)
    """

    sequence: int
    t: float
    time: float | None
    provenance: str
    devices: tuple[DeviceSnapshot, ...]

    def find(self, gpu: int) -> DeviceSnapshot | None:
        """The device with that index, or None."""
        return next((device for device in self.devices if device.gpu == gpu), None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for `json.dumps`."""
        return dict(plain(self))


class History(NamedTuple):
    """The past of a device in buckets, column by column: lists, or NumPy arrays if asked for.

    Attributes:
        start: Seconds on the monitor's clock, where each bucket begins.
        min: Bytes.
        max: Bytes.
        last: Bytes.
        mean: Bytes.
        samples: How many readings are in each bucket.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> monitor = MemoryMonitor("sim:demo")
        >>> snapshot = monitor.step()
        >>> monitor.history(0).samples
        [1]
        >>> monitor.close()
    """

    start: Any
    min: Any
    max: Any
    last: Any
    mean: Any
    samples: Any


class HistorySummary(NamedTuple):
    """A window of the past in a few numbers.

    Attributes:
        window: Seconds.
        points: Buckets that it is made of.
        min: Bytes.
        max: Bytes.
        last: Bytes.
        mean: Bytes.
        rate: Growth by least squares, in bytes a second.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> monitor = MemoryMonitor("sim:demo")
        >>> snapshot = monitor.step()
        >>> monitor.summary(0, window=60.0).points
        1
        >>> monitor.close()
    """

    window: float
    points: int
    min: int
    max: int
    last: int
    mean: float
    rate: float


def plain(value: Any) -> Any:
    """A value of this package as dictionaries, lists, texts and numbers.

    Args:
        value: Any value of this package, or a tuple of them.

    Returns:
        Named tuples as dictionaries, enumerators as their names in lower case, other tuples as lists.

    Example:
        >>> plain(Device(0, "GPU-1", "A card"))["key"]
        'GPU-1'
        >>> plain(AlertLevel.WARNING)
        'warning'
    """
    if isinstance(value, Enum):
        return value.name.lower()
    if not isinstance(value, tuple):
        return value
    if hasattr(value, "_fields"):
        return {name: plain(field) for name, field in zip(value._fields, value)}
    return [plain(field) for field in value]


def calculate_usage_percent(used: float, total: float) -> float:
    """Used as a percentage of total.

    Args:
        used: In any unit.
        total: In the same unit.

    Returns:
        100.0 where the total is zero, since nothing is free then; 0.0 where it is negative.

    Example:
        >>> calculate_usage_percent(6, 24)
        25.0
    """
    if total == 0:
        return 100.0
    return 0.0 if total < 0 or used < 0 else 100.0 * used / total


def format_memory_size(mb: float, precision: int = 1) -> str:
    """An amount as people read it.

    Args:
        mb: Mebibytes.
        precision: Digits behind the point, from 1 GB on.

    Example:
        >>> format_memory_size(100), format_memory_size(1024)
        ('100 MB', '1.0 GB')
    """
    return f"{mb / 1024:.{precision}f} GB" if mb >= 1024 else f"{mb:.0f} MB"
