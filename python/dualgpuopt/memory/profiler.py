"""Profiles the memory use of a program: sessions, inferences, and what looks like a spike or a leak.

`ProfilingSession` is told samples and knows no clock, no thread and no file; `MemoryProfiler` is the thin shell around
it that samples on a thread, calls back, and writes files. A MB is 1024 * 1024 bytes here.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Mapping
from enum import Enum
from itertools import islice
from typing import Any, Callable, NamedTuple

from .predictor import fit_line

__all__ = [
    "InferenceRecord",
    "MemoryEvent",
    "MemoryEventType",
    "MemoryProfiler",
    "ProfilingSession",
    "get_memory_profiler",
]

logger = logging.getLogger("DualGPUOpt.MemoryProfiler")

MB = 1024 * 1024
# A leak shows in a minute or in ten, at the default interval; both are looked at, after every tenth sample.
LEAK_WINDOWS = (120, 1200)
LEAK_FEWEST_SAMPLES = 60
LEAK_CHECK_EVERY = 10
# n equal steps lie on a line by 1 - 1/(n + 1)^2 of their variance: with two, a model that was loaded counts as no leak.
LEAK_EXPLAINED = 8 / 9
SESSIONS_KEPT = 16
EVENTS_WAITING = 1000  # for callbacks that are slower than they happen; later ones are not told then
STOP_PATIENCE_S = 2.0

ReadUsedBytes = Callable[[], Mapping[int, int]]


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


EventCallback = Callable[[MemoryEvent], object]


class _ProcessWide:
    """Reads through the process-wide monitor, which has a pace of its own: gives each of its readings once.

    A reading that was seen before is no sample; taken for one, it would double the growth at the next.
    """

    def __init__(self) -> None:
        self.provenance: str | None = None
        self._newest: dict[int, float] = {}

    def __call__(self) -> dict[int, int]:
        from .compat import get_memory_monitor

        monitor = get_memory_monitor()
        stats = monitor.get_all_stats()
        self.provenance = monitor.snapshot().provenance
        fresh = {gpu: each for gpu, each in stats.items() if each["timestamp"] != self._newest.get(gpu)}
        self._newest.update((gpu, each["timestamp"]) for gpu, each in fresh.items())
        return {gpu: int(each["used_memory_bytes"]) for gpu, each in fresh.items()}


class MemoryProfiler:
    """Samples memory use while a session runs. All methods may be called from any thread, and from callbacks.

    Args:
        sample_interval: Seconds between samples.
        history_size: How many samples of each device, events and inferences a session keeps.
        leak_detection_threshold: MB/s of steady growth that count as a leak. A program that fills memory evenly on
            purpose looks the same.
        spike_detection_threshold: MB/s between two samples that count as a spike.
        read_used_bytes: Gives the bytes in use by device. Left out, the process-wide monitor is asked, and there are no
            more samples than it has readings: one in 2 s unless it runs. An attribute `provenance` gets into reports.

    Raises:
        ValueError: An interval or a size makes no sense.

    Example:
        >>> profiler = MemoryProfiler(read_used_bytes=lambda: {0: 1024})
        >>> profiler.start_profiling("first")
        'first'
        >>> profiler.start_inference({"prompt": 7})
        >>> profiler.end_inference(token_count=12).token_count
        12
        >>> profiler.end_session()["gpus"][0]["last_used_bytes"]
        1024
    """

    def __init__(
        self,
        sample_interval: float = 0.5,
        history_size: int = 3600,
        leak_detection_threshold: float = 0.05,
        spike_detection_threshold: float = 0.1,
        *,
        read_used_bytes: ReadUsedBytes | None = None,
    ) -> None:
        if not 0 < sample_interval < float("inf"):
            raise ValueError(f"sample_interval is {sample_interval}: it takes seconds above 0")
        if history_size < 3:
            raise ValueError(f"history_size is {history_size}: it takes at least 3 samples")
        self._settings = _Settings(sample_interval, history_size, leak_detection_threshold, spike_detection_threshold)
        self._given = read_used_bytes
        self._read: ReadUsedBytes = read_used_bytes or _ProcessWide()
        self._callbacks: dict[MemoryEventType, tuple[EventCallback, ...]] = dict.fromkeys(MemoryEventType, ())
        self._sessions: dict[str, ProfilingSession] = {}
        self._session: ProfilingSession | None = None
        self._begin_without_threads()
        _profilers.add(self)

    def _begin_without_threads(self) -> None:
        self._lock = threading.RLock()
        self._sampler: threading.Thread | None = None
        self._stopped = threading.Event()
        self._end_telling: Callable[[], object] = lambda: None

    def _after_fork(self) -> None:
        """In the child: no thread came along, and whoever held the lock is not here to give it back."""
        self._begin_without_threads()
        session, self._session = self._session, None
        if session is not None:
            session.end(time.monotonic())

    # Sessions -------------------------------------------------------------------------------------------------------

    def start_profiling(self, session_id: str | None = None) -> str:
        """Begins a session and samples on a thread until `end_session`. A session that runs is ended before.

        Args:
            session_id: Its name; one is made if left out.

        Returns:
            The name. The newest 16 sessions are kept.

        Raises:
            ValueError: There is a session of that name.
        """
        self._require_free(session_id)
        self.end_session()
        with self._lock:
            self._require_free(session_id)
            events = self._close(self._session)  # which another thread has begun in the meantime
            session = ProfilingSession(session_id or self._free_name(), time.monotonic(), time.time(), self._settings)
            self._sessions[session.session_id] = self._session = session
            for oldest in list(self._sessions)[:-SESSIONS_KEPT]:
                del self._sessions[oldest]
            self._read = self._given or _ProcessWide()
            events.append(session.begin())
            self._start_threads(session)
        self._tell(events)
        return session.session_id

    def end_session(self) -> dict[str, Any]:
        """Takes a last sample and ends the session that runs.

        Returns:
            Its report; empty if none runs.
        """
        session = self._session
        if session is None:
            return {}
        events = self._sample(session)
        with self._lock:
            sampler = self._sampler if self._session is session else None
            events += self._close(session)
        if sampler is not None and sampler is not threading.current_thread():
            sampler.join(STOP_PATIENCE_S)
        self._tell(events)
        return session.report(time.monotonic())

    def _close(self, session: ProfilingSession | None) -> list[MemoryEvent]:
        """Ends that session, if it still runs; the lock is held."""
        if session is None or self._session is not session:
            return []
        self._session = None
        self._stopped.set()
        self._end_telling()
        return [session.end(time.monotonic())]

    def get_session_report(self, session_id: str | None = None) -> dict[str, Any]:
        """A session in numbers.

        Args:
            session_id: Which one; the newest if left out.

        Returns:
            What `ProfilingSession.report` gives; empty if there is no such session.
        """
        with self._lock:
            session = self._find(session_id)
            return {} if session is None else session.report(time.monotonic())

    def export_timeline_data(self, filepath: str | os.PathLike[str], session_id: str | None = None) -> str:
        """Writes a session's points, events and inferences as JSON. A file of that name is replaced as a whole.

        Args:
            filepath: The file.
            session_id: Which one; the newest if left out.

        Returns:
            The file's path.

        Raises:
            ValueError: There is no such session.
            OSError: It cannot be written; then a file that was there is as it was.
        """
        import json

        with self._lock:
            session = self._find(session_id)
            if session is None:
                which = "no session yet" if session_id is None else f"no session {session_id}"
                raise ValueError(f"there is {which} to export; start_profiling begins one")
            data = session.timeline(time.monotonic())
        return _write_whole(os.fspath(filepath), json.dumps(data, default=repr) + "\n")

    def _find(self, session_id: str | None) -> ProfilingSession | None:
        if session_id is None:
            return next(reversed(self._sessions.values()), None)
        return self._sessions.get(session_id)

    def _require_free(self, session_id: str | None) -> None:
        if session_id in self._sessions:
            raise ValueError(f"there is a session {session_id} already; choose another name")

    def _free_name(self) -> str:
        number = len(self._sessions) + 1
        while f"session-{number}" in self._sessions:
            number += 1
        return f"session-{number}"

    # Inferences -----------------------------------------------------------------------------------------------------

    def start_inference(self, context: Any = None) -> None:
        """Marks where an inference begins. They may be nested; without a session a warning is logged.

        Args:
            context: Kept with its record; a dictionary as a rule.
        """
        session = self._session
        if session is None:
            logger.warning("No profiling session runs: the inference is not recorded")
            return
        events = self._sample(session)
        with self._lock:
            events.append(session.begin_inference(time.monotonic(), context))
        self._tell(events)

    def end_inference(self, token_count: int = 0, context: Any = None) -> InferenceRecord | None:
        """Marks where the inference that began last has ended.

        Args:
            token_count: Tokens that it made; 0: not said.
            context: Joined with the one of its beginning.

        Returns:
            Its record; None if none had begun, and a warning is logged.
        """
        session = self._session
        events = self._sample(session) if session is not None else []
        with self._lock:
            event = session.end_inference(time.monotonic(), token_count, context) if session is not None else None
            record = session.inferences()[-1] if session is not None and event is not None else None
        if event is None:
            logger.warning("No inference has begun: its end is not recorded")
        self._tell([*events, *([event] if event is not None else [])])
        return record

    # Being told -----------------------------------------------------------------------------------------------------

    def register_callback(self, event_type: MemoryEventType, callback: EventCallback) -> None:
        """Calls back for each event of a type.

        Args:
            event_type: Which.
            callback: Runs on the thread that begins or ends a session or an inference; for what sampling notices on a
                thread of the profiler's, which delays no sample. What it raises is logged.

        Raises:
            KeyError: There is no such type.
        """
        with self._lock:
            self._callbacks[event_type] = (*self._callbacks[event_type], callback)

    def unregister_callback(self, event_type: MemoryEventType, callback: EventCallback) -> bool:
        """Removes the first registration of a callback.

        Returns:
            Whether there was one.

        Raises:
            KeyError: There is no such type.
        """
        with self._lock:
            callbacks = list(self._callbacks[event_type])
            if callback not in callbacks:
                return False
            callbacks.remove(callback)
            self._callbacks[event_type] = tuple(callbacks)
            return True

    def _tell(self, events: list[MemoryEvent]) -> None:
        for event in events:
            for callback in self._callbacks[event.event_type]:
                try:
                    callback(event)
                except (Exception, SystemExit) as error:  # one callback's failure is not the others'
                    logger.error("A callback for %s failed: %r", event.event_type.value, error, exc_info=True)

    # Sampling -------------------------------------------------------------------------------------------------------

    def _sample(self, session: ProfilingSession) -> list[MemoryEvent]:
        now = time.monotonic()  # from before: of two reads at once, the one that began earlier is not to win
        try:
            used = dict(self._read())
        except Exception as error:
            with self._lock:
                news = session.failed(f"{type(error).__name__}: {error}")
            if news:
                logger.warning("Cannot read the memory in use: %s", error)
            return []
        with self._lock:
            session.provenance = getattr(self._read, "provenance", None)
            return session.sample(now, used)

    def _start_threads(self, session: ProfilingSession) -> None:
        import queue

        noticed: Any = queue.SimpleQueue()
        self._stopped = threading.Event()
        # A profiler that is dropped in the middle of a session ends its threads: the sampler sees it by itself. Only
        # the queue may be touched by a finalizer, which can run anywhere.
        this = weakref.ref(self)
        self._end_telling = weakref.finalize(self, noticed.put, None)
        arguments = (self._stopped, self._settings.sample_interval, this, session, noticed)
        self._sampler = _spawn("MemoryProfilerSampler", _sample_until, *arguments)
        _spawn("MemoryProfilerEvents", _tell_until, noticed, this)


def _spawn(name: str, run: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=run, args=arguments, name=name, daemon=True)
    thread.start()
    return thread


_profilers: weakref.WeakSet[MemoryProfiler] = weakref.WeakSet()


def _sample_until(
    stopped: threading.Event,
    interval: float,
    profiler: weakref.ref[MemoryProfiler],
    session: ProfilingSession,
    noticed: Any,
) -> None:
    due = time.monotonic()
    while not stopped.wait(max(0.0, due - time.monotonic())):
        here = profiler()
        if here is None:
            return
        events = here._sample(session)
        del here
        if events and noticed.qsize() < EVENTS_WAITING:
            noticed.put(events)
        due = max(due + interval, time.monotonic())


def _tell_until(noticed: Any, profiler: weakref.ref[MemoryProfiler]) -> None:
    while (events := noticed.get()) is not None:
        here = profiler()
        if here is None:
            return
        here._tell(events)
        del here


def _forget_after_fork() -> None:
    global _only_lock
    _only_lock = threading.Lock()
    for profiler in list(_profilers):
        profiler._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def _write_whole(path: str, text: str) -> str:
    """Writes a file beside the old one and puts it in its place, so that nobody ever sees half of it."""
    target = os.path.realpath(path)  # a link stays one
    part = f"{target}.{os.getpid()}-{threading.get_ident()}.part"
    try:
        with open(part, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        message = f"cannot write the timeline: {error.strerror}; choose a folder that is there and has room"
        raise OSError(error.errno, message, path) from error
    finally:
        if os.path.exists(part):
            os.unlink(part)
    return path


_only_lock = threading.Lock()
_only: MemoryProfiler | None = None


def get_memory_profiler() -> MemoryProfiler:
    """The process-wide profiler, with the default settings; made at the first call.

    Example:
        >>> get_memory_profiler() is get_memory_profiler()
        True
    """
    global _only
    with _only_lock:
        if _only is None:
            _only = MemoryProfiler()
        return _only
