"""Gives unused memory of the frameworks' caches back to the driver; `dualgpuopt.memory.recovery` has it publicly."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from . import _core
from ._answers import StrategyAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .metrics import Snapshot
    from .monitor import MemoryMonitor
    from .recovery import RecoveryRequest

logger = logging.getLogger("DualGPUOpt.MemoryRecovery")

_REFRESH_S = 2.0
_BY = {"driver": "by the driver's count", "simulated": "by a simulated count", "replayed": "by a replayed count"}


class CacheAction(NamedTuple):
    """What was done about the cache of one framework.

    Attributes:
        framework: As in "PyTorch".
        cleared: Whether something was given back, or at least dropped.
        detail: In words; of a failure, its error.

    Example:
        >>> CacheAction("CuPy", True, "2.00 GiB given back").cleared
        True
    """

    framework: str
    cleared: bool
    detail: str


class ClearedCaches(StrategyAnswer):
    """What `clear_caches` did: the answer for the ladder, with the particulars.

    Attributes:
        actions: One for each framework that the application has imported, Python's own collector first.
        freed: Bytes by two readings of the monitor that was given, negative if use grew; None without one.

    Example:
        >>> report = clear_caches()
        >>> report.actions[0].framework, report.freed
        ('Python', None)
    """

    actions: tuple[CacheAction, ...]
    freed: int | None

    def __new__(cls, actions: tuple[CacheAction, ...], freed: int | None = None, count: str = "") -> ClearedCaches:
        told = [f"{action.framework}: {action.detail}" for action in actions]
        if freed is not None:
            told.append(f"{_signed(freed)} came back {count}")
        # What the collector finds lies in every program's memory: it is no sign that a cache was there.
        succeeded = any(action.cleared for action in actions[1:]) or (freed or 0) > 0
        report = super().__new__(cls, succeeded, "; ".join(told))
        report.actions, report.freed = actions, freed
        return report


def _signed(amount: int) -> str:
    return f"-{_core.format_bytes(-amount)}" if amount < 0 else str(_core.format_bytes(amount))


def _gave_back(amount: int) -> tuple[bool, str]:
    return amount > 0, f"{_core.format_bytes(amount)} given back" if amount > 0 else "nothing lay unused"


def cuda_devices_in_use() -> list[int]:
    """CUDA's numbers of the devices that this process works on; none where the driver is not loaded.

    Elsewhere a call to the runtime would make a context, which takes some hundred MiB of a GPU that nobody uses.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1", mode=os.RTLD_NOLOAD)
    except OSError:
        return []
    count, device, flags, active = ctypes.c_int(), ctypes.c_int(), ctypes.c_uint(), ctypes.c_int()
    if driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return []
    found = []
    for number in range(count.value):
        asked = driver.cuDeviceGet(ctypes.byref(device), number) or driver.cuDevicePrimaryCtxGetState(
            device, ctypes.byref(flags), ctypes.byref(active)
        )
        if asked == 0 and active.value:
            found.append(number)
    return found


def _collect(_: None) -> tuple[bool, str]:
    found = gc.collect()
    return found > 0, f"the collector found {found} objects"


def _clear_torch(torch: Any) -> tuple[bool, str]:
    """CUDA and HIP, XPU, MPS: whichever the application works on. One call empties the caches of all its devices."""
    done = [_empty_torch(torch, name) for name in ("cuda", "xpu") if _is_initialized(torch, name)]
    mps = getattr(torch, "mps", None)
    if mps is not None and torch.backends.mps.is_available():
        mps.empty_cache()
        done.append((True, "the cache of MPS emptied"))
    if not done:
        return False, "no GPU is initialised"
    return any(cleared for cleared, _ in done), ", ".join(detail for _, detail in done)


def _is_initialized(torch: Any, name: str) -> bool:
    backend = getattr(torch, name, None)
    return bool(getattr(backend, "is_initialized", lambda: False)())


def _empty_torch(torch: Any, name: str) -> tuple[bool, str]:
    backend = getattr(torch, name)
    devices = range(backend.device_count())
    before = {device: backend.memory_reserved(device) for device in devices}
    used = [device for device in devices if before[device] > 0]
    if not used:
        return _gave_back(0)
    # This thread's own device may be one that the application does not use: a call there would take memory of it.
    with backend.device(used[0]):
        backend.empty_cache()
    return _gave_back(sum(before[device] - backend.memory_reserved(device) for device in used))


def _cupy_pools(cupy: Any) -> Iterator[Any]:
    """Its own pool, and one that the application has put in its place."""
    own = cupy.get_default_memory_pool()
    yield own
    current = getattr(getattr(cupy.cuda, "get_allocator", lambda: None)(), "__self__", None)
    if current is not None and current is not own and hasattr(current, "free_all_blocks"):
        yield current


