"""The monitor: watches every device of one source, forecasts, alerts, and recovers."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Union

from . import _configuration, _core, _threads, _values
from .alerts import AlertLevel, MemoryAlert, Subscription, Thresholds
from .metrics import Device, History, HistorySummary, Snapshot
from .recovery import Decision, Ladder, RecoveryRequest, RecoveryStrategy, StrategyAnswer
from .sources import MemorySource

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["MemoryMonitor", "MonitorError"]

logger = logging.getLogger("dualgpuopt.memory")
alert_logger = logging.getLogger("dualgpuopt.memory.alerts")
logger.addHandler(logging.NullHandler())  # the application decides what is shown

AlertCallback = Callable[[MemoryAlert], object]
DecisionCallback = Callable[[Decision], object]
StrategyCallback = Callable[[RecoveryRequest], Union[bool, "tuple[bool, str]", StrategyAnswer]]

_LOG_LEVELS = {
    AlertLevel.WARNING: logging.WARNING,
    AlertLevel.CRITICAL: logging.ERROR,
    AlertLevel.EMERGENCY: logging.CRITICAL,
}
_EXIT_PATIENCE_S = 1.0

_monitors: weakref.WeakSet[MemoryMonitor] = weakref.WeakSet()


class MonitorError(RuntimeError):
    """There is no driver, no device, or no monitor any more; the text says which and what to do.

    Example:
        >>> monitor = MemoryMonitor("sim:demo")
        >>> monitor.close()
        >>> monitor.snapshot()
        Traceback (most recent call last):
        ...
        dualgpuopt.memory.monitor.MonitorError: the monitor was closed
    """


class _Subscriber:
    """One callback with its filter. Whoever ends it waits for a running call, except from within the call itself."""

    def __init__(self, callback: Callable[[Any], object], wanted: Callable[[Any], bool]) -> None:
        self._callback: Callable[[Any], object] | None = callback
        self._wanted = wanted
        self._running = threading.RLock()

    def tell(self, event: Any) -> None:
        with self._running:
            callback = self._callback
            if callback is None or not self._wanted(event):
                return
            try:
                callback(event)
            except BaseException as error:  # one subscriber's failure is not the others'
                logger.error("A callback failed: %s", _threads.describe(error), exc_info=True)

    def end(self) -> None:
        with self._running:
            self._callback = None


class MemoryMonitor:
    """Watches the memory of every GPU of one source.

    The sampling runs in C++ and needs neither the interpreter nor its lock: neither a slow callback nor a long call of
    an extension delays it. Callbacks run on one thread of the monitor, strategies on another. All methods may be called
    from any thread, and from callbacks.

    Args:
        source: "auto" for this machine's GPUs, "nvml", "sim:NAME-OR-FILE" (or "sim:" and a scenario's text),
            "trace:FILE"; or a `MemorySource` of your own.
        interval: Seconds between readings; None: the pace adapts, about every second.
        process_interval: Seconds between process lists, which cost more; 5 if left out.
        thresholds: When levels begin; 80, 90 and 95 % if left out.
        ladder: What is done about it, when strategies are registered.
        horizon: Seconds that the risk of a forecast looks ahead; 60 if left out.
        config: A configuration file instead of the five settings before (docs/configuration.md).
        wake: Read GPUs that sleep to save power, too.
        patience: Seconds that the driver may take to open.

    Raises:
        MonitorError: There is no driver, or no device.
        ValueError: A setting makes no sense; the text names it.

    Example:
        >>> with MemoryMonitor("sim:demo", interval=0.1) as monitor:
        ...     snapshot = monitor.wait_for_snapshot(timeout=10)
        >>> snapshot.provenance, len(snapshot.devices)
        ('simulated', 2)
    """

    _listens = True  # to the core's alerts, as soon as it runs

    def __init__(
        self,
        source: str | MemorySource = "auto",
        *,
        interval: float | None = None,
        process_interval: float | None = None,
        thresholds: Thresholds | None = None,
        ladder: Ladder | None = None,
        horizon: float | None = None,
        config: str | os.PathLike[str] | None = None,
        wake: bool = False,
        patience: float = 15.0,
    ) -> None:
        settings = (interval, process_interval, thresholds, ladder, horizon)
        if config is not None and any(setting is not None for setting in settings):
            raise ValueError("config is a whole configuration: leave out the settings beside it")
        self._prepare()
        text = _configuration.read_file(config) if config is not None else _configuration.configuration(*settings)
        self._opening = (source, text, wake, patience)
        self._open(*self._opening)

    def _prepare(self) -> None:
        """Everything that needs no driver."""
        self._lock = threading.RLock()
        self._subscribers: list[_Subscriber] = []
        self._strategies: dict[RecoveryStrategy, StrategyCallback] = {}
        self._threads: set[str] = set()
        self._endings: list[Callable[[], object]] = []
        self._forked = False

    def _open(self, source: str | MemorySource, config: str, wake: bool, patience: float) -> None:
        exchange = None
        try:
            if isinstance(source, str):
                self._native = _core.Monitor(source, "", config, wake, patience, None)
            else:
                exchange = _core.Exchange()
                _threads.spawn("gpumem-source", _threads.serve_source, exchange, source)
                self._native = _core.Monitor(source.name, source.provenance, config, wake, patience, exchange)
        except (RuntimeError, ValueError) as error:
            if exchange is not None:
                exchange.close()  # which ends its thread
            raise error if isinstance(error, ValueError) else MonitorError(str(error)) from None
        self._finalizer = weakref.finalize(self, self._native.close)
        _monitors.add(self)

    # Running ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins sampling; nothing happens if it runs already.

        Raises:
            MonitorError: It was closed.
        """
        native = self._live()
        if self._listens:
            self._listen()
        self._guarded(native.start)

    def stop(self) -> None:
        """Ends sampling and any recovery, within 2 s; it may be started again. Waits for no code of yours."""
        self._live().stop()

    def close(self) -> None:
        """Stops for good and lets go of the driver. Idempotent; also done when the object goes, and at exit."""
        with self._lock:
            endings, self._endings = self._endings, []
        self._native.close()
        for ending in endings:
            ending()

    @property
    def running(self) -> bool:
        """Whether it samples."""
        return bool(self._native.running)

    def release_driver(self) -> None:
        """Stops, and closes what is open at the driver, so that a GPU can be reset; `start` opens it again.

        Raises:
            MonitorError: A call hangs and keeps the driver open.
        """
        self._guarded(self._live().release_driver)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Looking ----------------------------------------------------------------------------------------------------

    @property
    def devices(self) -> tuple[Device, ...]:
        """In the order of their index. One that goes stays, and cannot be read."""
        return tuple(Device(*device) for device in self._guarded(self._live().devices))

    def snapshot(self) -> Snapshot:
        """The newest; sequence 0 before the first reading."""
        return _values.snapshot(self._guarded(self._live().snapshot))

    def wait_for_snapshot(self, after: int = 0, timeout: float = 60.0) -> Snapshot:
        """Waits until there is a snapshot newer than `after`.

        Args:
            after: A `Snapshot.sequence`.
            timeout: Seconds.

        Returns:
            The newest, also when the time is over.
        """
        native = self._live()
        self._guarded(lambda: native.wait(after, timeout))
        return self.snapshot()

    def step(self) -> Snapshot:
        """One round of readings on this thread, its callbacks included: for programs that have a loop of their own.

        Raises:
            MonitorError: It runs.
        """
        native = self._live()
        self._guarded(native.step)
        if "gpumem-events" not in self._threads:
            self._deliver(native.take_events(0.0))
        return self.snapshot()

    def history(self, gpu: int, tier: str = "second", since: float | None = None, numpy: bool = False) -> History:
        """The past of a device in buckets.

        Args:
            gpu: Its index.
            tier: "second", kept for an hour; "minute", for a day; "hour", for 90 days.
            since: Seconds on the monitor's clock; None: all.
            numpy: Columns as NumPy arrays instead of lists.

        Returns:
            Empty columns for an unknown device.

        Raises:
            ValueError: There is no such tier.
            ImportError: NumPy was asked for and is not there.
        """
        columns = self._guarded(lambda: self._live().history(gpu, tier, since))
        if numpy:
            import numpy as np

            columns = tuple(np.asarray(column) for column in columns)
        return History(*columns)

    def summary(self, gpu: int, window: float) -> HistorySummary | None:
        """The last `window` seconds of a device in a few numbers; None if nothing was seen then."""
        raw = self._guarded(lambda: self._live().summary(gpu, window))
        return None if raw is None else HistorySummary(*raw)

    # Being told -------------------------------------------------------------------------------------------------

    def subscribe(self, level: AlertLevel, callback: AlertCallback, *, exactly: bool = False) -> Subscription:
        """Calls back for alerts of a level and above: raised, repeated while it lasts, and cleared.

        Args:
            level: From WARNING on; NORMAL with `exactly` hears nothing.
            callback: Runs on the monitor's event thread. What it raises is logged.
            exactly: Only alerts of this level.

        Returns:
            Its `cancel()` waits for a call that is running, except from within it.
        """

        def wanted(event: Any) -> bool:
            if not isinstance(event, MemoryAlert):
                return False
            return event.level is level if exactly else event.level >= level

        return self._subscribe(callback, wanted)

    def subscribe_decisions(self, callback: DecisionCallback) -> Subscription:
        """Calls back when a climb of the ladder has ended. Provisional."""
        return self._subscribe(callback, lambda event: isinstance(event, Decision))

    def recent_decisions(self) -> list[Decision]:
        """The last 64, the oldest first. Provisional."""
        return [_values.decision(raw) for raw in self._guarded(self._live().recent_decisions)]

    async def events(self) -> AsyncIterator[MemoryAlert | Decision]:
        """Alerts and decisions as they happen, until the monitor is closed.

        Example:
            >>> async def first(monitor):
            ...     async for event in monitor.events():
            ...         return event
        """
        import asyncio

        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[Any] = asyncio.Queue()

        def put(event: Any) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(waiting.put_nowait, event)

        def end() -> None:
            put(None)

        subscription = self._subscribe(put, lambda event: True)
        with self._lock:
            self._endings.append(end)
        try:
            while not self._native.closed or not waiting.empty():
                event = await waiting.get()
                if event is None:
                    return
                yield event
        finally:
            subscription.cancel()
            with self._lock:
                if end in self._endings:
                    self._endings.remove(end)

    def register_strategy(self, strategy: RecoveryStrategy, callback: StrategyCallback) -> None:
        """Registers what can be done to free memory; one a strategy, the last wins. Provisional.

        Strategies run for GPUs that a driver measured, never for simulated or replayed ones.

        Args:
            strategy: Its rung on the ladder.
            callback: Runs on the monitor's recovery thread; answers whether it succeeded, or that and a sentence, or a
                `StrategyAnswer`. With measured verification only the driver's count decides.
        """
        with self._lock:
            self._strategies[strategy] = callback
        self._register(strategy)

    # Inside -----------------------------------------------------------------------------------------------------

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except RuntimeError as error:
            raise MonitorError(str(error)) from None

    def _live(self) -> _core.Monitor:
        """The native monitor; in a forked child a new one, since the core's threads stayed with the parent."""
        if self._forked:
            with self._lock:
                if self._forked:
                    self._open(*self._opening)
                    self._forked = False
                    for strategy in self._strategies:
                        self._register(strategy)
        return self._native

    def _register(self, strategy: RecoveryStrategy) -> None:
        native = self._live()
        find = weakref.WeakMethod(self._strategy)
        self._once("gpumem-recovery", lambda: (_threads.serve_recoveries, native.recoveries(), find, native.now))
        self._guarded(lambda: native.register_strategy(strategy.name.lower()))

    def _strategy(self, strategy: RecoveryStrategy) -> StrategyCallback | None:
        return self._strategies.get(strategy)

    def _listen(self) -> None:
        native = self._live()
        self._once("gpumem-events", lambda: (_threads.serve_events, native, weakref.WeakMethod(self._deliver)))

    def _once(self, name: str, task: Callable[[], tuple[Any, ...]]) -> None:
        with self._lock:
            if name in self._threads:
                return
            self._threads.add(name)
        _threads.spawn(name, *task())

    def _subscribe(self, callback: Callable[[Any], object], wanted: Callable[[Any], bool]) -> Subscription:
        subscriber = _Subscriber(callback, wanted)
        with self._lock:
            self._subscribers = [*self._subscribers, subscriber]

        def end() -> None:
            with self._lock:
                self._subscribers = [other for other in self._subscribers if other is not subscriber]
            subscriber.end()

        return Subscription(end)

    def _deliver(self, raw_events: list[Any]) -> None:
        for raw in raw_events:
            event = _values.alert(raw) if isinstance(raw[0], str) else _values.decision(raw)
            self._log(event)
            for subscriber in self._subscribers:
                subscriber.tell(event)

    def _log(self, event: MemoryAlert | Decision) -> None:
        if isinstance(event, Decision):
            alert_logger.info("[GPU %d] decision %d: %s", event.gpu, event.id, event.reason)
            return
        level = _LOG_LEVELS[event.level] if event.event != "cleared" else logging.INFO
        mark = "" if event.provenance == "driver" else f" ({event.provenance})"
        alert_logger.log(level, "%s%s", event.text, mark)

    def _abandon(self) -> None:
        """In a forked child: forgets what belongs to the parent, without touching it."""
        self._finalizer.detach()
        self._native.abandon()
        self._lock = threading.RLock()
        self._threads = set()
        self._subscribers = list(self._subscribers)
        self._forked = True


def _abandon_all() -> None:
    for monitor in list(_monitors):
        monitor._abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
# Registered before any monitor's own ending, and therefore run after them all.
atexit.register(_threads.come_to_an_end, _EXIT_PATIENCE_S)
