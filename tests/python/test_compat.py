"""What the legacy monitor is beyond the contract's suite: its new interface, no driver, and forks."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

PYNVML = """
import sys, types
module = types.ModuleType("pynvml")
class memory: total, used, free = 24 << 30, 1 << 30, 23 << 30
def at(used): memory.used, memory.free = used << 30, (24 - used) << 30
module.nvmlInit = module.nvmlShutdown = lambda: None
module.nvmlDeviceGetCount = lambda: 1
module.nvmlDeviceGetHandleByIndex = lambda index: index
module.nvmlDeviceGetMemoryInfo = lambda handle: memory
module.nvmlDeviceGetComputeRunningProcesses = lambda handle: []
sys.modules["pynvml"] = module
import time
def eventually(condition):
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)
"""


def run(source: str, **environment: str) -> Any:
    command = [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", source]
    surroundings = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=surroundings)


def output(source: str, **environment: str) -> str:
    ended = run(PYNVML + textwrap.dedent(source), **environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return str(ended.stdout.strip())


def test_both_interfaces_on_one_monitor() -> None:
    shown = output(
        """
        from dualgpuopt.memory import AlertLevel, MemoryAlertLevel, MemoryMonitor, RecoveryStrategy, get_memory_monitor
        from dualgpuopt.memory import compat
        monitor = compat.MemoryMonitor(0.02, warning_threshold=50.0)
        assert monitor is get_memory_monitor() and isinstance(monitor, MemoryMonitor)
        old, new = [], []
        monitor.register_alert_callback(MemoryAlertLevel.WARNING, old.append)
        monitor.subscribe(AlertLevel.WARNING, new.append)
        at(13)
        monitor.start()
        eventually(lambda: len(old) > 3 and new)
        monitor.stop()
        print(len(new), new[0].level.name, new[0].threshold.percent, old[0].level is new[0].level)
        print(monitor.snapshot().devices[0].memory.used >> 30, len(monitor.devices))
        """
    )
    assert shown.split() == ["1", "WARNING", "50.0", "True", "13", "1"]


def test_subscribers_hear_again_after_a_shutdown() -> None:
    shown = output(
        """
        from dualgpuopt.memory import AlertLevel, compat
        monitor = compat.MemoryMonitor(0.02)
        heard = []
        monitor.subscribe(AlertLevel.WARNING, heard.append)
        at(20)
        for count in (1, 2):
            monitor.start_monitoring()
            eventually(lambda: len(heard) == count)
            monitor.shutdown()
        print([alert.event for alert in heard])
        """
    )
    assert shown == "['raised', 'raised']"


def test_thresholds_that_make_no_sense_to_the_core_still_work_as_they_did() -> None:
    shown = output(
        """
        from dualgpuopt.memory import MemoryAlertLevel, compat
        monitor = compat.MemoryMonitor(0.02, warning_threshold=96.0, critical_threshold=50.0, emergency_threshold=99.0)
        heard = []
        monitor.register_alert_callback(MemoryAlertLevel.CRITICAL, heard.append)
        at(13)
        monitor.start_monitoring()
        eventually(lambda: heard)
        monitor.shutdown()
        print(heard[0])
        """
    )
    assert shown == "[GPU 0] CRITICAL: Memory usage on GPU 0 is approaching critical level (54.2% > 50.0%)"


def test_a_history_that_the_application_writes_counts_at_once() -> None:
    shown = output(
        """
        from dualgpuopt.memory import MemoryProfile, compat
        monitor = compat.MemoryMonitor(0.02)
        profile = MemoryProfile("mine", 0, 1, 1, growth_rate=1.0)
        monitor.register_profile(profile)
        monitor.set_active_profile("mine")
        monitor.start_monitoring()
        eventually(lambda: len(profile.usage_history) > 10)
        monitor.stop_monitoring()
        flat = monitor.project_memory_usage(0)
        now = time.time()
        profile.usage_history = [(now - 180 + 60 * minute, (4 + minute) << 30) for minute in (0, 1, 2, 3, 3)]
        grown = monitor.project_memory_usage(0, 60.0)
        profile.usage_history.clear()
        print(round(flat * 24 / 100, 2), round(grown * 24 / 100, 1), monitor.project_memory_usage(0))
        """
    )
    assert shown == "1.0 8.0 None"


def test_thresholds_that_are_no_numbers_are_complained_of_and_mended() -> None:
    shown = output(
        """
        from dualgpuopt.memory import MemoryAlertLevel, compat
        monitor = compat.MemoryMonitor(0.02)
        heard = []
        monitor.register_alert_callback(MemoryAlertLevel.WARNING, heard.append)
        at(20)
        monitor.warning_threshold = "high"
        monitor.start_monitoring()
        eventually(lambda: monitor.get_memory_stats(0))
        monitor.warning_threshold = 70.0
        eventually(lambda: heard)
        monitor.shutdown()
        print(heard[0].threshold)
        """
    )
    assert shown == "70.0"


def test_a_forked_child_reads_anew() -> None:
    shown = output(
        """
        import os
        from dualgpuopt.memory import compat
        monitor = compat.MemoryMonitor(0.02)
        monitor.start_monitoring()
        eventually(lambda: monitor.get_memory_stats(0))
        child = os.fork()
        if child == 0:
            at(7)
            eventually(lambda: monitor.get_memory_stats(0).get("used") == 7.0)
            monitor.start_monitoring()
            monitor.shutdown()
            os._exit(5)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), monitor.get_memory_stats(0)["used"])
        """
    )
    assert shown == "5 1.0"


def test_the_interpreter_ends_in_peace_while_others_read() -> None:
    source = """
        import threading
        from dualgpuopt.memory import AlertLevel, MemoryAlertLevel, compat
        at(22)
        monitor = compat.MemoryMonitor(0.001)
        monitor.register_alert_callback(MemoryAlertLevel.CRITICAL, str)
        monitor.subscribe(AlertLevel.WARNING, str)
        monitor.start_monitoring()
        def look():
            while True:
                monitor.get_memory_stats(0), monitor.get_all_stats()
        threading.Thread(target=look, daemon=True).start()
        eventually(lambda: monitor.get_memory_stats(0))
        """
    for _ in range(12):
        output(source)


def test_without_a_driver_there_is_a_warning_and_nothing_else() -> None:
    ended = run(
        "from dualgpuopt.memory import get_memory_monitor, MonitorError\n"
        "monitor = get_memory_monitor()\n"
        "print(monitor.get_all_stats(), monitor.get_memory_stats(0), monitor.running)\n"
        "monitor.start_monitoring(); monitor.stop_monitoring(); monitor.shutdown()\n"
        "try:\n    monitor.snapshot()\nexcept MonitorError as error:\n    print(error)\n"
    )
    assert ended.returncode == 0
    assert ended.stdout.startswith("{} {} False\nthere is no GPU that could be monitored: cannot load libnvidia-ml")
    assert ended.stderr.count("NVML not available, no GPU memory is monitored: ") == 1


def test_a_renamed_method_warns_once_and_names_the_new_one() -> None:
    shown = output(
        """
        import warnings
        from dualgpuopt.memory import MemoryRecoveryStrategy, get_memory_monitor
        monitor = get_memory_monitor()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(3):
                monitor.register_recovery_function(MemoryRecoveryStrategy.OFFLOAD, print)
            monitor.register_recovery_strategy(MemoryRecoveryStrategy.OFFLOAD, print)
        print(len(caught), caught[0].category.__name__, caught[0].filename, caught[0].message)
        """
    )
    expected = "1 DeprecationWarning <string> register_recovery_function is deprecated: use register_recovery_strategy"
    assert shown == expected


def test_the_mock_is_labelled_and_as_large_as_it_was() -> None:
    source = "from dualgpuopt.memory import get_memory_monitor as get\nprint(get().get_memory_stats())\n"
    ended = run(source, DUALGPUOPT_MOCK_GPU="1", DUALGPUOPT_GPU_COUNT="3")
    stats = eval(ended.stdout)
    assert {gpu: entry["total"] for gpu, entry in stats.items()} == {0: 8.0, 1: 8.0, 2: 8.0}
    assert "using mock GPU memory monitoring: simulated GPUs" in ended.stderr


def test_a_genuine_pynvml_is_left_to_the_core(tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text("raise RuntimeError('imported')\n")
    (tmp_path / "nvidia_ml_py-13.0.dist-info").mkdir()
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    ended = run(
        "from dualgpuopt.memory import get_memory_monitor as get; print(get().get_all_stats())", PYTHONPATH=path
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "{}")
    assert "libnvidia-ml" in ended.stderr
