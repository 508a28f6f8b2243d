"""Clearing caches: only what is imported and at work is spoken to, and each framework says what it did."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from conftest import GIB, StagedSource, eventually
from dualgpuopt.memory import _caches
from dualgpuopt.memory.monitor import MemoryMonitor
from dualgpuopt.memory.recovery import (
    Decision,
    Ladder,
    MemoryRecoveryStrategy,
    RecoveryManager,
    RecoveryStrategy,
    clear_caches,
    default_clear_cuda_cache,
)

FRAMEWORKS = ("torch", "cupy", "jax", "tensorflow")


class Backend:
    """torch.cuda or torch.xpu with two devices."""

    def __init__(self, cached: list[int], initialized: bool = True) -> None:
        self.cached = cached
        self.initialized = initialized
        self.entered: list[int] = []
        self.emptied = 0
        self.trouble: Exception | None = None

    def is_initialized(self) -> bool:
        return self.initialized

    def device_count(self) -> int:
        assert self.initialized, "that would initialise it"
        return len(self.cached)

    def memory_reserved(self, device: int) -> int:
        assert self.initialized, "that would initialise it"
        return self.cached[device]

    @contextmanager
    def device(self, device: int) -> Iterator[None]:
        self.entered.append(device)
        yield

    def empty_cache(self) -> None:
        if self.trouble:
            raise self.trouble
        self.emptied += 1
        self.cached = [0 for _ in self.cached]


class Pool:
    """A pool of CuPy."""

    def __init__(self, unused: int) -> None:
        self.unused = unused

    def free_bytes(self) -> int:
        return self.unused

    def free_all_blocks(self) -> None:
        self.unused = 0

    def malloc(self, size: int) -> None:
        """Only its owner counts."""


@pytest.fixture(autouse=True)
def nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*FRAMEWORKS, "jax._src.xla_bridge"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands in for an imported framework."""

    def put_module(name: str, **members: Any) -> Any:
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return put_module


def actions() -> dict[str, tuple[bool, str]]:
    return {action.framework: (action.cleared, action.detail) for action in clear_caches().actions}


def test_imports_nothing() -> None:
    assert list(actions()) == ["Python"]
    assert [name for name in FRAMEWORKS if name in sys.modules] == []


def test_a_programs_own_garbage_is_no_success() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    del cycle
    report = clear_caches()
    assert report.actions[0].cleared
    assert not report
    assert report.freed is None


def test_empties_every_initialised_device_of_pytorch(put: Any) -> None:
    cuda = Backend([0, 3 * GIB])
    put("torch", cuda=cuda)
    assert actions()["PyTorch"] == (True, "3.0 GiB given back")
    assert cuda.entered == [1], "a call for GPU 0, which is not used, would take memory of it"


def test_initialises_nothing_of_pytorch(put: Any) -> None:
    cuda = Backend([GIB], initialized=False)
    put("torch", cuda=cuda, xpu=Backend([GIB], initialized=False))
    assert actions()["PyTorch"] == (False, "no GPU is initialised")
    assert cuda.emptied == 0


def test_leaves_an_empty_cache_alone(put: Any) -> None:
    cuda = Backend([0, 0])
    put("torch", cuda=cuda)
    assert actions()["PyTorch"] == (False, "nothing lay unused")
    assert cuda.emptied == 0


def test_empties_xpu_and_mps_where_they_are(put: Any) -> None:
    emptied: list[str] = []
    put(
        "torch",
        cuda=Backend([0], initialized=False),
        xpu=Backend([2 * GIB]),
        mps=SimpleNamespace(empty_cache=lambda: emptied.append("mps")),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True)),
    )
    assert actions()["PyTorch"] == (True, "2.0 GiB given back, the cache of MPS emptied")
    assert emptied == ["mps"]


