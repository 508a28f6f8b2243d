"""What the legacy monitor reads: statistics, their age, the singleton, its thread, and what it does without GPUs."""

from __future__ import annotations

from typing import Any

import pytest
from script_runner import ScriptRunner

GIB, MIB = 1 << 30, 1 << 20


@pytest.fixture(scope="module", params=["modules", "path"])
def reads(run_script: ScriptRunner, request: pytest.FixtureRequest) -> dict[str, Any]:
    return run_script(
        """
GPU0.at(25).processes = [(11, 100), (12, None)]
GPU1.at(50).process_trouble = "Not Supported"
before = time.time()
monitor = legacy.MemoryMonitor()
unit = legacy.MemoryUnit
every = monitor.get_all_stats()
report(every=every, types=[type(key).__name__ for key in every], order=list(every[0]), window=[before, time.time()])
report(processes=list(every[0]["process_memory"].items()), unknown=every[1]["process_memory"])
report(units={one.name: monitor.get_memory_stats(0, one) for one in unit})
report(default=monitor.get_memory_stats(0), named=monitor.get_memory_stats(gpu_id=1, unit=unit.MB))
both = monitor.get_memory_stats()
report(both=both, both_bytes=monitor.get_memory_stats(unit=unit.BYTES), ids=sorted(both))
report(strangers=[monitor.get_memory_stats(gpu) for gpu in (2, 99, -1)])
report(floats=sorted({type(value).__name__ for one in both.values() for value in one.values()}))
""",
        inject=request.param,
    )


def test_all_statistics_are_those_of_as_dict(reads: dict[str, Any]) -> None:
    assert reads["order"] == [
        "gpu_id",
        "total_memory_bytes",
        "used_memory_bytes",
        "free_memory_bytes",
        "reserved_memory_bytes",
        "cached_memory_bytes",
        "usage_percent",
        "process_memory",
        "timestamp",
    ]
    one = reads["every"]["1"]
    assert (one["gpu_id"], one["total_memory_bytes"], one["used_memory_bytes"]) == (1, 10_000 * MIB, 5_000 * MIB)
    assert (one["free_memory_bytes"], one["usage_percent"]) == (5_000 * MIB, 50.0)
    assert set(reads["types"]) == {"int"}


def test_what_the_driver_does_not_tell_is_zero(reads: dict[str, Any]) -> None:
    for one in reads["every"].values():
        assert (one["reserved_memory_bytes"], one["cached_memory_bytes"]) == (0, 0)


def test_statistics_have_wall_time(reads: dict[str, Any]) -> None:
    first, last = reads["window"]
    assert all(first - 0.1 <= one["timestamp"] <= last + 0.1 for one in reads["every"].values())


def test_process_memory(reads: dict[str, Any]) -> None:
    assert reads["processes"] == [[11, 100], [12, None]]
    assert reads["unknown"] == {}


def test_one_gpu_in_each_unit(reads: dict[str, Any]) -> None:
    for name, divisor in [("BYTES", 1), ("KB", 1024), ("MB", MIB), ("GB", GIB)]:
        total, used, free = (value * MIB / divisor for value in (10_000, 2_500, 7_500))
        memory = reads["units"][name]
        assert memory == {"total": total, "used": used, "free": free, "reserved": 0.0, "cached": 0.0}
        assert list(memory) == ["total", "used", "free", "reserved", "cached"]
    assert reads["default"] == reads["units"]["GB"]
    assert reads["named"]["used"] == 5_000.0


def test_every_gpu_by_id(reads: dict[str, Any]) -> None:
    assert reads["ids"] == [0, 1]
    assert reads["both"]["0"] == reads["default"]
    assert reads["both_bytes"]["1"]["used"] == 5_000.0 * MIB
    assert reads["floats"] == ["float"]


def test_an_unknown_gpu_has_no_statistics(reads: dict[str, Any]) -> None:
    assert reads["strangers"] == [{}, {}, {}]


