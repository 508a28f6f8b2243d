"""The loop over chunks and the size behind it: errors of all kinds, signals, the ladder, the contract's names."""

from __future__ import annotations

import gc
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import GIB, StagedSource, eventually
from dualgpuopt.memory import AlertLevel, Threshold, Thresholds, _core, compat
from dualgpuopt.memory.metrics import Reading
from dualgpuopt.memory.monitor import MemoryMonitor
from dualgpuopt.memory.oom import is_out_of_memory
from dualgpuopt.memory.recovery import (
    Appended,
    BatchSizeController,
    Decision,
    Ladder,
    MemoryRecoveryStrategy,
    RecoveryManager,
    RecoveryRequest,
    RecoveryStrategy,
    clear_caches,
)

OOM = "CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 23.65 GiB total capacity; 20.00 GiB already allocated)"


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def controller_of(ceiling: int, **settings: Any) -> BatchSizeController:
    return BatchSizeController(ceiling, **{"clear": list, **settings})


def work(controller: BatchSizeController, count: int, fits: int) -> list[int]:
    """One batch on a GPU that holds so many elements at once; the sizes of the chunks that were done."""
    done: list[int] = []
    sizes: list[int] = []
    for chunk in controller.split(list(range(count))):
        with chunk:
            if chunk.size > fits:
                raise RuntimeError(OOM)
            done += chunk.data
            sizes.append(chunk.size)
    assert done == list(range(count))
    return sizes


# The loop ---------------------------------------------------------------------------------------------------------


def test_a_batch_that_fits_is_one_chunk_and_the_batch_itself() -> None:
    batch = [1, 2, 3]
    (chunk,) = [each for each in controller_of(8).split(batch) if each.__enter__() and not each.__exit__(*[None] * 3)]
    assert chunk.data is batch
    assert (chunk.size, chunk.weight, chunk.is_first, chunk.is_last) == (3, 1.0, True, True)


def test_what_failed_comes_again_smaller_and_the_size_is_kept_for_the_next_batch() -> None:
    controller = controller_of(64)
    assert work(controller, 64, fits=20) == [16, 16, 16, 16]
    assert work(controller, 40, fits=20) == [16, 16, 8]
    assert controller.last_change
    assert controller.last_change[:3] == (32, 16, "out_of_memory")


def test_a_batch_may_begin_anew_instead() -> None:
    saved: list[int] = []
    results: list[int] = []

    class Noted(Appended):
        def save(self) -> None:
            saved.append(len(results))
            super().save()

    for chunk in controller_of(4).split([1, 2, 3, 4, 5, 6], undo=Noted(results), restart=True):
        with chunk:
            if chunk.start == 4 and chunk.size > 1:
                raise RuntimeError(OOM)
            results += chunk.data
    assert results == [1, 2, 3, 4, 5, 6]
    assert saved == [0, 0], "once for each beginning"


def test_at_the_floor_the_error_leaves_with_an_explanation() -> None:
    controller = controller_of(8, floor=2)
    error = RuntimeError(OOM)
    with pytest.raises(RuntimeError) as raised:
        for chunk in controller.split(list(range(8))):
            with chunk:
                raise error
    assert raised.value is error
    (note,) = error.__notes__
    assert note.startswith("gpumem: 2 of 8 elements ran out of memory, and no fewer are allowed at a time (floor 2)\n")
    assert "PyTorch asked for 2.0 GiB on GPU 0" in note
    assert note in "".join(traceback.format_exception(error)) or sys.version_info < (3, 11)


def test_a_note_is_the_cause_where_exceptions_have_none() -> None:
    class Old(RuntimeError):
        add_note = property()  # as before Python 3.11: hasattr is false

    with pytest.raises(Old) as raised:
        for chunk in controller_of(1).split([1]):
            with chunk:
                raise Old(OOM)
    assert "gpumem: 1 of 1 elements" in str(raised.value.__cause__)


def test_what_is_put_back_is_put_back_before_the_error_leaves() -> None:
    results: list[int] = []
    with pytest.raises(RuntimeError, match="out of memory"):
        for chunk in controller_of(2).split([1, 2, 3], undo=Appended(results)):
            with chunk:
                results += chunk.data
                if chunk.start == 2:
                    raise RuntimeError(OOM)
    assert results == [1, 2]


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), GeneratorExit(), MemoryError()]
)
def test_other_exceptions_pass_through_untouched(error: BaseException) -> None:
    controller = controller_of(2)
    results: list[int] = []
    with pytest.raises(type(error)) as raised:
        for chunk in controller.split([1, 2, 3], undo=Appended(results)):
            with chunk:
                results += chunk.data
                raise error
    assert raised.value is error
    assert not hasattr(error, "__notes__")
    assert results == [1, 2], "what it did is the application's affair"
    assert (controller.size, controller.last_change) == (2, None)
    assert work(controller, 4, fits=2) == [2, 2]