def test_frees_the_pools_of_cupy_where_it_works(put: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    default, own, pinned = Pool(GIB), Pool(2 * GIB), Pool(5)
    entered: list[int] = []

    @contextmanager
    def device(number: int) -> Iterator[None]:
        entered.append(number)
        yield

    put(
        "cupy",
        cuda=SimpleNamespace(Device=device, get_allocator=lambda: own.malloc),
        get_default_memory_pool=lambda: default,
        get_default_pinned_memory_pool=lambda: pinned,
    )
    monkeypatch.setattr(_caches, "cuda_devices_in_use", lambda: [1])
    assert actions()["CuPy"] == (True, "3.0 GiB given back")
    assert (entered, default.unused, own.unused, pinned.unused) == ([1], 0, 0, 0)


def test_says_what_jax_and_tensorflow_keep(put: Any) -> None:
    cleared: list[str] = []
    put("jax", clear_caches=lambda: cleared.append("jax"))
    put("tensorflow")
    told = actions()
    assert told["JAX"][0]
    assert "arrays stay" in told["JAX"][1]
    assert told["TensorFlow"] == (False, "nothing to do, it keeps its memory until the process ends")
    put("jax._src.xla_bridge", backends_are_initialized=lambda: False)
    assert actions()["JAX"] == (False, "no GPU is initialised")
    assert cleared == ["jax"]


def test_one_that_fails_does_not_stop_the_others(put: Any) -> None:
    cuda = Backend([GIB])
    cuda.trouble = RuntimeError("CUDA error: an illegal memory access was encountered")
    put("torch", cuda=cuda)
    put("cupy")  # half imported: it has nothing
    put("jax", clear_caches=lambda: None)
    report = clear_caches()
    assert [action.cleared for action in report.actions[1:]] == [False, False, True]
    assert "RuntimeError: CUDA error: an illegal memory access" in report.detail
    assert report


def test_no_context_is_looked_for_where_the_driver_is_not_loaded() -> None:
    assert _caches.cuda_devices_in_use() == []


def test_counts_by_fresh_readings_of_a_monitor(put: Any, staged: StagedSource) -> None:
    class Shared(Backend):
        def empty_cache(self) -> None:
            super().empty_cache()
            staged.used[1] -= GIB

    put("torch", cuda=Shared([0, GIB]))
    with MemoryMonitor(staged, interval=0.05) as monitor:
        monitor.wait_for_snapshot()
        report = clear_caches(1, monitor=monitor)
        assert (report.freed, report.succeeded) == (GIB, True)
        assert report.detail.endswith("1.0 GiB came back by the driver's count")
        assert clear_caches(monitor=monitor).freed == 0
        staged.used[0] = -1
        eventually(lambda: monitor.snapshot().devices[0].status != "ok")
        assert clear_caches(monitor=monitor).freed is None, "what cannot be read is no number"


def test_counts_with_a_monitor_that_does_not_run(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged)
    assert clear_caches(0, monitor=monitor).freed == 0
    assert not monitor.running
    monitor.close()


def test_use_that_grew_meanwhile_is_said_so(put: Any, staged: StagedSource) -> None:
    def grow() -> None:
        staged.used[0] += GIB

    put("jax", clear_caches=grow)
    with MemoryMonitor(staged, interval=0.05) as monitor:
        report = clear_caches(0, monitor=monitor)
    assert report.freed == -GIB
    assert "-1.0 GiB came back" in report.detail


def test_is_a_rung_that_the_ladder_measures(put: Any, staged: StagedSource) -> None:
    class Shared(Backend):
        def empty_cache(self) -> None:
            super().empty_cache()
            staged.used[0] = 2 * GIB

    put("torch", cuda=Shared([21 * GIB]))
    staged.used[0] = 23 * GIB
    decisions: list[Decision] = []
    with MemoryMonitor(staged, interval=0.05, ladder=Ladder(settle=0.05)) as monitor:
        monitor.subscribe_decisions(decisions.append)
        monitor.register_strategy(RecoveryStrategy.CLEAR_CACHE, clear_caches)
        eventually(lambda: decisions)
    (rung,) = decisions[0].rungs
    assert (decisions[0].end, rung.outcome, decisions[0].freed) == ("target_reached", "freed", 21 * GIB)
    assert "PyTorch: 21.0 GiB given back" in rung.detail


def test_works_under_the_names_of_the_contract(put: Any) -> None:
    manager = RecoveryManager()
    manager.register_strategy(MemoryRecoveryStrategy.CLEAR_CACHE, clear_caches)
    assert not manager.attempt_recovery(0, None), "there was nothing to give back"
    put("torch", cuda=Backend([GIB]))
    assert manager.attempt_recovery(0, None)
    assert default_clear_cuda_cache(0, None) is True