def test_the_monitor_is_one_and_the_first_arguments_count(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
levels = dict(warning_threshold=10.0, critical_threshold=60.0, emergency_threshold=70.0)
first = legacy.MemoryMonitor(update_interval=0.02, **levels)
same = [legacy.get_memory_monitor() is first, legacy.MemoryMonitor(99.0, 1.0, 2.0, 3.0) is first]
levels = []
first.register_alert_callback(Level.WARNING, lambda alert: levels.append(alert.threshold))
GPU0.at(20), GPU1.at(5)
first.start_monitoring()
eventually(lambda: len(levels) > 2)
first.stop_monitoring()
report(same=same, isinstance=isinstance(first, legacy.MemoryMonitor), thresholds=sorted(set(levels)))
""",
    )
    assert facts["same"] == [True, True]
    assert facts["isinstance"]
    assert facts["thresholds"] == [10.0]


def test_constructing_at_once_gives_one_monitor(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
from concurrent.futures import ThreadPoolExecutor
gate = threading.Barrier(8)
stage.when_initialised = lambda: time.sleep(0.05)  # so that the others come while the first is at it
def construct(_):
    gate.wait()
    return legacy.MemoryMonitor()
with ThreadPoolExecutor(8) as pool:
    monitors = list(pool.map(construct, range(8)))
report(different=len(set(map(id, monitors))), users=stage.driver_users, ids=sorted(monitors[0].get_all_stats()))
""",
    )
    assert facts["different"] == 1
    assert facts["ids"] == [0, 1]


def test_a_read_is_fresh_only_after_twice_the_interval(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
interval = 0.25
monitor = legacy.MemoryMonitor(interval)
def used():
    return monitor.get_memory_stats(0, legacy.MemoryUnit.BYTES)["used"]
GPU0.at(10)
earliest = time.monotonic()
old = used()
latest = time.monotonic()
GPU0.at(20)
late_and_old = 0
while True:
    begun = time.monotonic()
    if used() != old:
        break
    late_and_old = max(late_and_old, begun - latest)
    assert begun - latest < 5
report(age=time.monotonic() - earliest, late_and_old=late_and_old, reads=GPU0.reads, now=used() / MIB)
""",
    )
    assert facts["age"] > 0.5
    assert facts["late_and_old"] <= 0.55
    assert facts["now"] == 2_000


def test_an_old_reading_is_refreshed_by_every_kind_of_read(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
profile = legacy.MemoryProfile("p", 0, MIB, MIB)
monitor = legacy.MemoryMonitor(0.02)
monitor.register_profile(profile)
monitor.set_active_profile("p")
asked = {
    "one": lambda: monitor.get_memory_stats(0)["free"],
    "all": lambda: monitor.get_memory_stats()[0]["free"],
    "dicts": lambda: monitor.get_all_stats()[0]["free_memory_bytes"],
    "batch": lambda: monitor.estimate_max_batch(0, 1),
    "context": lambda: monitor.estimate_safe_context_size(0, 1),
}
for name, ask in asked.items():
    GPU0.at(20)
    eventually(lambda: GPU0.at(20) and monitor.get_memory_stats(0, legacy.MemoryUnit.MB)["used"] == 2_000.0)
    before = ask()
    GPU0.at(80)
    eventually(lambda: ask() < before, name)
report(asked=list(asked))
""",
    )
    assert len(facts["asked"]) == 5


def test_a_read_never_raises_alerts(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
records, called = listen(), []
monitor = legacy.MemoryMonitor(0.01)
for level in Level:
    monitor.register_alert_callback(level, called.append)
for strategy in Strategy:
    monitor.register_recovery_function(strategy, lambda *given: called.append(given))
GPU0.at(99), GPU1.at(85)
for _ in range(5):
    before = GPU0.reads
    eventually(lambda: monitor.get_all_stats() and monitor.get_memory_stats(0) and GPU0.reads > before)
report(called=len(called), records=records.all)
""",
    )
    assert facts["called"] == 0
    assert facts["records"] == []


def test_starting_and_stopping(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor(0.02)
monitor.stop_monitoring()
report(before=len(monitor_threads()), returned=[monitor.start_monitoring(), monitor.start_monitoring()])
report(names=len(monitor_threads()), daemon=[thread.daemon for thread in monitor_threads()])
polls()
monitor.stop_monitoring()
monitor.stop_monitoring()
report(after=len(monitor_threads()))
monitor.start_monitoring()
report(again=len(monitor_threads()))
polls()
monitor.stop_monitoring()
reads = GPU0.reads
stage.never(lambda: GPU0.reads > reads, "a reading after the end")
""",
    )
    assert (facts["before"], facts["returned"]) == (0, [None, None])
    assert (facts["names"], facts["daemon"]) == (1, [True])
    assert (facts["after"], facts["again"]) == (0, 1)


