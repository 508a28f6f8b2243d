"""The driver's library itself, by ctypes: who answers, and what a call costs."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from .markdown import Section, not_run, table

MEMORY_V2_VERSION = 0x02000028
LIST_ENTRIES, LIST_ENTRY_BYTES = 1024, 24


class Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class MemoryV2(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint),
        *((name, ctypes.c_ulonglong) for name in ("total", "reserved", "free", "used")),
    ]


class Utilization(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint) for name in ("gpu", "memory")]


class Nvml:
    """Initialised as long as it lives. Raises OSError without a library, RuntimeError without a driver or GPU."""

    def __init__(self, library: str, gpu: int) -> None:
        self.library = ctypes.CDLL(library)
        self.require("nvmlInit_v2", self.library.nvmlInit_v2())
        self.handle = ctypes.c_void_p()
        code = self.library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(gpu), ctypes.byref(self.handle))
        self.require(f"looking up GPU {gpu}", code)

    def __enter__(self) -> Nvml:
        return self

    def __exit__(self, *_: object) -> None:
        self.library.nvmlShutdown()

    @staticmethod
    def require(what: str, code: int) -> None:
        if code != 0:
            raise RuntimeError(f"{what} returns NVML code {code}")

    def driver_version(self) -> str:
        text = ctypes.create_string_buffer(80)
        self.require("the driver's version", self.library.nvmlSystemGetDriverVersion(text, 80))
        return text.value.decode()

    def name(self) -> str:
        text = ctypes.create_string_buffer(96)
        self.require("the GPU's name", self.library.nvmlDeviceGetName(self.handle, text, 96))
        return text.value.decode()


@dataclass(frozen=True)
class Cost:
    code: int
    median_us: float
    p99_us: float


def _cost(call: Callable[[], int], times: int) -> Cost:
    taken = []
    code = call()
    for _ in range(times):
        begun = time.perf_counter_ns()
        code = call()
        taken.append((time.perf_counter_ns() - begun) / 1000)
    taken.sort()
    return Cost(code, statistics.median(taken), taken[int(len(taken) * 0.99)])


def _calls(nvml: Nvml) -> dict[str, Callable[[], int]]:
    library, handle = nvml.library, nvml.handle
    memory, second, use = Memory(), MemoryV2(MEMORY_V2_VERSION), Utilization()
    entries = ctypes.create_string_buffer(LIST_ENTRIES * LIST_ENTRY_BYTES)
    count = ctypes.c_uint()

    def listing(name: str) -> Callable[[], int]:
        def call() -> int:
            count.value = LIST_ENTRIES
            return int(getattr(library, name)(handle, ctypes.byref(count), entries))

        return call

    return {
        "nvmlErrorString": lambda: int(bool(library.nvmlErrorString(0)) - 1),
        "nvmlDeviceGetMemoryInfo": lambda: int(library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))),
        "nvmlDeviceGetMemoryInfo_v2": lambda: int(library.nvmlDeviceGetMemoryInfo_v2(handle, ctypes.byref(second))),
        "nvmlDeviceGetComputeRunningProcesses_v3": listing("nvmlDeviceGetComputeRunningProcesses_v3"),
        "nvmlDeviceGetGraphicsRunningProcesses_v3": listing("nvmlDeviceGetGraphicsRunningProcesses_v3"),
        "nvmlDeviceGetUtilizationRates": lambda: int(library.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(use))),
    }


def _row(name: str, call: Callable[[], int], times: int) -> list[str]:
    try:
        cost = _cost(call, times)
    except AttributeError:
        return [name, "not in this driver", "", ""]
    return [name, str(cost.code), f"{cost.median_us:.1f}", f"{cost.p99_us:.1f}"]


def call_costs(library: str, gpu: int, times: int) -> Section:
    title = "What a call to the driver costs"
    try:
        with Nvml(library, gpu) as nvml:
            rows = [_row(name, call, times) for name, call in _calls(nvml).items()]
    except (OSError, RuntimeError, AttributeError) as error:
        return not_run(title, str(error))
    explanation = (
        f"{times:,} calls each, through ctypes, whose own cost is that of the first line, which asks the driver "
        "nothing. Code 0 is success."
    )
    return Section(title, [explanation, "", *table(["call", "code", "median, µs", "99 %, µs"], rows)])
