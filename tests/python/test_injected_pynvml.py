"""What is taken for a `pynvml` of the application's own, and how it is read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from dualgpuopt.memory import _injected_pynvml
from dualgpuopt.memory._injected_pynvml import InjectedPynvml
from dualgpuopt.memory.sources import CannotRead

GIB = 1 << 30
NOT_AVAILABLE = 2**64 - 1  # as NVML says it


class Driver:
    """As little as a module needs, and what it was asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.memory: Any = SimpleNamespace(total=8 * GIB, used=2 * GIB, free=6 * GIB)
        self.processes: list[Any] = []
        self.trouble: dict[str, Exception] = {}

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.trouble:
            raise self.trouble[name]

    def nvmlInit(self) -> None:
        self._call("nvmlInit")

    def nvmlShutdown(self) -> None:
        self._call("nvmlShutdown")

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        self._call("nvmlDeviceGetHandleByIndex")
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        self._call("nvmlDeviceGetMemoryInfo")
        return self.memory

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        self._call("nvmlDeviceGetComputeRunningProcesses")
        return self.processes


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def source(driver: Driver) -> InjectedPynvml:
    return InjectedPynvml(driver)


# Which module ------------------------------------------------------------------------------------------------------


def found(*path: Path) -> str:
    """What a fresh interpreter finds with these folders on its path."""
    script = "from dualgpuopt.memory import _injected_pynvml as p; print(getattr(p.find(), 'MINE', None))"
    paths = os.pathsep.join([os.environ.get("PYTHONPATH", ""), *map(str, path)])
    environment = {**os.environ, "PYTHONPATH": paths}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("file", ["pynvml.py", "pynvml/__init__.py"])
def test_a_module_on_the_path_is_found_unless_it_was_installed(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("MINE = 'mine'\n")
    assert found(tmp_path) == "mine"
    (tmp_path / "nvidia_ml_py-13.580.82.dist-info").mkdir()
    assert found(tmp_path) == "None"


def test_a_stub_in_a_folder_of_a_place_that_has_the_genuine_one_is_a_stub(tmp_path: Path) -> None:
    (tmp_path / "nvidia_ml_py-13.580.82.dist-info").mkdir()
    (tmp_path / "stubs").mkdir()
    (tmp_path / "stubs" / "pynvml.py").write_text("MINE = 'mine'\n")
    assert found(tmp_path / "stubs") == "mine"


@pytest.mark.parametrize("failure", ["ImportError()", "OSError('no library')", "RuntimeError('no')"])
def test_a_module_that_cannot_be_imported_is_none(tmp_path: Path, failure: str) -> None:
    (tmp_path / "pynvml.py").write_text(f"raise {failure}\n")
    assert found(tmp_path) == "None"


@pytest.mark.parametrize("module", [SimpleNamespace(), mock.MagicMock(), mock.Mock()])
def test_what_has_no_file_was_injected(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module)
    assert _injected_pynvml.find() is module


def test_one_that_was_blocked_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert _injected_pynvml.find() is None


# Reading -----------------------------------------------------------------------------------------------------------


def test_reads_what_the_module_says(driver: Driver, source: InjectedPynvml) -> None:
    driver.processes = [SimpleNamespace(pid=11, usedGpuMemory=GIB), SimpleNamespace(pid=12, usedGpuMemory=None)]
    (device,) = source.devices()
    assert (device.gpu, device.vendor) == (0, "nvidia")
    measured = source.read(0, processes=True)
    assert (measured.total, measured.used, measured.free) == (8 * GIB, 2 * GIB, 6 * GIB)
    assert measured.processes == [(11, GIB), (12, None)]


def test_processes_are_asked_for_only_when_wanted(driver: Driver, source: InjectedPynvml) -> None:
    source.devices()
    assert source.read(0, processes=False).processes is None
    assert "nvmlDeviceGetComputeRunningProcesses" not in driver.calls


def test_not_available_is_no_amount(driver: Driver, source: InjectedPynvml) -> None:
    driver.processes = [SimpleNamespace(pid=11, usedGpuMemory=NOT_AVAILABLE), SimpleNamespace(pid=12)]
    source.devices()
    assert source.read(0, processes=True).processes == [(11, None), (12, None)]


@pytest.mark.parametrize("nonsense", [None, "8", mock.MagicMock(), NOT_AVAILABLE, -1, float("nan")])
def test_what_is_no_number_is_no_reading(driver: Driver, source: InjectedPynvml, nonsense: Any) -> None:
    driver.memory.used = nonsense
    source.devices()
    with pytest.raises(CannotRead, match="no numbers"):
        source.read(0, processes=False)


def test_numbers_of_numpy_are_numbers(driver: Driver, source: InjectedPynvml) -> None:
    numpy = pytest.importorskip("numpy")
    driver.memory = SimpleNamespace(total=numpy.int64(8 * GIB), used=numpy.uint64(GIB), free=numpy.int64(7 * GIB))
    source.devices()
    measured = source.read(0, processes=False)
    assert (measured.total, type(measured.total), measured.used) == (8 * GIB, int, GIB)


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetHandleByIndex"])
@pytest.mark.parametrize(("error", "words"), [(OSError("GPU is lost"), "GPU is lost"), (KeyError(), "KeyError")])
def test_trouble_is_told_in_the_drivers_own_words(
    driver: Driver, source: InjectedPynvml, call: str, error: Exception, words: str
) -> None:
    driver.trouble[call] = error
    with pytest.raises(CannotRead) as told:
        source.devices()
        source.read(0, processes=False)
    assert str(told.value) == words


# Opening and closing -----------------------------------------------------------------------------------------------


def test_is_initialised_once_and_shut_down_once(driver: Driver, source: InjectedPynvml) -> None:
    source.close()
    source.devices()
    source.devices()
    source.close()
    source.close()
    assert [call for call in driver.calls if call in ("nvmlInit", "nvmlShutdown")] == ["nvmlInit", "nvmlShutdown"]


def test_is_opened_again_when_it_is_read_after_closing(driver: Driver, source: InjectedPynvml) -> None:
    source.devices()
    source.close()
    assert source.read(0, processes=False).total == 8 * GIB
    assert driver.calls.count("nvmlInit") == 2


def test_a_shutdown_that_fails_is_logged(
    driver: Driver, source: InjectedPynvml, caplog: pytest.LogCaptureFixture
) -> None:
    driver.trouble["nvmlShutdown"] = OSError("Uninitialized")
    source.devices()
    source.close()
    source.close()
    assert [record.getMessage() for record in caplog.records] == ["Failed to shut down NVML: Uninitialized"]


def test_closing_returns_when_it_is_done_whoever_does_it(driver: Driver, source: InjectedPynvml) -> None:
    entered, leave = threading.Event(), threading.Event()
    shut_down = driver.nvmlShutdown

    def slow() -> None:
        entered.set()
        assert leave.wait(10)
        shut_down()

    driver.nvmlShutdown = slow  # type: ignore[method-assign]
    source.devices()
    other = threading.Thread(target=source.close)
    other.start()
    assert entered.wait(10)
    seen: list[bool] = []
    mine = threading.Thread(target=lambda: (source.close(), seen.append("nvmlShutdown" in driver.calls)))
    mine.start()
    leave.set()
    mine.join(10)
    other.join(10)
    assert seen == [True]
    assert driver.calls.count("nvmlShutdown") == 1
