"""The profiler: what a session notices in samples, and the shell with its threads, callbacks and files."""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import signal
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualgpuopt.memory
from conftest import eventually
from dualgpuopt.memory._profiling_session import MB
from dualgpuopt.memory.profiler import (
    MemoryEvent,
    MemoryEventType,
    MemoryProfiler,
    ProfilingSession,
    get_memory_profiler,
)

INTERVAL = 0.5
DEADLINE_S = 10.0

repeatable = settings(derandomize=True, deadline=None, database=None)


def session_of(*settings: Any) -> ProfilingSession:
    return ProfilingSession("s", 1000.0, 2000.0, *settings)


def feed(session: ProfilingSession, *amounts: float, gpu: int = 0, start: float = 1000.0) -> list[MemoryEvent]:
    """Samples at the usual interval; amounts in MB."""
    events: list[MemoryEvent] = []
    for number, amount in enumerate(amounts):
        events += session.sample(start + number * INTERVAL, {gpu: int(amount * MB)})
    return events


def kinds(events: list[MemoryEvent]) -> list[str]:
    return [event.event_type.value for event in events]


# Sessions: what is noticed --------------------------------------------------------------------------------------------


def test_the_types_have_the_contracts_values() -> None:
    assert [kind.value for kind in MemoryEventType] == [
        "allocation",
        "deallocation",
        "growth_spike",
        "leak_detected",
        "session_start",
        "session_end",
        "inference_start",
        "inference_end",
    ]
    assert all(kind.name == kind.value.upper() for kind in MemoryEventType)


def test_growth_and_shrinking_are_allocations_and_deallocations() -> None:
    grown, shrunk = feed(session_of((INTERVAL, 100, 1e9, 1e9)), 10, 10, 14, 11)
    assert (grown.event_type, grown.change_bytes, grown.used_bytes) == (MemoryEventType.ALLOCATION, 4 * MB, 14 * MB)
    assert (grown.t, grown.timestamp, grown.gpu_id, grown.session_id) == (1.0, 2001.0, 0, "s")
    assert (shrunk.event_type, shrunk.change_bytes) == (MemoryEventType.DEALLOCATION, -3 * MB)


def test_a_spike_is_told_once_until_the_growth_is_over() -> None:
    session = session_of((INTERVAL, 100, 1e9, 2.0))
    events = feed(session, 0, 2, 4, 4, 5, 7)  # MB/s: 4, 4, 0, 2, 4
    spikes = [event for event in events if event.event_type is MemoryEventType.GROWTH_SPIKE]
    assert [(spike.t, spike.mb_per_second) for spike in spikes] == [(0.5, 4.0), (2.5, 4.0)]


def test_samples_in_quick_succession_make_no_spike() -> None:
    session = session_of((INTERVAL, 100, 1e9, 2.0))
    session.sample(1000.0, {0: 0})
    assert kinds(session.sample(1000.001, {0: MB})) == ["allocation"]


def test_devices_are_watched_apart() -> None:
    session = session_of((INTERVAL, 100, 1e9, 1e9))
    session.sample(1000.0, {0: 5, 1: 9})
    events = session.sample(1000.5, {1: 8, 0: 6})
    assert [(event.gpu_id, event.change_bytes) for event in events] == [(0, 1), (1, -1)]


def test_a_device_that_could_not_be_read_has_a_gap_and_no_number() -> None:
    session = session_of((INTERVAL, 100, 1e9, 1e9))
    session.sample(1000.0, {0: 5, 1: 9})
    assert session.sample(1000.5, {0: 5}) == []
    (event,) = session.sample(1001.0, {0: 5, 1: 10})
    assert (event.gpu_id, event.change_bytes) == (1, 1)
    assert session.report(1001.0)["gpus"][1]["samples"] == 2


def test_a_sample_that_is_not_newer_is_left_out() -> None:
    session = session_of()
    session.sample(1000.0, {0: 5})
    assert session.sample(1000.0, {0: 7}) == []
    assert session.sample(999.0, {0: 7}) == []
    assert session.report(1000.0)["gpus"][0]["samples"] == 1


