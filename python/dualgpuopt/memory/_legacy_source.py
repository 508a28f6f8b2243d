"""Where the original module's monitor gets its readings: what the application injected, the driver, or a mock."""

from __future__ import annotations

import os
from typing import NamedTuple

from . import _injected_pynvml
from .sources import MemorySource

MOCK_VARIABLE, COUNT_VARIABLE = "DUALGPUOPT_MOCK_GPU", "DUALGPUOPT_GPU_COUNT"
MOST_MOCK_GPUS = 64

# Fills slowly, falls back and begins again, without coming near the warning level.
_MOCK_GPU = """
[[gpu]]
name = "Mock GPU {gpu}"
total = "8GiB"

[[gpu.process]]
pid = {pid}
name = "mock"

[[gpu.process.motion]]
kind = "step"
amount = "2GiB"

[[gpu.process.motion]]
kind = "sawtooth"
period = "2min"
amount = "3GiB"
"""


class Choice(NamedTuple):
    """A source to try. `is_simulated`: by the user's own wish, and said in the log."""

    source: str | MemorySource
    is_simulated: bool = False


def wants_mock() -> bool:
    return os.environ.get(MOCK_VARIABLE, "").strip().lower() in ("1", "true", "yes", "on")


def mock_count() -> int:
    """How many; the pair if the variable says nothing sensible."""
    text = os.environ.get(COUNT_VARIABLE, "2").strip()
    count = int(text) if text.isdecimal() else 2
    return min(max(count, 1), MOST_MOCK_GPUS)


def mock() -> Choice:
    gpus = "".join(_MOCK_GPU.format(gpu=gpu, pid=100 + gpu) for gpu in range(mock_count()))
    return Choice(f'sim:title = "Mock GPUs"\n{gpus}', is_simulated=True)


def measured() -> Choice:
    """The application's own module before the driver."""
    module = _injected_pynvml.find()
    return Choice("nvml" if module is None else _injected_pynvml.InjectedPynvml(module))
