"""Threads, forks, exits: nothing here may hang or crash, and sampling keeps its pace whatever Python does."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from conftest import GIB, StagedSource, eventually
from dualgpuopt.memory.alerts import AlertLevel, MemoryAlert, Subscription
from dualgpuopt.memory.monitor import MemoryMonitor

SANITIZED = "DUALGPUOPT_SANITIZED" in os.environ
forks = pytest.mark.skipif(SANITIZED, reason="the sanitizer's allocator does not survive a fork with threads")


def threads_named(prefix: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(prefix)]


def all_are_gone() -> bool:
    """After a collection; one that another thread is at makes ours do nothing, so it is asked for again and again."""
    gc.collect()
    return not threads_named("gpumem-")


def run_python(source: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "dev", "-c", textwrap.dedent(source)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def assert_runs(source: str, output: str) -> None:
    ended = run_python(source)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr.strip()) == (0, output, "")


# Pace --------------------------------------------------------------------------------------------------------------


def test_sampling_keeps_its_pace_while_one_call_holds_the_interpreter() -> None:
    """Its exact pace is a benchmark's matter: here, that nothing waits for Python."""
    seen: list[float] = []
    with MemoryMonitor("sim:demo", interval=0.05) as monitor:
        monitor.wait_for_snapshot(timeout=10)
        recorder = threading.Thread(target=lambda: seen.extend(monitor._native.sampling_times(0, 30, 20.0)))
        recorder.start()
        for _ in range(3):
            ctypes.PyDLL(None).usleep(500_000)
        recorder.join(30)
    gaps = [later - earlier for earlier, later in zip(seen, seen[1:])]
    assert len(gaps) == 29
    assert max(gaps) < 0.25, "while Python stood still for half a second"


def test_sampling_goes_on_while_a_callback_is_slow(staged: StagedSource) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(alert: MemoryAlert) -> None:
        entered.set()
        leave.wait(30)

    staged.used[0] = 22 * GIB
    with MemoryMonitor(staged, interval=0.02) as monitor:
        monitor.subscribe(AlertLevel.WARNING, slow)
        staged.used[1] = 22 * GIB
        assert entered.wait(10)
        seen = monitor.snapshot().sequence
        eventually(lambda: monitor.snapshot().sequence > seen + 20)
        leave.set()


# Callbacks that do anything ------------------------------------------------------------------------------------------


def test_a_callback_may_stop_close_and_ask(staged: StagedSource) -> None:
    done = threading.Event()
    with MemoryMonitor(staged, interval=0.02) as monitor:

        def end_everything(alert: MemoryAlert) -> None:
            assert monitor.snapshot().find(alert.gpu) is not None
            monitor.stop()
            monitor.start()
            monitor.close()
            done.set()

        monitor.subscribe(AlertLevel.WARNING, end_everything)
        staged.used[0] = 22 * GIB
        assert done.wait(10)


def test_a_callback_may_end_its_own_subscription(staged: StagedSource) -> None:
    heard: list[str] = []
    held: list[Subscription] = []
    monitor = MemoryMonitor(staged)

    def once(alert: MemoryAlert) -> None:
        heard.append(alert.event)
        held[0].cancel()

    held.append(monitor.subscribe(AlertLevel.WARNING, once))
    for used in (22, 1, 22):
        staged.used[0] = used * GIB
        monitor.step()
    assert heard == ["raised"]


def test_cancelling_waits_for_a_running_call(staged: StagedSource) -> None:
    entered, leave = threading.Event(), threading.Event()
    events: list[str] = []

    def slow(alert: MemoryAlert) -> None:
        entered.set()
        leave.wait(30)
        events.append("call ended")

    with MemoryMonitor(staged, interval=0.02) as monitor:
        subscription = monitor.subscribe(AlertLevel.WARNING, slow)
        staged.used[0] = 22 * GIB
        assert entered.wait(10)
        canceller = threading.Thread(target=lambda: (subscription.cancel(), events.append("cancelled")))
        canceller.start()
        leave.set()
        canceller.join(10)
    assert events == ["call ended", "cancelled"]


# Many, and at once ---------------------------------------------------------------------------------------------------


def test_a_thousand_monitors_made_and_dropped_leave_nothing() -> None:
    def resident() -> int:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def make_and_drop(count: int) -> None:
        for _ in range(count):
            monitor = MemoryMonitor(StagedSource([GIB]), interval=0.01)
            monitor.subscribe(AlertLevel.WARNING, monitor.subscribe)  # type: ignore[arg-type]  # a cycle
            monitor.start()
            del monitor

    make_and_drop(50)
    eventually(all_are_gone, within=30)
    before = resident()
    make_and_drop(1000)
    eventually(all_are_gone, within=30)
    if not SANITIZED:  # its quarantine grows
        assert resident() - before < 16 << 20


