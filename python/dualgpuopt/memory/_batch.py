"""How many elements of a batch to take at a time; `dualgpuopt.memory.recovery` has it by its public names."""

from __future__ import annotations

import functools
import time
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, TypeVar, Union

from . import _core
from ._answers import StrategyAnswer
from ._batch_signals import Signals
from ._caches import clear_caches
from ._chunks import Chunks, let_go_of_frames
from ._distributed import Agree, each_alone, require_alone
from ._explanations import explain_in
from ._shared_batch_size import BatchSizeChange, SharedBatchSize
from ._training_state import Appended, Undo
from .alerts import AlertLevel, Subscription
from .oom import is_out_of_memory

if TYPE_CHECKING:
    from .monitor import MemoryMonitor
    from .recovery import RecoveryRequest

Result = TypeVar("Result")
Undos = Union[Undo, Sequence[Undo], None]


def _as_sequence(undo: Undos) -> Sequence[Undo]:
    if undo is None:
        return ()
    return undo if isinstance(undo, Sequence) else (undo,)


class BatchSizeController:
    """Takes a batch in chunks that fit: fewer elements at a time when memory runs short, one step more in calm.

    It shrinks to half (`decrease`) when a chunk runs out of memory, when a GPU reaches the critical level, when
    exhaustion is near by the forecast, and when the ladder asks for it. It grows by `step` after `patience` full
    chunks in a row, not before `hold` seconds after it shrank, never to a size that ran out of memory less than
    `retry` seconds ago, and only while all GPUs that it hears of are calm. Sizes change between chunks only.

    Methods may be called from any thread; each loop over chunks belongs to one thread.

    Args:
        ceiling: Never more elements at a time; it begins with so many.
        floor: Never fewer.
        step: It grows by so many; 0: by a sixteenth of the ceiling, at least 1.
        decrease: It shrinks to this part, between 0 and 1.
        patience: Full chunks in a row before it grows.
        hold: Seconds after it shrank in which it does not grow.
        settle: Seconds after it shrank in which further signals count as the same trouble.
        retry: Seconds before a size that ran out of memory is tried again; doubles each time it fails again.
        shrink_from: The level at which it shrinks.
        shrink_within: Seconds to exhaustion, by the forecast, at which it shrinks.
        calm_risk: Above this risk, 0 to 1, it does not grow.
        gpus: Indices of the GPUs to heed; None: all.
        simulated: Heed simulated and replayed readings, too: for demonstrations.
        is_oom: Which errors are out-of-memory errors.
        clear: Gives caches back to the driver after a failure, and before the ladder measures.
        agree: In a job of several ranks: `torch_agreement()`, or `each_alone`, or a function of yours that gives the
            largest of each number over all ranks.
        clock: Seconds that never go backwards.

    Raises:
        ValueError: A number makes no sense; the text names it.

    Example:
        >>> controller = BatchSizeController(8)
        >>> done = []
        >>> for chunk in controller.split(list(range(8))):
        ...     with chunk:
        ...         if chunk.size > 3:
        ...             raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        ...         done += chunk.data
        >>> done, controller.size
        ([0, 1, 2, 3, 4, 5, 6, 7], 2)
    """

    def __init__(
        self,
        ceiling: int,
        *,
        floor: int = 1,
        step: int = 0,
        decrease: float = 0.5,
        patience: int = 8,
        hold: float = 30.0,
        settle: float = 5.0,
        retry: float = 600.0,
        shrink_from: AlertLevel = AlertLevel.CRITICAL,
        shrink_within: float = 30.0,
        calm_risk: float = 0.1,
        gpus: Sequence[int] | None = None,
        simulated: bool = False,
        is_oom: Callable[[BaseException], bool] = is_out_of_memory,
        clear: Callable[[], object] = clear_caches,
        agree: Agree | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if min(ceiling, floor, step, patience) < 0:
            raise ValueError("ceiling, floor, step and patience are numbers of elements or chunks: none is negative")
        level = shrink_from.name.lower()
        policy = _core.BatchSizeController(
            ceiling, floor, step, decrease, patience, hold, settle, retry, level, shrink_within, calm_risk
        )
        self.ceiling = ceiling
        self.floor = floor
        self._is_oom = is_oom
        self._clear = clear
        self._asked_to_agree = agree
        self._shared = SharedBatchSize(policy, clock)
        self._signals = Signals(self._shared, gpus, simulated, hold)

    @property
    def size(self) -> int:
        """Elements to take at a time."""
        return self._shared.size()

    @property
    def last_change(self) -> BatchSizeChange | None:
        """The newest change; None while there was none."""
        return self._shared.last_change()

    # Working ----------------------------------------------------------------------------------------------------

    def split(self, batch: Any, *, undo: Undos = None, fields: bool | None = None, restart: bool = False) -> Chunks:
        """The chunks of a batch, in order; each is worked on within `with chunk:`.

        An out-of-memory error in such a block is caught, and the elements from that chunk's first on come again in
        smaller chunks. What the body did before the error stays done unless `undo` takes it back: for gradients that
        is `Gradients(model)`. Without, effects belong into the last statement of the body.

        Args:
            batch: A list, tuple, tensor or array (split along its first dimension), or a dictionary of them, nested as
                you like; what has no parts, such as a number, goes with every chunk. Not a generator.
            undo: One or several things that know how to put back what a failed chunk changed.
            fields: A tuple or list is columns of the batch, as (inputs, targets), rather than its elements. None: a
                tuple of tensors, arrays and dictionaries is; where it could be either you are asked.
            restart: After a failure begin the batch anew in smaller chunks, and put back what was before its first
                chunk: work is repeated, but the gradients of a large model need not be copied before every chunk.

        Raises:
            TypeError: The batch cannot be split.
            ValueError: Its columns differ in length, or it could be meant in two ways; or ranks agree and `undo` is
                missing (where nothing has to be undone, say `undo=()`).
            DistributedBatchError: The job has several ranks, and the controller no `agree`.
        """
        self._require_undo_of_ranks(undo)
        return Chunks(self, batch, _as_sequence(undo), fields, restart)

    def guard(
        self,
        function: Callable[..., Any] | None = None,
        *,
        undo: Undos = None,
        fields: bool | None = None,
        combine: Callable[[list[Any]], Any] = list,
    ) -> Callable[..., Any]:
        """A decorator: the function's first argument is a batch, and it is called with one chunk of it after the other.

        Args:
            function: Called as `function(part, *others, **named)`.
            undo: As in `split`.
            fields: As in `split`.
            combine: Makes one result of the list of results; the list itself if left out.

        Raises:
            ValueError: As in `split`, when the function is called.

        Example:
            >>> controller = BatchSizeController(2)
            >>> @controller.guard(combine=sum)
            ... def total(numbers):
            ...     return sum(numbers)
            >>> total([1, 2, 3, 4, 5])
            15
        """
        if function is None:
            return functools.partial(self.guard, undo=undo, fields=fields, combine=combine)

        @functools.wraps(function)
        def guarded(batch: Any, *others: Any, **named: Any) -> Any:
            self._require_undo_of_ranks(undo)
            results: list[Any] = []
            for chunk in self.split(batch, undo=(*_as_sequence(undo), Appended(results)), fields=fields):
                with chunk:
                    results.append(function(chunk.data, *others, **named))
            return combine(results)

        return guarded

    def retry(
        self, function: Callable[..., Result], *others: Any, undo: Undos = None, attempts: int = 2, **named: Any
    ) -> Result:
        """Calls something without a batch, as `optimizer.step`, again with cleared caches if it runs out of memory.

        Args:
            function: Called as `function(*others, **named)`.
            *others: For the function.
            undo: As in `split`; for a step `OptimizerState(optimizer)`, since it may have changed a part.
            attempts: In all; the last error leaves with an explanation.
            **named: For the function.

        Example:
            >>> BatchSizeController(1).retry(len, "abc")
            3
        """
        undos = _as_sequence(undo)
        for attempt in range(1, max(1, attempts) + 1):
            for each in undos:
                each.save()
            try:
                return function(*others, **named)
            except Exception as error:
                if not self._is_oom(error):
                    raise
                let_go_of_frames(error)
                for each in reversed(undos):
                    each.restore()
                if attempt >= attempts:
                    self._explain(error, f"it ran out of memory {attempt} times, with caches cleared in between")
                    raise
            self._clear()
        raise AssertionError("not reached")

    def safe_point(self) -> int:
        """Here the application holds nothing of its last chunk. `split` calls it between chunks; other loops call it.

        If the ladder waits for that, caches are cleared, on this thread, and it goes on to measure.

        Returns:
            How many elements to take at a time from now on.
        """
        self._signals.look()
        return self._shared.at_safe_point(self._clear)

    # Being told -------------------------------------------------------------------------------------------------

    def watch(self, monitor: MemoryMonitor) -> Subscription:
        """Heeds a monitor's alerts, levels and forecasts, and registers `reduce` as its REDUCE_BATCH strategy.

        Args:
            monitor: Not kept alive by this.

        Returns:
            Ends it; the strategy stays registered, and answers that it has nothing to do.

        Example:
            >>> from dualgpuopt.memory import MemoryMonitor
            >>> with MemoryMonitor("sim:demo") as monitor, BatchSizeController(32).watch(monitor):
            ...     pass
        """
        from .recovery import RecoveryStrategy

        self._signals.attach(monitor)
        alerts = monitor.subscribe(AlertLevel.WARNING, self.on_alert)
        watched = weakref.ref(monitor)

        def reduce(request: RecoveryRequest) -> StrategyAnswer:
            if self._signals.monitor() is not watched():
                return StrategyAnswer(False, "this batch is not watched any more")
            return self.reduce(request)

        def end() -> None:
            if self._signals.monitor() is watched():
                self._signals.attach(None)
            alerts.cancel()

        monitor.register_strategy(RecoveryStrategy.REDUCE_BATCH, reduce)
        return Subscription(end)

    def on_alert(self, alert: Any) -> None:
        """Takes in an alert: of a monitor's `subscribe`, or of the original's `register_alert_callback`.

        The original tells no end of a level: there it counts for `hold` seconds after its last alert.
        """
        self._signals.on_alert(alert)

    def reduce(self, target: RecoveryRequest | int, memory_stats: Any = None) -> StrategyAnswer:
        """The REDUCE_BATCH strategy: takes less, and waits until the loop has come to its next safe point.

        Args:
            target: The ladder's request. An index of a GPU, as the original's monitor calls it, is not waited for.
            memory_stats: Not used; there for the original's monitor.

        Returns:
            A failure at the floor, for a GPU that is not heeded, and when no safe point came within the request's time;
            the size stays reduced then, too.

        Example:
            >>> controller = BatchSizeController(64)
            >>> controller.reduce(0).detail
            '32 at a time from now on'
        """
        request = None if isinstance(target, int) else target
        gpu = target if isinstance(target, int) else target.gpu
        if not self._signals.is_of(gpu):
            return StrategyAnswer(False, f"this batch is not on GPU {gpu}")
        return StrategyAnswer(*self._shared.reduce(request))

    # For the loop ------------------------------------------------------------------------------------------------

    def _require_undo_of_ranks(self, undo: Undos) -> None:
        if self._asked_to_agree is None:
            require_alone()
        elif self._asked_to_agree is not each_alone and undo is None:
            raise ValueError("when a chunk fails on one rank the others repeat it too: say with undo= what to put back")

    def _agree(self, numbers: Sequence[int]) -> Sequence[int]:
        return numbers if self._asked_to_agree is None else self._asked_to_agree(numbers)

    def _explain(self, error: BaseException, what: str) -> None:
        explain_in(error, what, self._signals.monitor())
