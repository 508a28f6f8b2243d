"""Reads through a `pynvml` module that the application put there itself, as tests of existing integrations do.

The genuine one, of nvidia-ml-py, is left alone: the core reads the driver directly, and better.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import numbers
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .metrics import Device
from .sources import CannotRead, Measurement

_GENUINE = ("nvidia_ml_py*.dist-info", "pynvml*.dist-info", "nvidia_ml_py*.egg-info", "pynvml*.egg-info")
CLOSING_S = 1.0  # a call that hangs in the driver is not waited for longer

logger = logging.getLogger("DualGPUOpt.MemoryMonitor")


def _is_genuine(file: str | None) -> bool:
    """Whether an installed distribution of NVIDIA's bindings lies beside the module's file."""
    if not file or not isinstance(file, str):
        return False
    module = Path(file)
    installed = module.parent.parent if module.stem == "__init__" else module.parent
    return any(any(installed.glob(pattern)) for pattern in _GENUINE)


def find() -> Any | None:
    """The application's own module, imported if it is only on the path; None if there is none."""
    if "pynvml" in sys.modules:
        module = sys.modules["pynvml"]
        return None if module is None or _is_genuine(getattr(module, "__file__", None)) else module
    try:
        spec = importlib.util.find_spec("pynvml")
    except (ImportError, ValueError):
        return None
    if spec is None or _is_genuine(spec.origin):
        return None
    try:
        return importlib.import_module("pynvml")
    except Exception as error:  # whatever a module that is not ours does: it cannot be read through
        logger.debug("The module %s cannot be imported: %s", spec.origin, error)
        return None


def _text(value: Any) -> str | None:
    """What older bindings give as bytes; None for anything else, a mock's answers included."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    """None for what is no amount: NVML's own "not available", 2**64 - 1, and a mock's answers included."""
    number: Any = value if isinstance(value, numbers.Real) else None
    return int(number) if number is not None and 0 <= number < 2**63 else None


def _words(error: Exception) -> str:
    """The driver's own."""
    return str(error) or type(error).__name__


class InjectedPynvml:
    """A source of readings over that module. Only what every stub has is needed; UUID and name are taken if there."""

    name = "pynvml"
    provenance = "driver"

    def __init__(self, module: Any) -> None:
        self._module = module
        self._handles: list[Any] = []
        self._open = False
        self._opening = threading.Lock()

    def devices(self) -> Sequence[Device]:
        """Initialises the driver at the first call, and looks again at later ones."""
        try:
            with self._opening:
                if not self._open:
                    self._module.nvmlInit()
                    self._open = True
            count = int(self._module.nvmlDeviceGetCount())
        except Exception as error:
            raise CannotRead(_words(error)) from error
        found = [self._look_up(gpu) for gpu in range(count)]
        self._handles = [handle for handle, _ in found]
        return [device for _, device in found]

    def read(self, gpu: int, processes: bool) -> Measurement:
        """Raises CannotRead in the driver's words."""
        if not self._open:  # it was closed meanwhile
            self.devices()
        handle = self._handles[gpu]
        if isinstance(handle, Exception):
            raise CannotRead(_words(handle))
        try:
            memory = self._module.nvmlDeviceGetMemoryInfo(handle)
        except Exception as error:
            raise CannotRead(_words(error)) from error
        total, used = _number(memory.total), _number(memory.used)
        if total is None or used is None:
            raise CannotRead("the pynvml module gives no numbers")
        free = _number(getattr(memory, "free", None))
        return Measurement(total, used, free, None, self._processes(handle) if processes else None)

    def close(self) -> None:
        """Lets go of the driver; when it returns, that is done, whoever else does it at the same time."""
        if not self._opening.acquire(timeout=CLOSING_S):
            logger.warning("A call hangs in the pynvml module: the driver stays open")
            return
        try:
            if self._open:
                self._open = False
                self._module.nvmlShutdown()
        except Exception as error:
            logger.warning("Failed to shut down NVML: %s", error)
        finally:
            self._opening.release()

    def _look_up(self, gpu: int) -> tuple[Any, Device]:
        try:
            handle = self._module.nvmlDeviceGetHandleByIndex(gpu)
        except Exception as error:  # a lost GPU is one unavailable device
            return error, Device(gpu, f"pynvml-{gpu}", vendor="nvidia")
        uuid = self._ask("nvmlDeviceGetUUID", handle)
        name = self._ask("nvmlDeviceGetName", handle)
        return handle, Device(gpu, uuid or f"pynvml-{gpu}", name or f"GPU {gpu}", uuid, vendor="nvidia")

    def _ask(self, function: str, handle: Any) -> str | None:
        call: Callable[[Any], Any] | None = getattr(self._module, function, None)
        try:
            return _text(call(handle)) if call else None
        except Exception:  # it is only a name
            return None

    def _processes(self, handle: Any) -> list[tuple[int, int | None]] | None:
        try:
            listed = self._module.nvmlDeviceGetComputeRunningProcesses(handle)
            return [(int(entry.pid), _number(getattr(entry, "usedGpuMemory", None))) for entry in listed]
        except Exception:  # no list, which is not the reading's failure
            return []