def test_a_dropped_monitor_goes(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged, interval=0.01)
    monitor.subscribe(AlertLevel.WARNING, lambda alert, monitor=monitor: monitor.stop())  # a cycle
    monitor.start()
    gone = weakref.ref(monitor)
    del monitor
    eventually(all_are_gone)
    assert gone() is None


def test_starting_stopping_and_looking_at_once(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged, interval=0.01)
    monitor.subscribe(AlertLevel.WARNING, lambda alert: None)
    end = time.monotonic() + 1.5
    failures: list[BaseException] = []

    def repeat(call: Callable[[], object]) -> None:
        try:
            while time.monotonic() < end:
                call()
        except BaseException as error:
            failures.append(error)

    def flip() -> None:
        staged.used[0] = (23 if staged.used[0] < 20 * GIB else 1) * GIB

    calls = [monitor.start, monitor.stop, monitor.snapshot, flip, lambda: monitor.wait_for_snapshot(timeout=0.01)]
    threads = [threading.Thread(target=repeat, args=(call,)) for call in calls * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
    monitor.close()


def test_stop_returns_soon_although_the_source_hangs(staged: StagedSource) -> None:
    hang = threading.Event()
    normal = staged.read

    def read(gpu: int, processes: bool) -> object:
        if hang.is_set():
            threading.Event().wait(20)
        return normal(gpu, processes)

    staged.read = read  # type: ignore[assignment, method-assign]
    monitor = MemoryMonitor(staged, interval=0.05)
    monitor.start()
    monitor.wait_for_snapshot(timeout=10)
    hang.set()
    eventually(lambda: monitor.snapshot().devices[0].status == "stale", within=20)
    begun = time.monotonic()
    monitor.close()
    assert time.monotonic() - begun < 2.5


# Forks and exits -----------------------------------------------------------------------------------------------------


@forks
def test_a_forked_child_goes_on_with_a_monitor_of_its_own() -> None:
    assert_runs(
        """
        import os, warnings
        from dualgpuopt.memory.monitor import MemoryMonitor
        warnings.simplefilter("ignore", DeprecationWarning)
        monitor = MemoryMonitor("sim:demo", interval=0.01)
        monitor.start()
        monitor.wait_for_snapshot(timeout=10)
        child = os.fork()
        if child == 0:
            assert not monitor.running
            monitor.start()
            assert monitor.wait_for_snapshot(timeout=10).sequence > 0
            monitor.close()
            os._exit(7)
        _, status = os.waitpid(child, 0)
        assert monitor.running
        print(os.waitstatus_to_exitcode(status))
        """,
        "7",
    )


@forks
def test_a_forked_child_that_ends_in_the_usual_way_does_not_hang() -> None:
    assert_runs(
        """
        import os, sys, warnings
        from dualgpuopt.memory.monitor import MemoryMonitor
        warnings.simplefilter("ignore", DeprecationWarning)
        monitor = MemoryMonitor("sim:demo", interval=0.01)
        monitor.start()
        child = os.fork()
        if child == 0:
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        "3",
    )


@pytest.mark.parametrize("ending", ["pass", "sys.exit(0)", "monitor.stop()", "monitor = None"])
def test_the_interpreter_ends_while_everything_runs(ending: str) -> None:
    assert_runs(
        f"""
        import sys, threading
        from dualgpuopt.memory.alerts import AlertLevel
        from dualgpuopt.memory.monitor import MemoryMonitor
        monitor = MemoryMonitor("sim:demo", interval=0.001)
        monitor.subscribe(AlertLevel.WARNING, lambda alert: None)
        monitor.start()
        def wait_on(monitor=monitor):
            while True:
                try:
                    monitor.wait_for_snapshot(10**9, timeout=60)
                except Exception:
                    return
        threading.Thread(target=wait_on, daemon=True).start()
        monitor.wait_for_snapshot(timeout=10)
        {ending}
        """,
        "",
    )


def test_a_callback_that_runs_when_the_interpreter_ends() -> None:
    assert_runs(
        """
        import threading, time
        from dualgpuopt.memory.alerts import AlertLevel, Threshold, Thresholds
        from dualgpuopt.memory.monitor import MemoryMonitor
        low = Thresholds(*(Threshold(0.1) for _ in range(3)), hysteresis_percent=0.05)
        monitor = MemoryMonitor("sim:demo", interval=0.01, thresholds=low)
        entered = threading.Event()
        def slow(alert):
            entered.set()
            time.sleep(5)
        monitor.subscribe(AlertLevel.WARNING, slow)
        monitor.start()
        assert entered.wait(10)
        """,
        "",
    )
