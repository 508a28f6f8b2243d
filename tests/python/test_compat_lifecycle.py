"""The legacy monitor where a driver hangs or fails, a callback is slow, a process forks, a clock is set.

Each script has an interpreter of its own, with GPUs that it sets itself; see contract/stage/stage.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).with_name("contract")))
from script_runner import ScriptRunner, environment

forks = pytest.mark.skipif(
    "DUALGPUOPT_SANITIZED" in os.environ, reason="the sanitizer's allocator does not survive a fork with threads"
)


@pytest.fixture
def run_script(tmp_path_factory: pytest.TempPathFactory) -> ScriptRunner:
    return ScriptRunner(lambda: tmp_path_factory.mktemp("script"))


# The driver hangs --------------------------------------------------------------------------------------------------

HANGING = """
hang, entered = threading.Event(), threading.Event()
def stuck():
    entered.set()
    hang.wait(40)
    return 1
monitor = legacy.MemoryMonitor(0.05)
monitor.start_monitoring()
polls(2)
GPU0.used = stuck
assert entered.wait(10)
"""


def test_stopping_takes_no_two_seconds_while_reads_wait_for_a_driver_that_hangs(run_script: ScriptRunner) -> None:
    facts = run_script(
        HANGING
        + """
def read():
    while not hang.is_set():
        monitor.get_memory_stats(0)
threading.Thread(target=read, daemon=True).start()
time.sleep(0.3)  # so that it is in there
begun = time.monotonic()
monitor.stop_monitoring()
report(seconds=time.monotonic() - begun)
hang.set()
"""
    )
    assert facts["seconds"] < 2.0


def test_no_read_waits_long_for_a_driver_that_hangs(run_script: ScriptRunner) -> None:
    facts = run_script(
        HANGING
        + """
longest, end = 0.0, time.monotonic() + 4
while time.monotonic() < end:
    begun = time.monotonic()
    monitor.get_memory_stats(0), monitor.get_memory_stats(1), monitor.get_all_stats()
    longest = max(longest, time.monotonic() - begun)
report(longest=longest)
hang.set()
"""
    )
    assert facts["longest"] < 3.5  # a second for each of the three


# The driver fails --------------------------------------------------------------------------------------------------


def test_why_a_driver_does_not_open_is_said_in_its_own_words(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
from dualgpuopt.memory import MonitorError
records = listen()
stage.driver_trouble = "Driver Not Loaded"
monitor = legacy.MemoryMonitor(0.02)
try:
    monitor.snapshot()
except MonitorError as error:
    report(error=str(error))
report(records=records.all)
"""
    )
    assert facts["records"] == [["ERROR", "Failed to initialize NVML: Driver Not Loaded"]]
    assert facts["error"] == "there is no GPU that could be monitored: Driver Not Loaded"


def test_a_driver_that_does_not_open_leaves_no_threads(run_script: ScriptRunner) -> None:
    run_script(
        """
stage.driver_trouble = "Driver Not Loaded"
monitor = legacy.MemoryMonitor(0.02)
for _ in range(10):
    monitor._retry_at = 0.0
    assert monitor.get_all_stats() == {}
assert stage.calls["nvmlInit"] >= 11
eventually(lambda: threading.active_count() == 1, "the end of the threads")
"""
    )


def test_a_gpu_that_is_lost_is_logged_once(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
records = listen()
monitor = legacy.MemoryMonitor(0.02)
monitor.start_monitoring()
polls(2)
GPU0.trouble = "GPU is lost"
eventually(lambda: records.all)
polls(10)
monitor.stop_monitoring()
report(records=records.all)
"""
    )
    assert facts["records"] == [["WARNING", "GPU 0 cannot be read: GPU is lost"]]


def test_when_shutdown_returns_the_driver_was_released(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
import pynvml
shut_down = pynvml.nvmlShutdown
def slow():
    time.sleep(0.05)
    shut_down()
pynvml.nvmlShutdown = slow
monitor = legacy.MemoryMonitor(0.02)
users = []
for _ in range(10):
    monitor.start_monitoring()
    polls(1)
    monitor.shutdown()
    users.append(stage.driver_users)
report(users=users, calls=[stage.calls["nvmlInit"], stage.calls["nvmlShutdown"]])
"""
    )
    assert facts["users"] == [0] * 10
    assert facts["calls"][0] == facts["calls"][1]
    assert facts["stderr"] == ""


def test_a_released_driver_stays_released_until_monitoring_starts(run_script: ScriptRunner) -> None:
    run_script(
        """
monitor = legacy.MemoryMonitor(0.02)
monitor.start_monitoring()
polls(2)
monitor.release_driver()
stage.never(lambda: stage.driver_users, "the driver is in use", 0.5)
monitor.start_monitoring()
polls(2)
assert monitor.get_memory_stats(0)
"""
    )


