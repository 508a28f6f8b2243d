"""What happened in one session of profiling: told samples, and without a clock, a thread or a file of its own."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from .predictor import fit_line

MB = 1024 * 1024
# A leak shows in a minute or in ten, at the default interval; both are looked at, after every tenth sample.
LEAK_WINDOWS = (120, 1200)
LEAK_FEWEST_SAMPLES = 60
LEAK_CHECK_EVERY = 10
# n equal steps lie on a line by 1 - 1/(n + 1)^2 of their variance: with two, a model that was loaded counts as no leak.
LEAK_EXPLAINED = 8 / 9


class MemoryEventType(Enum):
    """What a profiler notices. The values are texts.

    Example:
        >>> MemoryEventType("leak_detected").name
        'LEAK_DETECTED'
    """

    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"
    GROWTH_SPIKE = "growth_spike"
    LEAK_DETECTED = "leak_detected"
    SESSION_START = "session_start"
    SESSION_END = "session_end"
    INFERENCE_START = "inference_start"
    INFERENCE_END = "inference_end"


class MemoryEvent(NamedTuple):
    """Something that was noticed in a session.

    Attributes:
        event_type: What.
        session_id: In which session.
        t: Seconds since the session's start.
        timestamp: Seconds since the epoch.
        gpu_id: The device; None for sessions and inferences.
        used_bytes: In use on it then.
        change_bytes: Since the sample before, of allocations and deallocations.
        mb_per_second: Growth, of spikes and leaks.
        context: What the program said of its inference.

    Example:
        >>> MemoryEvent(MemoryEventType.ALLOCATION, "mine", 1.5, 0.0, gpu_id=0).as_dict()["event_type"]
        'allocation'
    """

    event_type: MemoryEventType
    session_id: str
    t: float
    timestamp: float
    gpu_id: int | None = None
    used_bytes: int | None = None
    change_bytes: int | None = None
    mb_per_second: float | None = None
    context: Any = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; the type as its text."""
        return {**self._asdict(), "event_type": self.event_type.value}


class InferenceRecord(NamedTuple):
    """One inference. Provisional: fields may be added.

    Attributes:
        t: Seconds since the session's start, when it began.
        duration: Seconds.
        token_count: As the program said; 0: it did not.
        used_before: Bytes by device, at the last sample before it began.
        used_peak: The most that was sampled in between; shorter peaks are not seen.
        used_after: At the last sample before its end.
        context: What the program said at its beginning and end.

    Example:
        >>> InferenceRecord(0.0, 2.0, 50, {0: 100}, {0: 180}, {0: 120}, None).tokens_per_second
        25.0
    """

    t: float
    duration: float
    token_count: int
    used_before: dict[int, int]
    used_peak: dict[int, int]
    used_after: dict[int, int]
    context: Any

    @property
    def tokens_per_second(self) -> float | None:
        """None if no tokens were counted, or no time passed."""
        return _rate(self.token_count, self.duration)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**self._asdict(), "tokens_per_second": self.tokens_per_second}


class _Settings(NamedTuple):
    sample_interval: float = 0.5
    history_size: int = 3600
    leak_threshold: float = 0.05
    spike_threshold: float = 0.1


class _OpenInference(NamedTuple):
    t: float
    before: dict[int, int]
    peak: dict[int, int]
    context: Any


def _rate(count: float, seconds: float) -> float | None:
    return count / seconds if count > 0 and seconds > 0 else None