def leaks(amounts: list[float], threshold: float = 0.05) -> list[tuple[float, float]]:
    events = feed(session_of((INTERVAL, 3600, threshold, 1e9)), *amounts)
    return [
        (event.t, event.mb_per_second or 0.0) for event in events if event.event_type is MemoryEventType.LEAK_DETECTED
    ]


def test_steady_growth_is_a_leak_with_its_rate_and_told_once() -> None:
    ((t, rate),) = leaks([100 + 0.1 * number for number in range(600)])
    assert rate == pytest.approx(0.2, rel=1e-6)
    assert t == 29.5  # the sixtieth sample


def test_growth_in_the_steps_of_an_allocator_is_a_leak() -> None:
    ((_, rate),) = leaks([100 + 2 * (number // 40) for number in range(1200)])  # 0.1 MB/s in steps of 2 MB
    assert 0.05 < rate < 0.2


def test_a_slow_leak_shows_in_ten_minutes() -> None:
    ((_, rate),) = leaks([100 + 3 * (number // 100) for number in range(1200)])  # never three steps in one minute
    assert 0.05 < rate < 0.1


@pytest.mark.parametrize(
    "amounts",
    [
        pytest.param([100.0] * 600, id="level"),
        pytest.param([100.0] * 100 + [9000.0] * 500, id="a model that was loaded"),
        pytest.param([100.0] * 100 + [5000.0] * 250 + [9000.0] * 250, id="two of them"),
        pytest.param([100 + 500 * (number % 2) for number in range(600)], id="batches that come and go"),
        pytest.param([100 + 0.024 * number for number in range(600)], id="slower than the threshold"),
        pytest.param([9000 - 1.0 * number for number in range(600)], id="falling"),
        pytest.param([100 + 10.0 * number for number in range(59)], id="too short to say"),
    ],
)
def test_what_is_no_leak(amounts: list[float]) -> None:
    assert leaks(amounts) == []


def test_a_leak_that_was_over_is_told_again() -> None:
    growing = [0.5 * number for number in range(200)]
    assert len(leaks(growing + [100.0] * 2000 + [100 + amount for amount in growing])) == 2


def test_whether_it_leaks_is_unknown_at_first() -> None:
    session = session_of()
    feed(session, *[100.0] * 59)
    assert session.report(1029.0)["gpus"][0]["leak_suspected"] is None
    feed(session, 100.0, start=1029.5)
    assert session.report(1029.5)["gpus"][0]["leak_suspected"] is False
    feed(session, *[100 + number for number in range(120)], start=1030.0)
    assert session.report(1090.0)["gpus"][0]["leak_suspected"] is True


@repeatable
@given(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=60))
def test_the_report_is_of_all_samples_also_of_those_not_kept(amounts: list[int]) -> None:
    session = session_of((INTERVAL, 3, 1e9, 1e9))
    for number, amount in enumerate(amounts):
        session.sample(1000.0 + number, {0: amount})
    report = session.report(5000.0)
    gpu = report["gpus"][0]
    assert gpu["samples"] == len(amounts)
    assert (gpu["first_used_bytes"], gpu["last_used_bytes"]) == (amounts[0], amounts[-1])
    assert (gpu["min_used_bytes"], gpu["max_used_bytes"]) == (min(amounts), max(amounts))
    assert gpu["mean_used_bytes"] == sum(amounts) / len(amounts)
    assert (gpu["growth_mb_per_second"] is None) == (len(amounts) < 3)
    assert len(session.timeline(5000.0)["points"][0]) == min(3, len(amounts))
    changes = [later - earlier for earlier, later in zip(amounts, amounts[1:])]
    assert report["event_counts"]["allocation"] == sum(change > 0 for change in changes)
    assert report["event_counts"]["deallocation"] == sum(change < 0 for change in changes)
    assert report["duration_s"] == 4000.0


def test_growth_is_reported_in_mb_a_second() -> None:
    session = session_of()
    feed(session, 10, 11, 12, 13)
    assert session.report(1002.0)["gpus"][0]["growth_mb_per_second"] == pytest.approx(2.0)


def test_an_ended_session_takes_no_samples() -> None:
    session = session_of()
    feed(session, 10)
    assert session.end(1001.0).t == 1.0
    assert session.sample(1002.0, {0: 99}) == []
    report = session.report(1009.0)
    assert (report["running"], report["duration_s"]) == (False, 1.0)
    assert report["gpus"][0]["samples"] == 1


# Sessions: inferences -------------------------------------------------------------------------------------------------


def test_an_inference_has_its_memory_time_and_tokens() -> None:
    session = session_of()
    session.sample(1000.0, {0: 10, 1: 7})
    begun = session.begin_inference(1000.0, {"prompt": 5})
    session.sample(1000.5, {0: 90, 1: 7})
    session.sample(1001.0, {0: 30, 1: 7})
    ended = session.end_inference(1002.0, 40, {"stop": "length"})
    session.sample(1003.0, {0: 999})
    (record,) = session.inferences()
    assert ended is not None
    assert (begun.event_type, ended.event_type) == (MemoryEventType.INFERENCE_START, MemoryEventType.INFERENCE_END)
    assert (record.t, record.duration, record.token_count, record.tokens_per_second) == (0.0, 2.0, 40, 20.0)
    assert (record.used_before, record.used_peak, record.used_after) == ({0: 10, 1: 7}, {0: 90, 1: 7}, {0: 30, 1: 7})
    assert record.context == ended.context == {"prompt": 5, "stop": "length"}


def test_inferences_may_be_nested() -> None:
    session = session_of()
    session.begin_inference(1000.0, "outer")
    session.begin_inference(1001.0, "inner")
    assert session.report(1001.0)["inferences"]["open"] == 2
    session.end_inference(1002.0, 5)
    session.end_inference(1004.0, 7)
    assert [(record.context, record.duration) for record in session.inferences()] == [("inner", 1.0), ("outer", 4.0)]
    assert session.end_inference(1005.0) is None
    assert session.report(1005.0)["inferences"] == {
        "count": 2,
        "token_count": 12,
        "duration_s": 5.0,
        "open": 0,
        "tokens_per_second": 2.4,
    }


@pytest.mark.parametrize(("tokens", "seconds"), [(0, 1.0), (5, 0.0)])
def test_a_rate_that_cannot_be_said_is_none(tokens: int, seconds: float) -> None:
    session = session_of()
    session.begin_inference(1000.0)
    session.end_inference(1000.0 + seconds, tokens)
    assert session.inferences()[0].tokens_per_second is None
    assert session.report(1009.0)["inferences"]["tokens_per_second"] is None


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [(None, None, None), ({"a": 1}, None, {"a": 1}), ("x", "y", "y"), (None, {"a": 1}, {"a": 1}), ("x", None, "x")],
)
def test_contexts_of_any_kind_are_joined(first: Any, second: Any, joined: Any) -> None:
    session = session_of()
    session.begin_inference(1000.0, first)
    session.end_inference(1001.0, 0, second)
    assert session.inferences()[0].context == joined


# The shell ------------------------------------------------------------------------------------------------------------


class Memory:
    """Gives the bytes in use, as a reader would; counts how often it was asked."""

    def __init__(self, used: Mapping[int, int]) -> None:
        self.used = dict(used)
        self.reads = 0
        self.error: Exception | None = None

    def __call__(self) -> dict[int, int]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return dict(self.used)


@pytest.fixture
def memory() -> Memory:
    return Memory({0: 100 * MB})


@pytest.fixture
def profiler(memory: Memory) -> Iterator[MemoryProfiler]:
    one = MemoryProfiler(sample_interval=0.002, read_used_bytes=memory)
    yield one
    one.end_session()


def test_a_session_samples_until_it_ends(profiler: MemoryProfiler, memory: Memory) -> None:
    assert profiler.start_profiling("work") == "work"
    eventually(lambda: memory.reads >= 5)
    memory.used = {0: 300 * MB}
    report = profiler.end_session()
    assert report["session_id"] == "work"
    assert report["running"] is False
    assert report["gpus"][0]["samples"] >= 5
    assert report["gpus"][0]["last_used_bytes"] == 300 * MB
    assert not profiler._sampler or not profiler._sampler.is_alive()
    assert profiler.end_session() == {}


def test_a_session_is_never_without_its_last_sample(memory: Memory) -> None:
    profiler = MemoryProfiler(sample_interval=3600.0, read_used_bytes=memory)
    profiler.start_profiling()
    eventually(lambda: profiler.get_session_report()["gpus"])
    memory.used = {0: 7}
    assert profiler.end_session()["gpus"][0]["last_used_bytes"] == 7


def test_a_read_that_took_long_does_not_overwrite_a_newer_one() -> None:
    began, answer, asked = threading.Event(), threading.Event(), iter([100 * MB])

    def read() -> dict[int, int]:
        used = next(asked, 7)
        if used != 7:
            began.set()
            answer.wait(DEADLINE_S)
        return {0: used}

    profiler = MemoryProfiler(sample_interval=3600.0, read_used_bytes=read)
    profiler.start_profiling()
    assert began.wait(DEADLINE_S)
    profiler.start_inference()
    answer.set()
    assert profiler._sampler is not None
    profiler._stopped.set()
    profiler._sampler.join(DEADLINE_S)
    assert profiler.end_session()["gpus"][0]["max_used_bytes"] == 7


def test_reports_are_found_by_name_and_the_newest_without(profiler: MemoryProfiler) -> None:
    assert profiler.get_session_report() == {}
    first, second = profiler.start_profiling(), profiler.start_profiling()
    assert (first, second) == ("session-1", "session-2")
    assert profiler.get_session_report()["session_id"] == second
    assert profiler.get_session_report()["running"] is True
    assert profiler.get_session_report(first)["running"] is False  # the next one ended it
    assert profiler.get_session_report("another") == {}


def test_a_name_is_taken_once(profiler: MemoryProfiler) -> None:
    profiler.start_profiling("session-2")
    with pytest.raises(ValueError, match="there is a session session-2 already"):
        profiler.start_profiling("session-2")
    assert profiler.get_session_report("session-2")["running"] is True
    assert profiler.start_profiling() == "session-3"


def test_only_the_newest_sessions_are_kept(profiler: MemoryProfiler) -> None:
    names = [profiler.start_profiling() for _ in range(20)]
    assert len(set(names)) == 20
    assert [name for name in names if profiler.get_session_report(name)] == names[-16:]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_interval": 0}, "sample_interval is 0"),
        ({"sample_interval": float("nan")}, "sample_interval is nan"),
        ({"history_size": 2}, "history_size is 2"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MemoryProfiler(**settings)


def test_memory_that_cannot_be_read_is_said_and_not_invented(
    profiler: MemoryProfiler, memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    memory.error = RuntimeError("the GPU is lost")
    profiler.start_profiling()
    eventually(lambda: memory.reads >= 3)
    report = profiler.end_session()
    assert report["gpus"] == {}
    assert report["failed_reads"] >= 3
    assert report["last_failure"] == "RuntimeError: the GPU is lost"
    assert [record.getMessage() for record in caplog.records] == ["Cannot read the memory in use: the GPU is lost"]


def test_events_of_sessions_and_inferences_are_told_at_once(profiler: MemoryProfiler) -> None:
    told: list[tuple[str, int]] = []
    for kind in MemoryEventType:
        profiler.register_callback(kind, lambda event: told.append((event.event_type.value, threading.get_ident())))
    here = threading.get_ident()
    profiler.start_profiling()
    profiler.start_inference()
    assert told == [("session_start", here), ("inference_start", here)]
    record = profiler.end_inference(token_count=3)
    assert record is not None
    assert record.token_count == 3
    profiler.end_session()
    assert told[2:] == [("inference_end", here), ("session_end", here)]


def test_what_sampling_notices_is_told(profiler: MemoryProfiler, memory: Memory) -> None:
    told: list[MemoryEvent] = []
    profiler.register_callback(MemoryEventType.GROWTH_SPIKE, told.append)
    profiler.start_profiling()
    eventually(lambda: memory.reads >= 2)
    memory.used = {0: 900 * MB}
    eventually(lambda: told)
    assert told[0].used_bytes == 900 * MB


def test_a_slow_callback_delays_no_sample(profiler: MemoryProfiler, memory: Memory) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: MemoryEvent) -> None:
        entered.set()
        leave.wait(DEADLINE_S)

    profiler.register_callback(MemoryEventType.ALLOCATION, slow)
    profiler.start_profiling()
    eventually(lambda: memory.reads >= 2)
    memory.used = {0: 200 * MB}
    assert entered.wait(DEADLINE_S)
    reads = memory.reads
    eventually(lambda: memory.reads >= reads + 10)
    profiler.end_session()  # waits for no callback
    assert not leave.is_set()
    leave.set()


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3)])
def test_a_callback_that_raises_is_logged_and_alone(
    profiler: MemoryProfiler, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    told: list[MemoryEvent] = []

    def broken(_: MemoryEvent) -> None:
        raise error

    profiler.register_callback(MemoryEventType.SESSION_START, broken)
    profiler.register_callback(MemoryEventType.SESSION_START, told.append)
    profiler.start_profiling()
    assert len(told) == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "A callback for session_start failed" in caplog.text


def test_a_callback_can_be_removed_also_by_itself(profiler: MemoryProfiler) -> None:
    told: list[str] = []

    def once(_: MemoryEvent) -> None:
        told.append("once")
        assert profiler.unregister_callback(MemoryEventType.INFERENCE_START, once)

    profiler.register_callback(MemoryEventType.INFERENCE_START, once)
    profiler.register_callback(MemoryEventType.INFERENCE_START, lambda _: told.append("always"))
    profiler.start_profiling()
    profiler.start_inference()
    profiler.start_inference()
    assert told == ["once", "always", "always"]
    assert profiler.unregister_callback(MemoryEventType.INFERENCE_START, once) is False


def test_an_unknown_type_is_a_key_error(profiler: MemoryProfiler) -> None:
    with pytest.raises(KeyError):
        profiler.register_callback("allocation", print)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        profiler.unregister_callback("allocation", print)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [MemoryEventType.ALLOCATION, MemoryEventType.SESSION_START])
def test_a_callback_may_end_the_session(profiler: MemoryProfiler, memory: Memory, kind: MemoryEventType) -> None:
    reports: list[dict[str, Any]] = []
    profiler.register_callback(kind, lambda _: reports.append(profiler.end_session()))
    profiler.start_profiling("ended from within")
    eventually(lambda: memory.reads >= 2)
    memory.used = {0: 1}
    memory.used = {0: 500 * MB}
    eventually(lambda: any(reports))
    assert profiler.get_session_report("ended from within")["running"] is False


def test_inferences_without_a_session_are_not_recorded(
    profiler: MemoryProfiler, memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    profiler.start_inference()
    assert profiler.end_inference() is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.WARNING]
    assert memory.reads == 0


def test_an_end_without_a_beginning_is_not_recorded(profiler: MemoryProfiler, caplog: pytest.LogCaptureFixture) -> None:
    profiler.start_profiling()
    assert profiler.end_inference(5) is None
    assert "No inference has begun" in caplog.text
    assert profiler.get_session_report()["inferences"]["count"] == 0


def test_a_profiler_that_is_dropped_ends_its_threads(memory: Memory) -> None:
    profiler = MemoryProfiler(sample_interval=0.002, read_used_bytes=memory)
    profiler.start_profiling()
    eventually(lambda: memory.reads >= 2)
    sampler, gone = profiler._sampler, weakref.ref(profiler)
    del profiler
    assert sampler is not None
    eventually(lambda: gc.collect() >= 0 and gone() is None and not sampler.is_alive())
    eventually(lambda: not any(thread.name == "MemoryProfilerEvents" for thread in threading.enumerate()))


def test_threads_that_begin_and_end_at_once(profiler: MemoryProfiler) -> None:
    failures: list[BaseException] = []

    def churn() -> None:
        try:
            for _ in range(30):
                profiler.start_profiling()
                profiler.start_inference()
                profiler.end_inference(1)
                profiler.get_session_report()
                profiler.end_session()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=churn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a deadlock"
    assert failures == []
    assert profiler.end_session() == {}
    eventually(lambda: not any(thread.name.startswith("MemoryProfiler") for thread in threading.enumerate()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_no_session_and_may_begin_one(profiler: MemoryProfiler, memory: Memory) -> None:
    profiler.start_profiling("parent")
    eventually(lambda: memory.reads >= 2)
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with profiler._lock:
            held.set()
            leave.wait(DEADLINE_S)

    threading.Thread(target=hold).start()
    assert held.wait(DEADLINE_S)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        answers = [profiler.end_session() == {}, not profiler.get_session_report("parent")["running"]]
        profiler.start_profiling("child")
        answers.append(profiler.end_session()["gpus"][0]["samples"] >= 1)
        os._exit(0 if all(answers) else 1)
    leave.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert profiler.get_session_report("parent")["running"] is True


def test_there_is_one_for_the_process() -> None:
    assert get_memory_profiler() is get_memory_profiler()


class LegacyMonitor:
    """As much of the process-wide monitor as is asked."""

    def __init__(self) -> None:
        self.stats: dict[int, dict[str, Any]] = {}

    def get_all_stats(self) -> dict[int, dict[str, Any]]:
        return self.stats

    def snapshot(self) -> SimpleNamespace:
        return SimpleNamespace(provenance="simulated")


def test_a_reading_of_the_process_wide_monitor_is_one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = LegacyMonitor()
    stand_in = SimpleNamespace(get_memory_monitor=lambda: monitor)
    monkeypatch.setitem(sys.modules, "dualgpuopt.memory.compat", stand_in)
    monkeypatch.setattr(dualgpuopt.memory, "compat", stand_in, raising=False)
    monitor.stats = {0: {"used_memory_bytes": 7, "timestamp": 1.0}, 1: {"used_memory_bytes": 9, "timestamp": 1.0}}
    profiler = MemoryProfiler(sample_interval=3600.0)
    for _ in range(2):  # another session begins with what there is
        profiler.start_profiling()
        eventually(lambda: len(profiler.get_session_report()["gpus"]) == 2)
        monitor.stats[1] = {"used_memory_bytes": 8, "timestamp": monitor.stats[1]["timestamp"] + 1}
        report = profiler.end_session()
        assert [report["gpus"][gpu]["samples"] for gpu in (0, 1)] == [1, 2]
        assert report["gpus"][1]["last_used_bytes"] == 8
        assert report["provenance"] == "simulated"


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(profiler: MemoryProfiler, memory: Memory) -> MemoryProfiler:
    profiler.start_profiling("run")
    profiler.start_inference({"model": object})  # no JSON, and yet to be written somehow
    memory.used = {0: 150 * MB}
    profiler.end_inference(token_count=8)
    profiler.end_session()
    return profiler


def test_a_timeline_is_json(recorded: MemoryProfiler, tmp_path: Path) -> None:
    file = tmp_path / "timeline.json"
    assert recorded.export_timeline_data(file) == str(file)
    data = json.loads(file.read_text(encoding="utf-8"))
    assert (data["schema"], data["type"], data["session_id"]) == (1, "memory_timeline", "run")
    assert data["points"]["0"][-1][1] == 150 * MB
    assert data["points"]["0"] == sorted(data["points"]["0"])
    assert data["events"][0]["event_type"] == "session_start"
    assert data["events"][-1]["event_type"] == "session_end"
    assert data["inference_records"][0]["token_count"] == 8
    assert list(tmp_path.iterdir()) == [file]


def test_a_session_that_is_not_there_cannot_be_exported(profiler: MemoryProfiler, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no session yet to export"):
        profiler.export_timeline_data(tmp_path / "timeline.json")
    profiler.start_profiling()
    with pytest.raises(ValueError, match="there is no session another to export"):
        profiler.export_timeline_data(tmp_path / "timeline.json", "another")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(recorded: MemoryProfiler, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "timeline.json"
    with pytest.raises(FileNotFoundError, match="cannot write the timeline: No such file or directory") as caught:
        recorded.export_timeline_data(file)
    assert caught.value.filename == str(file)


def test_a_full_disk_leaves_the_old_file_as_it_was(recorded: MemoryProfiler, tmp_path: Path) -> None:
    file = tmp_path / "timeline.json"
    file.write_text("old")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, usual[1]))
    try:
        with pytest.raises(OSError, match="cannot write the timeline: File too large"):
            recorded.export_timeline_data(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_one_and_the_mode_is_the_usual(recorded: MemoryProfiler, tmp_path: Path) -> None:
    file, link, usual = tmp_path / "real.json", tmp_path / "link.json", tmp_path / "usual"
    file.write_text("old")
    usual.touch()
    link.symlink_to(file)
    recorded.export_timeline_data(str(link))
    assert link.is_symlink()
    assert json.loads(file.read_text())["session_id"] == "run"
    assert file.stat().st_mode == usual.stat().st_mode