# Callbacks ---------------------------------------------------------------------------------------------------------


def test_one_callback_at_a_time_also_after_a_restart(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
begun, leave, lock, running, calls = threading.Event(), threading.Event(), threading.Lock(), [], []
def slow(alert):
    with lock:
        running.append(1)
        calls.append(len(running))
    begun.set()
    leave.wait(20)
    with lock:
        running.pop()
monitor = legacy.MemoryMonitor(0.02)
monitor.register_alert_callback(Level.WARNING, slow)
GPU0.at(85)
monitor.start_monitoring()
assert begun.wait(10)
monitor.stop_monitoring()
monitor.start_monitoring()
polls(10)
stage.never(lambda: len(calls) > 1, "a second call beside the first")
leave.set()
eventually(lambda: len(calls) > 3, "calls after the slow one")
report(most=max(calls))
"""
    )
    assert facts["most"] == 1


def test_a_callback_may_restart_the_monitor(run_script: ScriptRunner) -> None:
    run_script(
        """
calls = []
monitor = legacy.MemoryMonitor(0.02)
def restart(alert):
    calls.append(1)
    monitor.stop_monitoring()
    monitor.start_monitoring()
monitor.register_alert_callback(Level.WARNING, restart)
GPU0.at(85)
monitor.start_monitoring()
eventually(lambda: len(calls) > 5)
monitor.stop_monitoring()
eventually(lambda: not monitor_threads())
"""
    )


def test_an_old_reading_raises_no_alert_when_monitoring_starts(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
called = []
monitor = legacy.MemoryMonitor(0.02)
for level in Level:
    monitor.register_alert_callback(level, called.append)
for strategy in Strategy:
    monitor.register_recovery_strategy(strategy, lambda *given: called.append(given))
GPU0.at(99)
assert monitor.get_all_stats()
GPU0.at(10)
monitor.start_monitoring()
polls(10)
monitor.stop_monitoring()
report(called=len(called))
"""
    )
    assert facts["called"] == 0


# Edges -------------------------------------------------------------------------------------------------------------


def test_with_edges_a_use_that_hovers_at_a_threshold_calls_once(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
import itertools
heard, shares = [], itertools.cycle([80.0, 79.5])
monitor = legacy.MemoryMonitor(0.01)
monitor.register_alert_callback(Level.WARNING, lambda alert: heard.append("warning"))
GPU0.used = lambda: int(GPU0.total * next(shares) / 100)
monitor.start_monitoring()
polls(40)
hovering = len(heard)
GPU0.at(70)
polls(5)
GPU0.at(85)
eventually(lambda: len(heard) > hovering, "another call, when it comes back from below")
report(hovering=hovering)
""",
        DUALGPUOPT_ALERTS="edge",
    )
    assert facts["hovering"] == 1


def test_with_edges_recovery_goes_on_while_the_emergency_lasts(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
ran, heard = [], []
monitor = legacy.MemoryMonitor(0.01)
monitor.register_recovery_strategy(Strategy.CLEAR_CACHE, lambda gpu_id, stats: ran.append(gpu_id))
monitor.register_alert_callback(Level.EMERGENCY, lambda alert: heard.append(1))
GPU0.at(97)
monitor.start_monitoring()
eventually(lambda: len(ran) > 10, "the tenth try")
report(heard=len(heard))
""",
        DUALGPUOPT_ALERTS="edge",
    )
    assert facts["heard"] == 1


# Settings, clocks, profiles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [0, 0.0005, 1e12])
def test_an_interval_that_the_core_refuses_is_brought_into_its_range(run_script: ScriptRunner, interval: float) -> None:
    facts = run_script(f"report(ids=sorted(legacy.MemoryMonitor({interval}).get_all_stats()))")
    assert facts["ids"] == [0, 1]


def test_what_is_no_index_is_an_unknown_gpu(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor()
monitor.register_profile(legacy.MemoryProfile("p", 0, 1, 1))
monitor.set_active_profile("p")
report(found=[[monitor.get_memory_stats(gpu), monitor.project_memory_usage(gpu), monitor.estimate_max_batch(gpu, 1)]
              for gpu in ("0", [], 2**70)])
"""
    )
    assert facts["found"] == [[{}, None, 1]] * 3


def test_a_wall_clock_set_back_does_not_change_a_projection(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor(0.02)
profile = legacy.MemoryProfile("p", 0, 1, 1, growth_rate=1.0)
monitor.register_profile(profile)
monitor.set_active_profile("p")
begun, true_time = time.monotonic(), time.time
GPU0.used = lambda: int(1_000 * MIB + 200 * MIB * (time.monotonic() - begun))
monitor.start_monitoring()
eventually(lambda: len(profile.usage_history) == 100)
before = monitor.project_memory_usage(0, 10.0)
time.time = lambda: true_time() - 3600
report(change=monitor.project_memory_usage(0, 10.0) - before)
"""
    )
    assert facts["change"] == pytest.approx(0, abs=1.0)


