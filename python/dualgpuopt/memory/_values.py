"""Builds the package's values from the plain tuples of the extension."""

from __future__ import annotations

from typing import Any

from .alerts import LearnedThreshold, MemoryAlert, Threshold, _level
from .metrics import (
    Device,
    DeviceEvent,
    DeviceSnapshot,
    Forecast,
    ForecastAccuracy,
    Leak,
    MemoryUse,
    ProcessList,
    ProcessMemory,
    Reading,
    Snapshot,
)
from .recovery import Candidate, Decision, RecoveryStrategy, RungRecord

Raw = Any  # a tuple of python/src/values.h


def _events(raw: Raw) -> tuple[DeviceEvent, ...]:
    return tuple(DeviceEvent(*event) for event in raw)


def _memory(raw: Raw) -> MemoryUse | None:
    return None if raw is None else MemoryUse(*raw)


def _forecast(raw: Raw) -> Forecast | None:
    return None if raw is None else Forecast(*raw)


def _processes(raw: Raw) -> ProcessList | None:
    if raw is None:
        return None
    t, time, entries, reason, used_reason = raw
    return ProcessList(t, time, tuple(ProcessMemory(*entry) for entry in entries), reason, used_reason)


def reading(raw: Raw) -> Reading:
    gpu, t, time, provenance, memory, reason, processes, events = raw
    return Reading(gpu, t, time, provenance, _memory(memory), reason, _processes(processes), _events(events))


def _device(raw: Raw) -> DeviceSnapshot:
    device, status, reason, newest, level, forecast, processes, peak, events, accuracy, leaks, moved = raw
    return DeviceSnapshot(
        Device(*device),
        status,
        reason,
        reading(newest),
        _level(level),
        _forecast(forecast),
        _processes(processes),
        peak,
        _events(events),
        ForecastAccuracy(*accuracy),
        tuple(Leak(*leak) for leak in leaks),
        tuple(LearnedThreshold(_level(level), *rest) for level, *rest in moved),
    )


def snapshot(raw: Raw) -> Snapshot:
    sequence, t, time, provenance, devices = raw
    return Snapshot(sequence, t, time, provenance, tuple(_device(device) for device in devices))


def alert(raw: Raw) -> MemoryAlert:
    event, level, current, gpu, t, time, provenance, message, recommendations, memory, percent, threshold, *rest = raw
    reached_by, forecast, events, text = rest
    return MemoryAlert(
        event,
        _level(level),
        _level(current),
        gpu,
        t,
        time,
        provenance,
        message,
        recommendations,
        MemoryUse(*memory),
        percent,
        Threshold(*threshold),
        reached_by,
        _forecast(forecast),
        _events(events),
        text,
    )


def _rung(raw: Raw) -> RungRecord:
    values = RungRecord._make(raw)
    candidates = tuple(Candidate(*one) for one in values.candidates)
    return values._replace(strategy=RecoveryStrategy[str(values.strategy).upper()], candidates=candidates)


def decision(raw: Raw) -> Decision:
    values = Decision._make(raw)._asdict()
    values["level"] = _level(values["level"])
    values["evidence"] = reading(values["evidence"])
    values["forecast"] = _forecast(values["forecast"])
    values["rungs"] = tuple(_rung(rung) for rung in values["rungs"])
    return Decision(**values)