def _clear_cupy(cupy: Any) -> tuple[bool, str]:
    unused = 0
    for device in cuda_devices_in_use():
        with cupy.cuda.Device(device):
            for pool in _cupy_pools(cupy):
                unused += pool.free_bytes()
                pool.free_all_blocks()
                unused -= pool.free_bytes()
    cupy.get_default_pinned_memory_pool().free_all_blocks()
    return _gave_back(unused)


def _clear_jax(jax: Any) -> tuple[bool, str]:
    bridge = sys.modules.get("jax._src.xla_bridge")
    if not getattr(bridge, "backends_are_initialized", lambda: True)():
        return False, "no GPU is initialised"
    jax.clear_caches()
    return True, "compiled functions dropped; arrays stay, and so does the pool that it has preallocated"


def _clear_tensorflow(_: Any) -> tuple[bool, str]:
    return False, "nothing to do, it keeps its memory until the process ends"


_FRAMEWORKS: tuple[tuple[str, str, Callable[[Any], tuple[bool, str]]], ...] = (
    ("torch", "PyTorch", _clear_torch),
    ("cupy", "CuPy", _clear_cupy),
    ("jax", "JAX", _clear_jax),
    ("tensorflow", "TensorFlow", _clear_tensorflow),
)


def _act(name: str, clear: Callable[[Any], tuple[bool, str]], module: Any) -> CacheAction:
    try:
        return CacheAction(name, *clear(module))
    except Exception as error:  # one framework's trouble is not the others'
        logger.error("Cannot clear the caches of %s: %s", name, error)
        return CacheAction(name, False, f"{type(error).__name__}: {error}")


def _clear_all() -> tuple[CacheAction, ...]:
    loaded = [(name, clear, sys.modules.get(module)) for module, name, clear in _FRAMEWORKS]
    return (
        _act("Python", _collect, None),  # first: what it lets go of goes into the caches
        *(_act(name, clear, module) for name, clear, module in loaded if module is not None),
    )


def _occupied(snapshot: Snapshot, gpu: int | None) -> int | None:
    """Bytes of the device, or of all; None where one cannot be read."""
    devices = [device for device in snapshot.devices if gpu is None or device.gpu == gpu]
    if not devices or any(device.status != "ok" or device.memory is None for device in devices):
        return None
    amounts = [device.memory.occupied for device in devices if device.memory is not None]
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _measure(monitor: MemoryMonitor, gpu: int | None) -> tuple[int | None, str]:
    """By a reading that is younger than this call."""
    monitor._guarded(lambda: monitor._live().refresh(_REFRESH_S))
    snapshot = monitor.snapshot()
    return _occupied(snapshot, gpu), _BY.get(snapshot.provenance, "")


def clear_caches(
    target: RecoveryRequest | int | None = None, memory_stats: Any = None, *, monitor: MemoryMonitor | None = None
) -> ClearedCaches:
    """The built-in CLEAR_CACHE strategy: gives back to the driver what frameworks keep and do not use.

    Python's collector; PyTorch's caches of CUDA, HIP, XPU and MPS; CuPy's pools, pinned ones included; JAX's compiled
    functions. What lives in tensors and arrays is not touched, and TensorFlow gives nothing back. Only frameworks that
    the application has imported and works with are spoken to: nothing is imported, no device is initialised. One that
    fails does not stop the others. Each clears the caches of all its devices at once.

    Thread-safe as far as the frameworks are; finalizers of what the collector finds run on the calling thread. The next
    allocations of the application are slower, and JAX compiles anew.

    Args:
        target: The ladder's request, or the index of a GPU: whose bytes to report. None: those of all.
        memory_stats: Not used; there so that the original's monitor can call it.
        monitor: Reports by two fresh readings of it what came back. Not for use within a ladder, which measures
            itself. One that does not run is started and stopped for that.

    Returns:
        Whether a framework had something to give back, or the monitor saw memory come back; and what each did.

    Raises:
        MonitorError: The monitor was closed.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor, RecoveryStrategy
        >>> monitor = MemoryMonitor("sim:demo")
        >>> monitor.register_strategy(RecoveryStrategy.CLEAR_CACHE, clear_caches)
        >>> report = clear_caches(0, monitor=monitor)
        >>> report.detail.endswith("came back by a simulated count")
        True
        >>> monitor.close()
    """
    gpu = target if target is None or isinstance(target, int) else target.gpu
    if monitor is None:
        return ClearedCaches(_clear_all())
    before, _ = _measure(monitor, gpu)
    actions = _clear_all()
    after, count = _measure(monitor, gpu)
    freed = None if before is None or after is None else before - after
    return ClearedCaches(actions, freed, count)
