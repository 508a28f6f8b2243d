"""What importing the legacy module does, and what it does not do."""

from __future__ import annotations

import os
import subprocess
import sys
import typing
from pathlib import Path
from types import ModuleType

import pytest
from script_runner import ScriptRunner, environment

NAMES = [
    "MemoryUnit",
    "MemoryAlertLevel",
    "GPUMemoryStats",
    "MemoryAlert",
    "MemoryAlertCallback",
    "MemoryProfile",
    "MemoryRecoveryStrategy",
    "MemoryMonitor",
    "get_memory_monitor",
    "DEFAULT_PROFILES",
    "initialize_memory_profiles",
]


@pytest.mark.parametrize(
    "statement", ["import dualgpuopt.memory_monitor", "from dualgpuopt.memory_monitor import get_memory_monitor"]
)
def test_the_import_warns_and_the_warning_names_the_importing_line(tmp_path: Path, statement: str) -> None:
    application = tmp_path / "application.py"
    application.write_text(f"import os\n\n{statement}\n")
    (tmp_path / "main.py").write_text("import application\n")
    command = [sys.executable, "-W", "always::DeprecationWarning", str(tmp_path / "main.py")]
    done = subprocess.run(
        command, env=environment("modules", "minimal", {}), capture_output=True, text=True, timeout=60, check=True
    )
    warnings = [line for line in done.stderr.splitlines() if "DeprecationWarning" in line]
    assert len(warnings) == 1, done.stderr
    assert warnings[0].startswith(f"{application}:3: DeprecationWarning:")
    assert "dualgpuopt.memory" in warnings[0].replace("dualgpuopt.memory_monitor", "")


def test_the_new_name_does_not_warn() -> None:
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", "import dualgpuopt.memory"]
    subprocess.run(command, env=environment("nothing", "", {}), timeout=60, check=True)


@pytest.mark.parametrize("name", NAMES)
def test_each_name_of_the_shim_is_there(legacy: ModuleType, name: str) -> None:
    assert hasattr(legacy, name)


def test_names_are_the_same_objects_as_in_compat(legacy: ModuleType) -> None:
    from dualgpuopt.memory import compat

    assert [name for name in NAMES if getattr(compat, name) is not getattr(legacy, name)] == []


def test_the_callback_alias(legacy: ModuleType) -> None:
    arguments, result = typing.get_args(legacy.MemoryAlertCallback)
    assert arguments == [legacy.MemoryAlert] and result in (None, type(None))


def test_the_logger_is_visible(legacy: ModuleType) -> None:
    assert legacy.logger.name == "DualGPUOpt.MemoryMonitor"


def test_importing_touches_neither_the_driver_nor_the_world(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
import json
report(inits=stage.calls["nvmlInit"], threads=threading.active_count(), numpy="numpy" in sys.modules)
legacy.initialize_memory_profiles
report(still=stage.calls["nvmlInit"])
monitor = legacy.MemoryMonitor()
report(then=stage.calls["nvmlInit"])
""",
    )
    assert (facts["inits"], facts["still"]) == (0, 0)
    assert facts["then"] >= 1
    assert facts["threads"] == 1
    assert not facts["numpy"]
    assert facts["stderr"] == ""


@pytest.mark.parametrize("inject", ["modules", "path"])
@pytest.mark.parametrize("stub", ["minimal", "named"])
def test_an_injected_pynvml_is_read(run_script: ScriptRunner, inject: str, stub: str) -> None:
    facts = run_script(
        """
GPU0.at(25), GPU1.at(75)
stats = legacy.get_memory_monitor().get_memory_stats(unit=legacy.MemoryUnit.BYTES)
report(available=legacy.NVML_AVAILABLE, used={gpu: values["used"] for gpu, values in stats.items()})
""",
        inject=inject,
        stub=stub,
    )
    assert facts["available"] is True
    assert facts["used"] == {"0": 2_500 << 20, "1": 7_500 << 20}


def test_a_mock_object_as_pynvml_is_read(run_script: ScriptRunner) -> None:
    """As tests of integrations have it: every attribute exists, and names and UUIDs are objects of no meaning."""
    facts = run_script(
        """
from unittest import mock
pynvml = mock.MagicMock()
pynvml.NVMLError = type("NVMLError", (Exception,), {})
pynvml.nvmlDeviceGetCount.return_value = 2
pynvml.nvmlDeviceGetMemoryInfo.return_value = mock.Mock(total=8 * GIB, used=2 * GIB, free=6 * GIB)
pynvml.nvmlDeviceGetComputeRunningProcesses.return_value = [mock.Mock(pid=77, usedGpuMemory=GIB)]
sys.modules["pynvml"] = pynvml
stats = legacy.MemoryMonitor().get_all_stats()
report(ids=sorted(stats), used=[one["used_memory_bytes"] for one in stats.values()])
report(processes=[list(one["process_memory"].items()) for one in stats.values()])
""",
        inject="nothing",
    )
    assert facts["ids"] == [0, 1]
    assert facts["used"] == [2 << 30, 2 << 30]
    assert facts["processes"] == [[[77, 1 << 30]]] * 2


def test_a_driver_that_does_not_start_is_logged_and_nothing_is_invented(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
records = listen()
stage.driver_trouble = "Driver Not Loaded"
monitor = legacy.get_memory_monitor()
report(stats=monitor.get_all_stats(), memory=monitor.get_memory_stats(), one=monitor.get_memory_stats(0))
report(records=records.all, truth=bool(monitor))
""",
    )
    assert any(
        text.startswith("Failed to initialize NVML: ") and "Driver Not Loaded" in text for _, text in facts["records"]
    )
    assert all(level in ("WARNING", "ERROR") for level, _ in facts["records"])
    assert (facts["stats"], facts["memory"], facts["one"]) == ({}, {}, {})
    assert facts["truth"] is True


def test_a_driver_that_comes_later_is_found(run_script: ScriptRunner) -> None:
    run_script(
        """
stage.driver_trouble = "Driver Not Loaded"
monitor = legacy.MemoryMonitor(0.02)
assert monitor.get_all_stats() == {}
stage.driver_trouble = None
eventually(lambda: sorted(monitor.get_all_stats()) == [0, 1], "the retry")
""",
    )


def test_the_mock_is_had_on_request_only_and_is_labelled(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
records = listen()
stats = legacy.MemoryMonitor().get_all_stats()
report(totals=[one["total_memory_bytes"] for one in stats.values()], records=records.all)
""",
        inject="nothing",
        DUALGPUOPT_MOCK_GPU="1",
        DUALGPUOPT_GPU_COUNT="3",
    )
    assert facts["totals"] == [8 << 30] * 3
    assert [level for level, text in facts["records"] if "mock" in text or "simulated" in text] == ["WARNING"]


def test_without_a_driver_there_is_one_warning_and_no_gpu(run_script: ScriptRunner) -> None:
    if os.path.exists("/proc/driver/nvidia") or os.path.exists("/dev/dxg"):
        pytest.skip("this machine has an NVIDIA driver")
    facts = run_script(
        """
records = listen()
sys.modules["pynvml"] = None
monitor = legacy.MemoryMonitor()
report(available=legacy.NVML_AVAILABLE, stats=monitor.get_all_stats(), records=records.all)
""",
        inject="nothing",
    )
    assert facts["available"] is False
    assert facts["stats"] == {}
    assert [level for level, _ in facts["records"]] == ["WARNING"]
