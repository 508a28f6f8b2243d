"""The thread that shows an offloader the snapshots of a monitor. It keeps neither alive."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from . import _core, _threads, _values
from .alerts import Subscription

if TYPE_CHECKING:
    from .monitor import MemoryMonitor
    from .offload import Offloader

_LOOK_S = 0.25  # the longest that it outlives its subscription or its offloader


def follow(monitor: MemoryMonitor, offloader: Offloader) -> Subscription:
    ended = threading.Event()
    _threads.spawn("gpumem-restores", _serve, monitor._live(), weakref.ref(offloader), ended)
    return Subscription(ended.set)


def _serve(native: _core.Monitor, find: weakref.ref[Offloader], ended: threading.Event) -> None:
    seen = 0
    while not ended.is_set() and not native.closed:
        try:
            newest = native.wait(seen, _LOOK_S)
            offloader = find()
            if offloader is None:
                return
            if newest > seen and not ended.is_set():
                _show(native, offloader)
        except RuntimeError:  # closed in between
            return
        seen = newest
        del offloader


def _show(native: _core.Monitor, offloader: Offloader) -> None:
    snapshot, now = _values.snapshot(native.snapshot()), native.now()
    for move in offloader.on_snapshot(snapshot, now):
        outcome = f"could not come back: {move.problem}" if move.problem else "is back"
        _threads.logger.info("[GPU %d] %s %s", move.gpu, move.name, outcome)