def test_stopping_does_not_wait_for_the_interval(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor(5.0)
begun = time.monotonic()
for _ in range(3):
    monitor.start_monitoring()
    eventually(lambda: GPU0.reads)
    monitor.stop_monitoring()
report(seconds=time.monotonic() - begun, threads=len(monitor_threads()))
monitor.start_monitoring()
report(restarted=len(monitor_threads()))
""",
    )
    assert facts["seconds"] < 3
    assert (facts["threads"], facts["restarted"]) == (0, 1)


def test_threads_that_start_and_stop_at_once_leave_one_or_none(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor(0.02)
gate = threading.Barrier(8)
def work(number):
    gate.wait()
    for _ in range(10):
        monitor.start_monitoring()
        if number % 2:
            monitor.stop_monitoring()
workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
[worker.start() for worker in workers]
[worker.join() for worker in workers]
monitor.start_monitoring()
report(one=len(monitor_threads()))
polls()
monitor.stop_monitoring()
report(none=len(monitor_threads()))
""",
    )
    assert (facts["one"], facts["none"]) == (1, 0)


def test_shutdown_releases_the_driver_once_and_keeps_the_singleton(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor(0.02)
monitor.start_monitoring()
polls()
report(before=stage.driver_users > 0)
monitor.shutdown()
report(users=stage.driver_users, threads=len(monitor_threads()), calls=stage.calls["nvmlShutdown"])
monitor.shutdown()
report(twice=stage.driver_users, again=stage.calls["nvmlShutdown"], same=legacy.get_memory_monitor() is monitor)
""",
    )
    assert facts["before"] is True
    assert (facts["users"], facts["threads"]) == (0, 0)
    assert (facts["twice"], facts["again"]) == (0, facts["calls"])
    assert facts["same"]


def test_the_interpreter_ends_with_a_shutdown(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
stage.when_shut_down = lambda: os.write(1, b"the driver was released\\n")
monitor = legacy.MemoryMonitor(0.02)
monitor.register_alert_callback(Level.WARNING, print)
GPU0.at(85)
monitor.start_monitoring()
polls()
""",
    )
    assert facts["stdout"].count("the driver was released") == 1


def test_interpreters_that_read_and_end_do_so_in_peace(run_script: ScriptRunner) -> None:
    """A thread that comes back to Python too late kills the process; it takes many ends to see one that is late."""
    for _ in range(40):
        run_script("legacy.MemoryMonitor().get_all_stats()")


def test_a_lost_gpu_has_no_numbers_and_the_other_goes_on(run_script: ScriptRunner) -> None:
    """The original went on reporting invented numbers."""
    run_script(
        """
called = []
monitor = legacy.MemoryMonitor(0.02)
monitor.register_alert_callback(Level.WARNING, lambda alert: called.append(alert.gpu_id))
monitor.register_alert_callback(Level.EMERGENCY, lambda alert: called.append(alert.gpu_id))
GPU0.at(97), GPU1.at(85)
assert sorted(monitor.get_all_stats()) == [0, 1]
monitor.start_monitoring()
GPU0.trouble = "GPU is lost"
eventually(lambda: monitor.get_memory_stats(0) == {}, "the loss")
eventually(lambda: sorted(monitor.get_all_stats()) == [1] and sorted(monitor.get_memory_stats()) == [1])
assert monitor.estimate_max_batch(0, 1) == 1
called.clear()
eventually(lambda: called.count(1) > 3)
assert 0 not in called, called
GPU0.trouble = None
eventually(lambda: monitor.get_memory_stats(0) and 0 in called, "the return")
""",
    )


def test_a_failed_reading_does_not_count_as_fresh(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor(20.0)
GPU0.trouble = GPU1.trouble = "Unknown Error"
assert monitor.get_memory_stats(0) == {}
GPU0.trouble = GPU1.trouble = None
begun = time.monotonic()
eventually(lambda: monitor.get_memory_stats(0), "a new reading")
report(seconds=time.monotonic() - begun)
""",
    )
    assert facts["seconds"] < 10


def test_a_wall_clock_set_back_does_not_freeze_the_readings(run_script: ScriptRunner) -> None:
    run_script(
        """
monitor = legacy.MemoryMonitor(0.02)
assert monitor.get_memory_stats(0, legacy.MemoryUnit.MB)["used"] == 1_000
true_time = time.time
time.time = lambda: true_time() - 3600
GPU0.at(60)
eventually(lambda: monitor.get_memory_stats(0, legacy.MemoryUnit.MB)["used"] == 6_000)
""",
    )
