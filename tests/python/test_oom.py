"""Out-of-memory errors: explained, reported, and hooked."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import types

import pytest

from conftest import GIB, StagedSource
from dualgpuopt.memory.monitor import MemoryMonitor
from dualgpuopt.memory.oom import explain_oom, explained, install_oom_hook, report_oom

CUDA_OOM = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 1 has a total capacity of 24.00 GiB of which 1.00 GiB is "
    "free. Process 4711 has 20.00 GiB memory in use. Of the allocated memory 2.00 GiB is allocated by PyTorch, and "
    "512.00 MiB is reserved by PyTorch but unallocated."
)


def test_says_what_the_text_says_and_nothing_else() -> None:
    (error,) = explain_oom("step 7\nRuntimeError: " + CUDA_OOM)
    assert (error.source, error.gpu, error.line, error.fatal) == ("PyTorch", 1, 2, True)
    assert (error.requested, error.total, error.free) == (GIB * 5 // 2, 24 * GIB, GIB)
    assert (error.limit, error.process) == (None, None)
    assert error.others == ((4711, 20 * GIB, False),)
    assert (error.backend, error.application) == ("cuda", None)
    assert "Process 4711 holds 20.0 GiB" in error.measures[0]


@pytest.mark.parametrize("text", ["", "all is well", "\udcff broken \x00 text"])
def test_finds_nothing_where_there_is_nothing(text: str) -> None:
    assert explain_oom(text) == []
    assert explained(text) == ""


def test_takes_bytes_and_refuses_what_is_no_text():
    (error,) = explain_oom(CUDA_OOM.encode() + b"\xff")
    assert error.source == "PyTorch"
    for what in (None, RuntimeError(CUDA_OOM), 7):
        with pytest.raises(TypeError, match="takes a text, and this is of type"):
            explain_oom(what)


def test_a_report_is_made_of_out_of_memory_errors_only() -> None:
    out = io.StringIO()
    assert not report_oom(ValueError("no"), file=out)
    assert out.getvalue() == ""
    assert report_oom(RuntimeError(CUDA_OOM), file=out)
    assert out.getvalue().startswith("gpumem: PyTorch asked for 2.5 GiB on GPU 1")


def test_a_monitor_adds_the_processes_and_the_last_minute(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged)
    monitor.step()
    text = explained(CUDA_OOM, monitor)
    assert "GPU 1 in the last minute: 3.0 GiB to 3.0 GiB in use" in text
    assert "process 4711" in text
    monitor.close()
    assert explained(CUDA_OOM, monitor).startswith("PyTorch asked"), "a closed monitor hides nothing"


def test_the_hook_speaks_after_the_traceback_and_keeps_the_exit_code() -> None:
    program = (
        f"from dualgpuopt.memory.oom import install_oom_hook\ninstall_oom_hook()\nraise RuntimeError({CUDA_OOM!r})"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    traceback, _, explanation = ended.stderr.partition("gpumem: ")
    assert "Traceback" in traceback
    assert explanation.startswith("PyTorch asked for 2.5 GiB on GPU 1")


@pytest.mark.parametrize("raised", ["raise ValueError('wrapped') from error", "raise ValueError('wrapped')"])
def test_the_hook_explains_what_another_error_was_raised_for(raised: str) -> None:
    program = f"""
from dualgpuopt.memory.oom import install_oom_hook
install_oom_hook()
try:
    raise RuntimeError({CUDA_OOM!r})
except RuntimeError as error:
    {raised}
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "gpumem: PyTorch asked for 2.5 GiB on GPU 1" in ended.stderr


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_hook_hears_threads_and_can_be_removed(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise RuntimeError(CUDA_OOM)

    before = (sys.excepthook, threading.excepthook)
    remove = install_oom_hook()
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    remove()
    assert (sys.excepthook, threading.excepthook) == before
    assert "gpumem: PyTorch asked for 2.5 GiB on GPU 1" in capsys.readouterr().err


def test_torch_tells_at_the_moment_of_the_error(
    staged: StagedSource, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    observers: list[types.FunctionType] = []
    inner = types.SimpleNamespace(_cuda_attach_out_of_memory_observer=observers.append)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(_C=inner))  # type: ignore[arg-type]
    monitor = MemoryMonitor(staged)
    monitor.step()
    install_oom_hook(monitor)()
    observers[0](0, 2 * GIB, 24 * GIB, GIB)
    told = capsys.readouterr().err
    assert "gpumem: PyTorch asked for 2.0 GiB on GPU 0, and 1.0 GiB of 24.0 GiB were free" in told
    assert "process 4711" in told
    monitor.close()