def test_a_profile_that_replaces_another_begins_anew(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor(0.02)
first, second = legacy.MemoryProfile("p", 0, 1, 1), legacy.MemoryProfile("p", 0, 1, 1)
monitor.register_profile(first)
monitor.set_active_profile("p")
monitor.start_monitoring()
eventually(lambda: len(first.usage_history) > 30)
monitor.stop_monitoring()
report(first=monitor.project_memory_usage(0))
monitor.register_profile(second)
monitor.set_active_profile("p")
report(second=monitor.project_memory_usage(0))
"""
    )
    assert facts["first"] == pytest.approx(10.0)
    assert facts["second"] is None


def test_alerts_of_the_mock_are_labelled_in_the_log(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
records = listen()
monitor = legacy.MemoryMonitor(0.02, warning_threshold=1.0)
monitor.start_monitoring()
eventually(lambda: len(records.all) > 2)
monitor.stop_monitoring()
report(alerts=[text for text in records.texts() if text.startswith("[GPU ")])
""",
        inject="nothing",
        DUALGPUOPT_MOCK_GPU="1",
    )
    assert facts["alerts"]
    assert all(text.endswith(" (simulated)") for text in facts["alerts"])


# Ends and forks ----------------------------------------------------------------------------------------------------


def test_who_iterates_over_events_comes_to_the_end_when_it_is_closed(run_script: ScriptRunner) -> None:
    run_script(
        """
import asyncio
monitor = legacy.MemoryMonitor(0.02)
async def hear():
    async for event in monitor.events():
        pass
async def main():
    hearing = asyncio.create_task(hear())
    await asyncio.sleep(0)  # it listens now
    await asyncio.get_running_loop().run_in_executor(None, monitor.close)
    await asyncio.wait_for(hearing, 10)
monitor.start_monitoring()
asyncio.run(main())
"""
    )


@forks
def test_a_forked_child_can_monitor_also_if_there_was_no_driver(run_script: ScriptRunner) -> None:
    run_script(
        """
sys.modules["pynvml"] = None
monitor = legacy.MemoryMonitor(0.02)
monitor.start_monitoring()
child = os.fork()
if child == 0:
    monitor.start_monitoring()
    os._exit(7 if len(monitor_threads()) == 1 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    )


@forks
def test_a_forked_child_has_its_monitor_also_if_the_parent_was_making_its_own(run_script: ScriptRunner) -> None:
    run_script(
        """
import pynvml, signal
initialise, inside, leave = pynvml.nvmlInit, threading.Event(), threading.Event()
def slow():
    inside.set()
    leave.wait(20)
    initialise()
pynvml.nvmlInit = slow
maker = threading.Thread(target=legacy.MemoryMonitor, daemon=True)
maker.start()
assert inside.wait(10)
child = os.fork()
if child == 0:
    signal.alarm(15)
    pynvml.nvmlInit = initialise
    os._exit(7 if sorted(legacy.MemoryMonitor().get_all_stats()) == [0, 1] else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
leave.set()
maker.join(20)
assert status == 7, status
"""
    )


# Warnings ----------------------------------------------------------------------------------------------------------


def warnings_of(application: Path) -> list[str]:
    command = [sys.executable, "-W", "always::DeprecationWarning", str(application)]
    surroundings: dict[str, Any] = environment("modules", "minimal", {})
    ended = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60, check=True)
    return [line for line in ended.stderr.splitlines() if "DeprecationWarning" in line]


@pytest.mark.parametrize(
    "line", ["importlib.import_module('dualgpuopt.memory_monitor')", "__import__('dualgpuopt.memory_monitor')"]
)
def test_an_import_by_a_call_is_warned_of_in_the_line_of_the_call(tmp_path: Path, line: str) -> None:
    application = tmp_path / "application.py"
    application.write_text(f"import importlib\n\n{line}\n")
    (warning,) = warnings_of(application)
    assert warning.startswith(f"{application}:3: DeprecationWarning: dualgpuopt.memory_monitor is deprecated")


def test_a_name_that_was_replaced_is_warned_of_once_where_it_is_used(tmp_path: Path) -> None:
    application = tmp_path / "application.py"
    application.write_text(
        "from dualgpuopt.memory import MemoryRecoveryStrategy as Strategy, get_memory_monitor\n"
        "for _ in range(3):\n"
        "    get_memory_monitor().register_recovery_function(Strategy.OFFLOAD, print)\n"
        "get_memory_monitor().register_recovery_strategy(Strategy.OFFLOAD, print)\n"
    )
    (warning,) = warnings_of(application)
    assert warning.startswith(f"{application}:3: DeprecationWarning: register_recovery_function")
    assert "register_recovery_strategy" in warning