def _joined(first: Any, second: Any) -> Any:
    """Two contexts as one: dictionaries are merged, of anything else the newer stays."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return {**first, **second}
    return first if second is None else second


class _Track:
    """What one device did in a session: its newest points, and sums over all."""

    def __init__(self, settings: _Settings) -> None:
        self._settings = settings
        self.points: deque[tuple[float, int]] = deque(maxlen=settings.history_size)
        self._samples = 0
        self._sum = 0
        self._first = self._least = self._most = 0
        self._spiking = False
        self._leaking: bool | None = None  # None: too few samples to say

    @property
    def used(self) -> int:
        return self.points[-1][1]

    def add(self, t: float, used: int) -> list[tuple[MemoryEventType, int | None, float | None]]:
        """The events of this sample: type, change in bytes, growth in MB/s. A sample that is not newer is left out."""
        before = self.points[-1] if self.points else None
        if before is not None and t <= before[0]:
            return []
        self._count(t, used)
        if before is None:
            return []
        return [*self._change(used - before[1]), *self._spike(t - before[0], used - before[1]), *self._leak()]

    def _count(self, t: float, used: int) -> None:
        if not self._samples:
            self._first = self._least = self._most = used
        self.points.append((t, used))
        self._samples += 1
        self._sum += used
        self._least, self._most = min(self._least, used), max(self._most, used)

    def _change(self, change: int) -> list[tuple[MemoryEventType, int | None, float | None]]:
        if change == 0:
            return []
        return [(MemoryEventType.ALLOCATION if change > 0 else MemoryEventType.DEALLOCATION, change, None)]

    def _spike(self, seconds: float, change: int) -> list[tuple[MemoryEventType, int | None, float | None]]:
        """One event when the growth passes the threshold; the next only after it came down again."""
        # Two samples in quick succession would make a spike of any allocation.
        rate = change / MB / max(seconds, self._settings.sample_interval)
        begins = rate > self._settings.spike_threshold and not self._spiking
        self._spiking = rate > self._settings.spike_threshold
        return [(MemoryEventType.GROWTH_SPIKE, None, rate)] if begins else []

    def _leak(self) -> list[tuple[MemoryEventType, int | None, float | None]]:
        """One event when a leak is found; the next only after it was gone."""
        fewest = min(LEAK_FEWEST_SAMPLES, self._settings.history_size)
        if self._samples % LEAK_CHECK_EVERY or len(self.points) < fewest:
            return []
        rate = max((self._steady_growth(window) for window in LEAK_WINDOWS), default=0.0)
        begins = rate > self._settings.leak_threshold and not self._leaking
        self._leaking = rate > self._settings.leak_threshold
        return [(MemoryEventType.LEAK_DETECTED, None, rate)] if begins else []

    def _steady_growth(self, window: int) -> float:
        """In MB/s over the newest samples; 0 if they do not lie on a line."""
        line = fit_line(list(islice(self.points, max(0, len(self.points) - window), None)))
        return line.slope / MB if line.explained > LEAK_EXPLAINED else 0.0

    def report(self) -> dict[str, Any]:
        return {
            "samples": self._samples,
            "first_used_bytes": self._first,
            "last_used_bytes": self.used,
            "min_used_bytes": self._least,
            "max_used_bytes": self._most,
            "mean_used_bytes": self._sum / self._samples,
            "growth_mb_per_second": fit_line(self.points).slope / MB if len(self.points) > 2 else None,
            "leak_suspected": self._leaking,
        }


class ProfilingSession:
    """One session, fed with samples. Not thread-safe; of constant size.

    Args:
        session_id: Its name.
        started: Seconds on the clock of all later `now`.
        timestamp: The same moment in seconds since the epoch.
        settings: As `MemoryProfiler` takes them, in the same order; its defaults if left out.

    Attributes:
        session_id: Its name.
        provenance: "driver", "simulated" or "replayed", of the samples; None: whoever reads does not say.

    Example:
        >>> session = ProfilingSession("load", started=100.0, timestamp=0.0)
        >>> session.sample(100.0, {0: 0})
        []
        >>> [event.event_type.value for event in session.sample(100.5, {0: 500 * MB})]
        ['allocation', 'growth_spike']
    """

    def __init__(
        self, session_id: str, started: float, timestamp: float, settings: tuple[float, int, float, float] = _Settings()
    ) -> None:
        self.session_id = session_id
        self.provenance: str | None = None
        self._settings = _Settings(*settings)
        self._started = started
        self._timestamp = timestamp
        self._ended: float | None = None
        self._tracks: dict[int, _Track] = {}
        self._events: deque[MemoryEvent] = deque(maxlen=self._settings.history_size)
        self._event_counts: Counter[MemoryEventType] = Counter()
        self._open: list[_OpenInference] = []
        self._inferences: deque[InferenceRecord] = deque(maxlen=self._settings.history_size)
        self._totals = {"count": 0, "token_count": 0, "duration_s": 0.0}
        self._failures = 0
        self._last_failure: str | None = None

    def begin(self) -> MemoryEvent:
        """Marks the session's start."""
        return self._event(MemoryEventType.SESSION_START, 0.0)

    def sample(self, now: float, used: Mapping[int, int]) -> list[MemoryEvent]:
        """Takes one sample.

        Args:
            now: Seconds on the session's clock.
            used: Bytes by device; those that could not be read are left out.

        Returns:
            What was noticed, by device in their order; nothing after the end.
        """
        if self._ended is not None:
            return []
        t = now - self._started
        return [event for gpu, amount in sorted(used.items()) for event in self._sample_of(gpu, t, amount)]

    def failed(self, reason: str) -> bool:
        """Notes that memory could not be read; whether that is news."""
        news = reason != self._last_failure
        self._failures += 1
        self._last_failure = reason
        return news

    def begin_inference(self, now: float, context: Any = None) -> MemoryEvent:
        """Opens an inference. They may be nested: the one that began last ends first."""
        t, used = now - self._started, self._used()
        self._open.append(_OpenInference(t, used, dict(used), context))
        return self._event(MemoryEventType.INFERENCE_START, t, context=context)

    def end_inference(self, now: float, token_count: int = 0, context: Any = None) -> MemoryEvent | None:
        """Closes the inference that began last; None if none is open.

        Args:
            now: Seconds on the session's clock.
            token_count: Tokens that it made; 0: not said.
            context: Joined with the one of its beginning.
        """
        if not self._open:
            return None
        began, t = self._open.pop(), now - self._started
        context = _joined(began.context, context)
        record = InferenceRecord(began.t, t - began.t, token_count, began.before, began.peak, self._used(), context)
        self._inferences.append(record)
        self._totals["count"] += 1
        self._totals["token_count"] += token_count
        self._totals["duration_s"] += record.duration
        return self._event(MemoryEventType.INFERENCE_END, t, context=context)

    def end(self, now: float) -> MemoryEvent:
        """Ends it: no sample counts any more."""
        self._ended = now
        return self._event(MemoryEventType.SESSION_END, now - self._started)

    def inferences(self) -> list[InferenceRecord]:
        """Those that have ended, oldest first; the newest `history_size`."""
        return list(self._inferences)

    def report(self, now: float) -> dict[str, Any]:
        """The session in numbers; counts are of the whole session, also of what is no longer kept.

        Args:
            now: Seconds on the session's clock, if it has not ended.

        Returns:
            A dictionary of plain values. What cannot be said is None.
        """
        totals = self._totals
        return {
            "session_id": self.session_id,
            "running": self._ended is None,
            "timestamp": self._timestamp,
            "duration_s": (now if self._ended is None else self._ended) - self._started,
            "provenance": self.provenance,
            "sample_interval_s": self._settings.sample_interval,
            "failed_reads": self._failures,
            "last_failure": self._last_failure,
            "gpus": {gpu: track.report() for gpu, track in sorted(self._tracks.items())},
            "event_counts": {kind.value: self._event_counts[kind] for kind in MemoryEventType},
            "inferences": {
                **totals,
                "open": len(self._open),
                "tokens_per_second": _rate(totals["token_count"], totals["duration_s"]),
            },
        }

    def timeline(self, now: float) -> dict[str, Any]:
        """The report, and all that is kept: points as [seconds since the start, bytes], events, inferences."""
        return {
            "schema": 1,
            "type": "memory_timeline",
            **self.report(now),
            "points": {gpu: [list(point) for point in track.points] for gpu, track in sorted(self._tracks.items())},
            "events": [event.as_dict() for event in self._events],
            "inference_records": [record.as_dict() for record in self._inferences],
        }

    def _sample_of(self, gpu: int, t: float, used: int) -> list[MemoryEvent]:
        track = self._tracks.setdefault(gpu, _Track(self._settings))
        noticed = track.add(t, used)
        for inference in self._open:
            inference.peak[gpu] = max(used, inference.peak.get(gpu, used))
        return [
            self._event(kind, t, gpu_id=gpu, used_bytes=used, change_bytes=change, mb_per_second=rate)
            for kind, change, rate in noticed
        ]

    def _used(self) -> dict[int, int]:
        return {gpu: track.used for gpu, track in sorted(self._tracks.items())}

    def _event(self, kind: MemoryEventType, t: float, **details: Any) -> MemoryEvent:
        event = MemoryEvent(kind, self.session_id, t, self._timestamp + t, **details)
        self._events.append(event)
        self._event_counts[kind] += 1
        return event
