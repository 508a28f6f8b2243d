"""A stand-in driver of one generation with one scenario on it, and processes that its scenario can name."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SKIPPED = 77
HERE = Path(__file__).resolve().parent
SCENARIO, CALLS = "scenario.toml", "calls"
LIVING = ("LIVING_1", "LIVING_2", "LIVING_3")


@dataclass(frozen=True)
class Workshop:
    """Where the things lie that a test needs."""

    gpumem: Path
    fakes: Path
    clients: Path

    @property
    def python(self) -> Path:
        return self.clients / "bin" / "python"

    def library(self, generation: str) -> Path:
        return self.fakes / f"nvml-{generation}"


@dataclass(frozen=True)
class Stage:
    environment: Mapping[str, str]
    folder: Path

    def change(self, old: str, new: str) -> None:
        """Rewrites the scenario, for whoever comes next."""
        file = self.folder / SCENARIO
        text = file.read_text()
        assert old in text, old
        file.write_text(text.replace(old, new))

    def calls(self) -> dict[str, int]:
        """How often each function of the stand-in was called by the last client that ended."""
        pairs = (line.split() for line in (self.folder / CALLS).read_text().splitlines())
        return {name: int(count) for name, count in pairs}


def workshop_from_arguments() -> Workshop:
    """Takes our arguments off sys.argv and leaves unittest its own."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("gpumem", "fakes", "clients"):
        parser.add_argument(f"--{name}", type=lambda text: Path(text).resolve(), required=True)
    found, sys.argv[1:] = parser.parse_known_args()
    return Workshop(found.gpumem, found.fakes, found.clients)


def skip(reason: str) -> None:
    print(f"SKIPPED: {reason}")
    sys.exit(SKIPPED)


def require_python_clients(workshop: Workshop) -> None:
    if not (workshop.clients / "installed.txt").exists():
        skip("the clients are not installed; scripts/install-clients does that")


@contextlib.contextmanager
def _sleepers(count: int) -> Iterator[list[int]]:
    """PIDs of processes that live as long as the context."""
    started = [subprocess.Popen(["sleep", "600"]) for _ in range(count)]
    try:
        yield sorted(child.pid for child in started)
    finally:
        for child in started:
            child.kill()
            child.wait()


def _dead_pid() -> int:
    """The number of a process that was there a moment ago: the kernel gives it to nobody else for a long time."""
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def _filled(text: str, numbers: Mapping[str, int]) -> str:
    return re.sub(r"@(\w+)@", lambda match: str(numbers[match.group(1)]), text)


def _environment(library: Path, folder: Path) -> dict[str, str]:
    own = {key: value for key, value in os.environ.items() if not key.startswith("NVML_FAKE_")}
    own.pop("CUDA_VISIBLE_DEVICES", None)
    return own | {
        "LD_LIBRARY_PATH": str(library),
        "NVML_FAKE_SCENARIO": str(folder / SCENARIO),
        "NVML_FAKE_CALLS": str(folder / CALLS),
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextlib.contextmanager
def staged(workshop: Workshop, scenario: str, generation: str) -> Iterator[Stage]:
    """In the scenario @LIVING_1@ to @LIVING_3@ stand for processes that run, by rising PID, and @DEAD@ for none."""
    library = workshop.library(generation)
    if not (library / "libnvidia-ml.so.1").exists():
        raise FileNotFoundError(f"no stand-in driver in {library}")
    text = (HERE / "scenarios" / f"{scenario}.toml").read_text()
    with tempfile.TemporaryDirectory() as name, _sleepers(len(LIVING)) as living:
        folder = Path(name)
        numbers = dict(zip(LIVING, living, strict=True)) | {"DEAD": _dead_pid()}
        (folder / SCENARIO).write_text(_filled(text, numbers))
        yield Stage(_environment(library, folder), folder)
