"""What a batch size hears of a monitor: alerts of the new interface and of the original's, levels and forecasts."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .alerts import AlertLevel

if TYPE_CHECKING:
    from ._shared_batch_size import SharedBatchSize
    from .metrics import Snapshot
    from .monitor import MemoryMonitor


class Signals:
    """Hands on what is about the GPUs that count, and what a driver measured. Every method from any thread."""

    def __init__(self, shared: SharedBatchSize, gpus: Sequence[int] | None, simulated: bool, hold: float) -> None:
        self._shared = shared
        self._gpus = None if gpus is None else frozenset(gpus)
        self._simulated = simulated
        self._hold = hold
        self._lock = threading.Lock()
        self._legacy_until: dict[int, float] = {}
        self._monitor: weakref.ref[MemoryMonitor] | None = None
        self._sequence = 0

    def attach(self, monitor: MemoryMonitor | None) -> None:
        self._monitor, self._sequence = None if monitor is None else weakref.ref(monitor), 0

    def monitor(self) -> MemoryMonitor | None:
        found = self._monitor
        return None if found is None else found()

    def is_of(self, gpu: int) -> bool:
        return self._gpus is None or gpu in self._gpus

    def on_alert(self, alert: Any) -> None:
        if hasattr(alert, "gpu_id"):  # the original's, which tells no end of a level
            with self._lock:
                self._legacy_until[alert.gpu_id] = self._shared.now() + self._hold
            self._on_device(alert.gpu_id, alert.level, None)
        elif self._counts(alert.provenance):
            self._on_device(alert.gpu, alert.current_level, alert.forecast)

    def look(self) -> None:
        """Takes in what the attached monitor has seen since the last look."""
        self._end_legacy_levels()
        monitor = self.monitor()
        if monitor is None:
            return
        try:
            if monitor._live().sequence() == self._sequence:
                return
            snapshot = monitor.snapshot()
        except RuntimeError:  # it was closed
            return
        self._sequence = snapshot.sequence
        self._on_snapshot(snapshot)

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        if not self._counts(snapshot.provenance):
            return
        for device in snapshot.devices:
            if device.status == "ok":
                self._on_device(device.gpu, device.level, device.forecast)

    def _on_device(self, gpu: int, level: AlertLevel, forecast: Any) -> None:
        if self.is_of(gpu):
            self._shared.on_level(gpu, level)
            self._shared.on_forecast(gpu, forecast)

    def _end_legacy_levels(self) -> None:
        with self._lock:
            now = self._shared.now()
            over = [gpu for gpu, until in self._legacy_until.items() if now >= until]
            for gpu in over:
                del self._legacy_until[gpu]
        for gpu in over:
            self._on_device(gpu, AlertLevel.NORMAL, None)

    def _counts(self, provenance: str) -> bool:
        return self._simulated or provenance == "driver"
