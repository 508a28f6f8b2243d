"""The wheel as users get it: alone in an empty environment, and in DualGPUOptimizer's own package directory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# What that package has: an __init__.py, and a memory_monitor.py and a memory/ which ours replace.
THEIRS = {
    "dualgpuopt/__init__.py": "OWNER = 'theirs'\n",
    "dualgpuopt/gui.py": "from dualgpuopt.memory_monitor import get_memory_monitor, MemoryAlertLevel\n",
    "dualgpuopt/memory_monitor.py": "OWNER = 'theirs'\n",
    "dualgpuopt/memory/__init__.py": "OWNER = 'theirs'\n",
    "dualgpuopt/memory/monitor.py": "OWNER = 'theirs'\n",
}


def run(*command: object, cwd: Path | None = None) -> str:
    words = [str(word) for word in command]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.strip()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # With the flags of ./test, so that ccache has the objects already.
    flags = "--config-settings=cmake.define.CMAKE_COMPILE_WARNING_AS_ERROR=ON"
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", flags, "-w", folder, ROOT)
    (built,) = folder.glob("dualgpuopt_memory-*.whl")
    return built


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    run(sys.executable, "-m", "venv", tmp_path / "env")
    return tmp_path / "env" / "bin"


def install(environment: Path, wheel: Path) -> None:
    run(environment / "python", "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel)


def their_wheel(folder: Path) -> Path:
    """A wheel is a zip file with a list of its files."""
    about = "dualgpuoptimizer-0.1.dist-info"
    files = {
        **THEIRS,
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: dualgpuoptimizer\nVersion: 0.1\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }

    def line(name: str, text: str) -> str:
        digest = urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        return f"{name},sha256={digest},{len(text)}\n"

    record = "".join(line(name, text) for name, text in files.items()) + f"{about}/RECORD,,\n"
    path = folder / "dualgpuoptimizer-0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(name, text)
    return path


def test_has_the_package_its_types_and_the_command(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("py.typed", "_core.pyi", "README.md", "compat.py", "monitor.py"):
        assert f"dualgpuopt/memory/{name}" in names
    assert "dualgpuopt/memory_monitor.py" in names
    assert "dualgpuopt/__init__.py" not in names
    assert any(name.endswith("scripts/gpumem") for name in names)
    assert not any("__pycache__" in name or name.startswith(("include", "lib")) for name in names)


def test_works_alone_in_an_empty_environment(wheel: Path, environment: Path, tmp_path: Path) -> None:
    install(environment, wheel)
    script = """
from dualgpuopt.memory import AlertLevel, MemoryMonitor
with MemoryMonitor("sim:demo", interval=0.1) as monitor:
    snapshot = monitor.wait_for_snapshot(timeout=10)
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from dualgpuopt.memory_monitor import MemoryAlertLevel
print(len(snapshot.devices), snapshot.provenance, MemoryAlertLevel is AlertLevel, len(caught))
"""
    assert run(environment / "python", "-X", "dev", "-c", script, cwd=tmp_path) == "2 simulated True 1"
    assert run(environment / "gpumem", "--version").startswith("gpumem ")


def test_takes_its_place_in_their_package(wheel: Path, environment: Path, tmp_path: Path) -> None:
    install(environment, their_wheel(tmp_path))
    install(environment, wheel)
    script = """
import dualgpuopt, dualgpuopt.gui, dualgpuopt.memory, dualgpuopt.memory_monitor
print(dualgpuopt.OWNER, hasattr(dualgpuopt.memory, "OWNER"), hasattr(dualgpuopt.memory_monitor, "OWNER"))
print(dualgpuopt.gui.MemoryAlertLevel is dualgpuopt.memory.AlertLevel)
"""
    shown = run(environment / "python", "-W", "ignore", "-c", script, cwd=tmp_path)
    assert shown.split() == ["theirs", "False", "False", "True"]


def test_a_source_checkout_shadows_it(wheel: Path, environment: Path, tmp_path: Path) -> None:
    """As the package's README says: started in the checkout's folder, Python finds the checkout's modules first."""
    install(environment, wheel)
    for name, text in THEIRS.items():
        (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "checkout" / name).write_text(text)
    script = "import dualgpuopt.memory as m; print(getattr(m, 'OWNER', 'ours'), m.__file__)"
    owner, file = run(environment / "python", "-c", script, cwd=tmp_path / "checkout").split()
    assert owner == "theirs"
    assert "checkout" in file
