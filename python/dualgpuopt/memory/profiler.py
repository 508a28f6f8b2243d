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
from collections.abc import Mapping
from typing import Any, Callable

from ._profiling_session import InferenceRecord, MemoryEvent, MemoryEventType, ProfilingSession, _Settings

__all__ = [
    "InferenceRecord",
    "MemoryEvent",
    "MemoryEventType",
    "MemoryProfiler",
    "ProfilingSession",
    "get_memory_profiler",
]

logger = logging.getLogger("DualGPUOpt.MemoryProfiler")

SESSIONS_KEPT = 16
EVENTS_WAITING = 1000  # for callbacks that are slower than they happen; later ones are not told then
STOP_PATIENCE_S = 2.0

ReadUsedBytes = Callable[[], Mapping[int, int]]


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