def test_a_loop_may_be_left() -> None:
    controller = controller_of(2)

    def generate() -> Iterator[list[int]]:
        for chunk in controller.split([1, 2, 3]):
            with chunk:
                yield chunk.data

    generator = generate()
    assert next(generator) == [1, 2]
    generator.close()
    for chunk in controller.split([1, 2, 3]):
        with chunk:
            break
    assert controller.size == 2
    assert work(controller, 3, fits=2) == [2, 1]


def test_continue_in_the_body_counts_as_done() -> None:
    seen = []
    for chunk in controller_of(1).split([1, 2, 3]):
        with chunk:
            seen.append(chunk.start)
            continue
    assert seen == [0, 1, 2]


def test_a_body_without_with_is_told() -> None:
    with pytest.raises(RuntimeError, match="write `with chunk:` around the body of the loop"):
        for _ in controller_of(4).split([1]):
            pass


def test_a_chunk_is_entered_once() -> None:
    (chunk,) = [next(controller_of(4).split([1]))]
    with chunk:
        pass
    with pytest.raises(RuntimeError, match="entered once"), chunk:
        pass


def test_what_counts_as_out_of_memory_can_be_told() -> None:
    controller = controller_of(4, is_oom=lambda error: isinstance(error, MemoryError))
    seen = []
    for chunk in controller.split([1, 2, 3, 4]):
        with chunk:
            if chunk.size > 2:
                raise MemoryError
            seen.append(chunk.data)
    assert seen == [[1, 2], [3, 4]]


def test_the_memory_of_the_failed_attempt_is_free_before_the_next() -> None:
    class Tensor:
        pass

    alive: list[weakref.ref[Tensor]] = []
    gc.disable()

    def forward(size: int) -> None:
        activations = Tensor()
        alive.append(weakref.ref(activations))
        if size > 1:
            raise RuntimeError(OOM)

    cleared: list[list[bool]] = []
    controller = controller_of(2, clear=lambda: cleared.append([each() is None for each in alive]))
    try:
        for chunk in controller.split([1, 2]):
            with chunk:
                forward(chunk.size)
    finally:
        gc.enable()
    assert cleared == [[True]]


def test_loops_may_be_nested() -> None:
    rows, columns = controller_of(2), controller_of(3)
    seen = []
    for outer in rows.split([1, 2, 3]):
        with outer:
            for inner in columns.split([10, 20, 30, 40]):
                with inner:
                    if inner.size > 2:
                        raise RuntimeError(OOM)
                    seen.append((outer.data, inner.data))
    assert seen[0] == ([1, 2], [10])
    assert rows.size == 2, "an error that the inner loop takes is none of the outer's"


# The decorator, and what has no batch -----------------------------------------------------------------------------


def test_a_guarded_function_of_several_ranks_says_what_to_put_back() -> None:
    controller = BatchSizeController(4, agree=lambda numbers: numbers)
    with pytest.raises(ValueError, match="say with undo= what to put back"):
        controller.guard(sum)([1, 2, 3])
    assert controller.guard(sum, undo=(), combine=sum)([1, 2, 3]) == 6


def test_a_guarded_function_gets_chunks_and_its_results_come_in_order() -> None:
    controller = controller_of(8)

    @controller.guard
    def double(part: list[int], plus: int, *, limit: int) -> list[int]:
        """Doubles."""
        if len(part) > limit:
            raise RuntimeError(OOM)
        return [2 * each + plus for each in part]

    assert double.__doc__ == "Doubles."
    assert double([1, 2, 3, 4, 5], 1, limit=3) == [[3, 5, 7, 9], [11]] or controller.size <= 3
    assert [each for part in double(list(range(9)), 0, limit=3) for each in part] == list(range(0, 18, 2))
    assert controller.guard(sum, combine=sum)(list(range(9))) == 36


