"""Levels, thresholds and alerts: when a GPU counts as nearly full, and what subscribers are told."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from types import TracebackType

    from .metrics import DeviceEvent, Forecast, MemoryUse

__all__ = [
    "AlertLevel",
    "LearnedThreshold",
    "MemoryAlert",
    "MemoryAlertLevel",
    "Subscription",
    "Threshold",
    "Thresholds",
]


class AlertLevel(Enum):
    """How close to full a device is. Levels have an order.

    Example:
        >>> AlertLevel.CRITICAL > AlertLevel.WARNING
        True
        >>> max(AlertLevel.NORMAL, AlertLevel.WARNING).name
        'WARNING'
    """

    NORMAL = 1
    WARNING = 2
    CRITICAL = 3
    EMERGENCY = 4

    def __lt__(self, other: AlertLevel) -> bool:
        return self.value < other.value if isinstance(other, AlertLevel) else NotImplemented

    def __le__(self, other: AlertLevel) -> bool:
        return self.value <= other.value if isinstance(other, AlertLevel) else NotImplemented

    def __gt__(self, other: AlertLevel) -> bool:
        return self.value > other.value if isinstance(other, AlertLevel) else NotImplemented

    def __ge__(self, other: AlertLevel) -> bool:
        return self.value >= other.value if isinstance(other, AlertLevel) else NotImplemented


MemoryAlertLevel = AlertLevel
"""The original's name of `AlertLevel`; one and the same class."""


def _level(name: str) -> AlertLevel:
    return AlertLevel[name.upper()]


class Threshold(NamedTuple):
    """When one level begins: at a percentage of use, when so little is free, or when exhaustion is forecast so soon.

    Attributes:
        percent: Share that is not free, 0 to 100.
        free: Bytes; None: only the percentage counts.
        minimum_duration: Seconds that the level must hold before its alert is raised.
        time_to_oom: Seconds; None: the forecast does not count.
        range: Where the percentage may move to when thresholds are adaptive: lowest and highest; None: the level's
            own default.

    Example:
        >>> Threshold(90, free=2 * 1024**3).percent
        90
    """

    percent: float
    free: int | None = None
    minimum_duration: float = 0.0
    time_to_oom: float | None = None
    range: tuple[float, float] | None = None


class LearnedThreshold(NamedTuple):
    """Where an adaptive threshold has moved to, and why. Provisional: fields may be added.

    Attributes:
        level: Which one.
        percent: Where it begins now.
        configured: Where the configuration put it.
        rise: Bytes by which use rises above its peak, as a rule,
        within: within so many seconds.
        text: The same as a sentence.

    Example:
        >>> def show(threshold: LearnedThreshold) -> None:
        ...     print(threshold.level.name, threshold.percent, threshold.text)
    """

    level: AlertLevel
    percent: float
    configured: float
    rise: int
    within: float
    text: str


class Thresholds(NamedTuple):
    """The three thresholds of a monitor.

    Attributes:
        warning: Begins the warning level.
        critical: Begins the critical level.
        emergency: Begins the emergency level.
        hysteresis_percent: A level ends this far under its threshold, in percentage points.
        repeat_interval: Seconds after which the alert of a level that lasts is repeated; 0: never.
        forecast_hold: Seconds that a level which a forecast reached lasts without another such forecast.
        adaptive: The percentages move with what the device does, each within its range.

    Example:
        >>> Thresholds(warning=Threshold(70)).emergency.percent
        95.0
    """

    warning: Threshold = Threshold(80.0, time_to_oom=60.0)
    critical: Threshold = Threshold(90.0)
    emergency: Threshold = Threshold(95.0)
    hysteresis_percent: float = 2.0
    repeat_interval: float = 300.0
    forecast_hold: float = 10.0
    adaptive: bool = False

    def as_config(self) -> dict[str, Any]:
        """The `[thresholds]` table of the configuration, as docs/configuration.md describes it."""
        table: dict[str, Any] = {
            "hysteresis": self.hysteresis_percent,
            "repeat_interval": self.repeat_interval,
            "forecast_hold": self.forecast_hold,
            "adaptive": self.adaptive,
        }
        for name in ("warning", "critical", "emergency"):
            level: Threshold = getattr(self, name)
            table[name] = {
                "percent": level.percent,
                "minimum_duration": level.minimum_duration,
                "time_to_oom": level.time_to_oom or 0,
            }
            if level.free is not None:
                table[name]["free"] = level.free
            if level.range is not None:
                table[name]["lowest"], table[name]["highest"] = level.range
        return table


class MemoryAlert(NamedTuple):
    """A level was reached, still lasts, or is over. `str(alert)` is the line that logs show.

    Attributes:
        event: "raised", "repeated" or "cleared".
        level: The level this is about, never NORMAL.
        current_level: The level now in force; lower than `level` when cleared.
        gpu: The device's index in this run.
        t: Seconds on the monitor's clock.
        time: Seconds since the epoch; None where no wall clock runs.
        provenance: "driver", "simulated" or "replayed".
        message: One sentence.
        recommendations: What to do, most important first; empty when cleared.
        memory: The measurement behind it.
        used_percent: Share that is not free.
        threshold: The level's threshold.
        reached_by: "percent", "free_bytes" or "time_to_oom": which part of the threshold was reached.
        forecast: Of that moment, or None.
        events: Errors that the driver reported before, oldest first.
        text: The line for logs.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor
        >>> monitor = MemoryMonitor("sim:demo", thresholds=Thresholds(warning=Threshold(5.0)))
        >>> alerts = []
        >>> subscription = monitor.subscribe(AlertLevel.WARNING, alerts.append)
        >>> snapshot = monitor.step()
        >>> alerts[0].event, alerts[0].gpu, alerts[0].level.name
        ('raised', 1, 'WARNING')
        >>> monitor.close()
    """

    event: str
    level: AlertLevel
    current_level: AlertLevel
    gpu: int
    t: float
    time: float | None
    provenance: str
    message: str
    recommendations: tuple[str, ...]
    memory: MemoryUse
    used_percent: float
    threshold: Threshold
    reached_by: str
    forecast: Forecast | None
    events: tuple[DeviceEvent, ...]
    text: str

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for `json.dumps`."""
        from .metrics import plain

        return dict(plain(self))


class Subscription:
    """Holds one registration of a callback; ends it with `cancel()` or at the end of a `with` block.

    It lasts until then, also if nobody keeps the object.

    Example:
        >>> calls = []
        >>> with Subscription(lambda: calls.append("ended")):
        ...     pass
        >>> calls
        ['ended']
    """

    def __init__(self, end: Callable[[], None]) -> None:
        """Args: end: called once, by the first `cancel()`."""
        self._end: Callable[[], None] | None = end

    def cancel(self) -> None:
        """Ends it: no call begins any more. Idempotent; may be called from within the callback itself."""
        end, self._end = self._end, None
        if end is not None:
            end()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()