def test_a_step_is_tried_again_with_cleared_caches() -> None:
    events: list[str] = []
    controller = controller_of(4, clear=lambda: events.append("clear"))

    class Noted:
        def save(self) -> None:
            events.append("save")

        def restore(self) -> None:
            events.append("restore")

    def step(good: int) -> int:
        events.append("step")
        if events.count("step") < 2:
            raise RuntimeError(OOM)
        return good

    assert controller.retry(step, 7, undo=Noted()) == 7
    assert events == ["save", "step", "restore", "clear", "save", "step"]
    assert controller.size == 4, "it has nothing to do with the batch"
    events.clear()
    with pytest.raises(RuntimeError) as raised:
        controller.retry(step, 7, attempts=1)
    assert "ran out of memory 1 times" in raised.value.__notes__[0]
    with pytest.raises(ZeroDivisionError):
        controller.retry(lambda: 1 // 0)


# Signals ----------------------------------------------------------------------------------------------------------


def test_alerts_from_another_thread_count_at_the_next_chunk() -> None:
    controller = controller_of(8)
    alert = compat.MemoryAlert(AlertLevel.CRITICAL, 0, "full", 91.0, 90.0)
    sizes = []
    for chunk in controller.split(list(range(16))):
        with chunk:
            sizes.append(chunk.size)
            if chunk.start == 0:
                teller = threading.Thread(target=controller.on_alert, args=(alert,))
                teller.start()
                teller.join()
    assert sizes == [8, 4, 4]


def test_many_threads_at_once_leave_the_size_within_its_bounds() -> None:
    controller = controller_of(64, floor=2, patience=1, hold=0, settle=0, retry=0)
    ended = threading.Event()
    levels = [AlertLevel.NORMAL, AlertLevel.WARNING, AlertLevel.CRITICAL, AlertLevel.EMERGENCY]

    def tell() -> None:
        while not ended.is_set():
            for level in levels:
                controller.on_alert(compat.MemoryAlert(level, 0, "", 0.0, 0.0))

    tellers = [threading.Thread(target=tell) for _ in range(3)]
    for teller in tellers:
        teller.start()
    results: list[list[int]] = []

    def loop() -> None:
        for _ in range(50):
            results.append(work(controller, 100, fits=20))

    loops = [threading.Thread(target=loop) for _ in range(2)]
    for each in loops:
        each.start()
    for each in loops:
        each.join(60)
    ended.set()
    for teller in tellers:
        teller.join(10)
    assert len(results) == 100
    assert 2 <= controller.size <= 64


def test_the_originals_alerts_count_for_the_hold() -> None:
    clock = Clock()
    controller = controller_of(8, step=1, patience=1, hold=30, settle=0, clock=clock)
    controller.on_alert(compat.MemoryAlert(AlertLevel.CRITICAL, 0, "full", 91.0, 90.0))
    clock.time += 29
    assert work(controller, 12, fits=8) == [4, 4, 4]
    clock.time += 1
    assert work(controller, 16, fits=8) == [4, 5, 6, 1]


def test_a_watched_monitor_is_heeded(staged: StagedSource) -> None:
    controller = controller_of(32, hold=0.2, settle=0, patience=1, step=100, calm_risk=1.0)
    with MemoryMonitor(staged, interval=0.05) as monitor:
        subscription = controller.watch(monitor)
        monitor.wait_for_snapshot()
        assert work(controller, 32, fits=32) == [32]
        staged.used[1] = 22 * GIB
        eventually(lambda: controller.safe_point() < 32)
        assert controller.last_change
        assert controller.last_change.cause in ("level", "forecast", "request")
        staged.used[1] = 3 * GIB
        eventually(lambda: controller.safe_point() and sum(work(controller, 32, fits=32)) and controller.size == 32)
        subscription.cancel()
        staged.used[1] = 23 * GIB
        eventually(lambda: monitor.snapshot().devices[1].level is AlertLevel.EMERGENCY)
        assert controller.safe_point() == 32
    assert controller.safe_point() == 32, "a closed monitor is no trouble"


def test_only_its_own_gpus_are_heeded(staged: StagedSource) -> None:
    controller = controller_of(32, gpus=[0])
    with MemoryMonitor(staged, interval=0.05) as monitor:
        controller.watch(monitor)
        monitor.wait_for_snapshot()
        staged.used[1] = 23 * GIB
        eventually(lambda: monitor.snapshot().devices[1].level is AlertLevel.EMERGENCY)
        assert controller.safe_point() == 32
    assert controller.reduce(1)[:2] == (False, "this batch is not on GPU 1")


def test_simulated_readings_are_not_acted_on_unless_it_is_a_demonstration() -> None:
    for simulated, size in ((False, 32), (True, 16)):
        controller = controller_of(32, simulated=simulated)
        thresholds = Thresholds(warning=Threshold(1.0), critical=Threshold(2.0), hysteresis_percent=0.5)
        monitor = MemoryMonitor("sim:demo", thresholds=thresholds)
        controller.watch(monitor)
        monitor.step()
        assert controller.safe_point() == size
        monitor.close()


def test_a_forecast_shrinks_before_a_level_is_reached() -> None:
    policy = _core.BatchSizeController(32, 1, 0, 0.5, 8, 30.0, 5.0, 600.0, "critical", 30.0, 0.1)
    policy.on_forecast(0, 31.0, 0.9, 100.0)
    assert policy.size == 32
    policy.on_forecast(0, 29.0, 0.9, 101.0)
    assert (policy.size, policy.last_change) == (16, (32, 16, "forecast", 101.0))


def test_settings_that_make_no_sense_are_named() -> None:
    for settings, text in (
        ({"ceiling": 0}, "floor is 1, above the ceiling of 0"),
        ({"floor": 9}, "floor is 9, above the ceiling of 8"),
        ({"decrease": 1.0}, "decrease is 1"),
        ({"hold": -1.0}, "hold is negative"),
        ({"retry": 1e6}, "retry is longer than a day"),
        ({"step": -1}, "none is negative"),
    ):
        with pytest.raises(ValueError, match=text):
            BatchSizeController(**{"ceiling": 8, **settings})  # type: ignore[arg-type]


@given(st.lists(st.sampled_from(["oom", "request", "warning", "critical", "normal", "done", "soon"]), max_size=80))
def test_bounds_hold_for_any_signals(signals: list[str]) -> None:
    clock = Clock()
    controller = controller_of(50, floor=3, patience=1, hold=2, settle=1, retry=5, clock=clock)
    for signal in signals:
        clock.time += 1
        before = controller.size
        if signal == "oom":
            assert controller._shared.on_out_of_memory(before) == (before > 3)
            assert controller.size < before or before == 3
        elif signal == "request":
            controller.reduce(0)
        elif signal == "done":
            controller._shared.on_done(before)
        elif signal == "soon":
            controller._shared._policy.on_forecast(0, 1.0, 1.0, clock())
        else:
            controller._shared.on_level(0, AlertLevel[signal.upper()])
        assert 3 <= controller.size <= 50
        assert controller.size <= before or signal == "done"


# The ladder -------------------------------------------------------------------------------------------------------


def request(time_left: float = 10.0, gpu: int = 0, stop: bool = False) -> RecoveryRequest:
    reading = Reading(gpu, 0.0, None, "driver", None, "", None, ())
    return RecoveryRequest(RecoveryStrategy.REDUCE_BATCH, gpu, reading, 0, GIB, time_left, lambda: stop)


def test_a_request_is_carried_out_at_the_applications_safe_point_and_caches_are_cleared_there() -> None:
    threads: list[str] = []
    controller = controller_of(8, clear=lambda: threads.append(threading.current_thread().name))
    answers: list[Any] = []
    asker = threading.Thread(target=lambda: answers.append(controller.reduce(request())))
    sizes = []
    for chunk in controller.split(list(range(16))):
        with chunk:
            sizes.append(chunk.size)
            if chunk.is_first:
                asker.start()
                eventually(lambda: controller.size == 4)
                time.sleep(0.02)
                assert answers == [], "the chunk is being worked on"
    asker.join(10)
    assert sizes == [8, 4, 4]
    assert [answer[:2] for answer in answers] == [(True, "4 at a time from now on")]
    assert threads == [threading.current_thread().name]


def test_a_request_whose_safe_point_does_not_come_fails_in_time_and_stays_asked_for() -> None:
    controller = controller_of(8)
    began = time.monotonic()
    answer = controller.reduce(request(time_left=0.1))
    assert time.monotonic() - began < 5
    assert (answer.succeeded, controller.safe_point()) == (False, 4)
    assert "did not come in time" in answer.detail
    assert not controller_of(8).reduce(request(time_left=3600, stop=True))
    assert controller_of(1).reduce(request())[:2] == (False, "1 at a time are the fewest already")


def test_the_ladder_measures_after_the_safe_point(staged: StagedSource) -> None:
    """Every element takes a GiB, and what is given back stays in the cache until that is cleared."""
    cached = [0]

    def clear() -> None:
        staged.used[0] -= cached[0]
        cached[0] = 0

    controller = controller_of(20, clear=clear)
    decisions: list[Decision] = []
    ladder = Ladder(rungs=(RecoveryStrategy.REDUCE_BATCH,), trigger=AlertLevel.EMERGENCY, settle=0.05)
    with MemoryMonitor(staged, interval=0.05, ladder=ladder) as monitor:
        monitor.subscribe_decisions(decisions.append)
        monitor.register_strategy(RecoveryStrategy.REDUCE_BATCH, controller.reduce)
        deadline = time.monotonic() + 20
        while not decisions and time.monotonic() < deadline:
            for chunk in controller.split(list(range(20))):
                with chunk:
                    staged.used[0] = 2 * GIB + max(cached[0], (21 if chunk.size == 20 else chunk.size) * GIB)
                    time.sleep(0.05)
                    cached[0] = staged.used[0] - 2 * GIB
    (rung,) = decisions[0].rungs
    assert (rung.strategy, rung.detail) == (RecoveryStrategy.REDUCE_BATCH, "10 at a time from now on")
    assert (rung.outcome, decisions[0].end) == ("freed", "target_reached")


def test_a_strategy_that_is_not_watched_any_more_says_so(staged: StagedSource) -> None:
    controller = controller_of(8)
    monitor = MemoryMonitor(staged)
    controller.watch(monitor).cancel()
    strategy = monitor._strategies[RecoveryStrategy.REDUCE_BATCH]
    assert strategy(request())[:2] == (False, "this batch is not watched any more")
    assert controller.size == 8
    monitor.close()


# The contract's names ---------------------------------------------------------------------------------------------


def test_works_under_the_names_of_the_contract() -> None:
    controller = controller_of(8, settle=0)
    manager = RecoveryManager()
    manager.register_strategy(MemoryRecoveryStrategy.CLEAR_CACHE, lambda gpu, stats: False)
    manager.register_strategy(MemoryRecoveryStrategy.REDUCE_BATCH, controller.reduce)
    for size in (4, 2, 1):
        assert manager.attempt_recovery(0, None)
        assert controller.size == size
    assert not manager.attempt_recovery(0, None), "a failure that looks like a tuple is a failure"
    assert not manager.execute_strategy(MemoryRecoveryStrategy.REDUCE_BATCH, 0, None)
    assert clear_caches(0, None).freed is None


# Which errors -----------------------------------------------------------------------------------------------------


def kind_of(name: str, module: str, base: type[Exception] = RuntimeError) -> type[Exception]:
    return type(name, (base,), {"__module__": module})


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(OOM),
        RuntimeError("cuda runtime error (2) : out of memory at /pytorch/aten/src/THC/generic/THCStorage.cu:58"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("HIP out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "MPS backend out of memory (MPS allocated: 1.00 GB, max allowed: 3 GB). Tried to allocate 256 bytes"
        ),
        kind_of("OutOfMemoryError", "torch.cuda")("whatever its text"),
        kind_of("OutOfMemoryError", "torch")("whatever its text"),
        kind_of("OutOfMemoryError", "cupy.cuda.memory", MemoryError)("Out of memory allocating 8,000 bytes"),
        kind_of("XlaRuntimeError", "jaxlib.xla_extension")(
            "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes."
        ),
        kind_of("ResourceExhaustedError", "tensorflow.python.framework.errors_impl", Exception)(
            "OOM when allocating tensor with shape[8,1024] on /device:GPU:0 by allocator GPU_0_bfc"
        ),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_is_out_of_memory(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shape mismatch"),
        ValueError(OOM),
        KeyboardInterrupt(OOM),
        RuntimeError("NCCL error: unhandled cuda error, ncclUnhandledCudaError: Cuda failure 'out of memory'"),
        kind_of("OutOfMemoryError", "mylibrary")("the shelf is full"),
        MemoryError(OOM),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 40000000000 bytes."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_is_not_out_of_memory(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_the_hosts_memory_counts_on_request() -> None:
    assert is_out_of_memory(MemoryError(), host=True)
    assert is_out_of_memory(
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."), host=True
    )
    assert not is_out_of_memory(ValueError(), host=True)
