"""The loop over the chunks of one batch: what failed comes again in smaller chunks, nothing is lost or done twice."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from . import _split
from ._distributed import DistributedBatchError
from ._training_state import Undo

if TYPE_CHECKING:
    from types import TracebackType

    from ._batch import BatchSizeController

_FINE, _FAILED, _GAVE_UP = 0, 1, 2


def let_go_of_frames(error: BaseException) -> None:
    """Empties the frames that an error went through: their variables hold the memory that is to be given back."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        traceback.clear_frames(current.__traceback__)  # those that still run, as the loop's own, are left alone
        current = current.__cause__ or current.__context__


class Chunk:
    """A part of a batch, to be worked on within `with chunk:`.

    Out-of-memory errors end in that block: what `undo` covers is put back, and the loop goes on with smaller chunks
    from where this one began. At the floor the error leaves it, with an explanation. All other exceptions leave it
    untouched.

    Attributes:
        data: Elements `start` to `stop` of the batch, in its own make.
        start: First element.
        stop: One past the last.
        total: Elements of the batch.

    Example:
        >>> from dualgpuopt.memory.recovery import BatchSizeController
        >>> for chunk in BatchSizeController(2).split([10, 20, 30]):
        ...     with chunk:
        ...         print(chunk.data, chunk.size, round(chunk.weight, 2), chunk.is_last)
        [10, 20] 2 0.67 False
        [30] 1 0.33 True
    """

    def __init__(self, loop: Chunks, data: Any, start: int, stop: int, total: int) -> None:
        self.data = data
        self.start = start
        self.stop = stop
        self.total = total
        self._loop = loop
        self._state = "new"  # "running", "done", "failed", "left" by another exception

    @property
    def size(self) -> int:
        """Elements of this chunk."""
        return self.stop - self.start

    @property
    def weight(self) -> float:
        """Its share of the batch: the mean loss of the batch is the sum of weight times mean loss of each chunk."""
        return self.size / self.total

    @property
    def is_first(self) -> bool:
        """Whether it begins the batch."""
        return self.start == 0

    @property
    def is_last(self) -> bool:
        """Whether the batch is done with it, unless it fails."""
        return self.stop == self.total

    def __enter__(self) -> Chunk:
        if self._state != "new":
            raise RuntimeError("a chunk is entered once: take the next one of the loop")
        self._loop.save()
        self._state = "running"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._state = "left"
        if error is None:
            self._state = "done"
            self._loop.controller._shared.on_done(self.size)
        elif self._loop.controller._is_oom(error) and self._loop.may_fail(self, error):
            self._state = "failed"
        return self._state == "failed"


class Chunks(Iterator[Chunk]):
    """What `BatchSizeController.split` gives: the chunks of one batch, in order. Belongs to one thread.

    Leaving the loop, by `break` or an exception, leaves the rest of the batch undone and nothing behind.

    Example:
        >>> from dualgpuopt.memory.recovery import BatchSizeController
        >>> chunks = BatchSizeController(2).split("abc".split() + ["d", "e"])
        >>> with next(chunks) as chunk:
        ...     chunk.data
        ['abc', 'd']
    """

    def __init__(
        self, controller: BatchSizeController, batch: Any, undo: Sequence[Undo], fields: bool | None, restart: bool
    ) -> None:
        self.controller = controller
        self._batch = batch
        self._fields = fields
        self._undo = undo
        self._restart = restart
        self._total = _split.length_of(batch, fields)
        self._position = 0
        self._most = self._total
        self._chunk: Chunk | None = None

    def save(self) -> None:
        """What a failure goes back to: before this chunk, or before the first."""
        if self._restart and self._position > 0:
            return
        for undo in self._undo:
            undo.save()

    def may_fail(self, chunk: Chunk, error: BaseException) -> bool:
        """Takes in that a chunk ran out of memory. False: there is no smaller one."""
        can_be_less = self.controller._shared.on_out_of_memory(chunk.size)
        if can_be_less:
            let_go_of_frames(error)
        else:
            floor = f"no fewer are allowed at a time (floor {self.controller.floor})"
            self.controller._explain(error, f"{chunk.size} of {chunk.total} elements ran out of memory, and {floor}")
            self.controller._agree((_GAVE_UP, 0, 0, 0))
        self._restore()
        return can_be_less

    def __next__(self) -> Chunk:
        chunk, self._chunk = self._chunk, None
        outcome = _FINE if chunk is None else self._outcome(chunk)
        if outcome == _FAILED:
            self.controller._clear()
        behind = self._position if chunk is None else chunk.stop
        size, any_failed = self._agree(outcome, self._total - behind)
        if not any_failed:
            self._position = behind
        else:
            self._go_back(size, restore=outcome == _FINE)  # then it failed on another rank
        if self._position >= self._total:
            raise StopIteration
        self._chunk = self._take(min(size, self._most))
        return self._chunk

    def _go_back(self, size: int, restore: bool) -> None:
        if restore:
            self._restore()
        if self._restart:
            self._position = 0
        self._most = size  # in this batch it does not grow again: even one that begins anew comes to its end

    def _outcome(self, chunk: Chunk) -> int:
        if chunk._state in ("new", "running"):
            raise RuntimeError("write `with chunk:` around the body of the loop: outside of it no error can be caught")
        return _FAILED if chunk._state == "failed" else _FINE

    def _restore(self) -> None:
        for undo in reversed(self._undo):
            undo.restore()

    def _take(self, size: int) -> Chunk:
        start, stop = self._position, min(self._position + size, self._total)
        data = self._batch if stop - start == self._total else _split.part_of(self._batch, start, stop, self._fields)
        return Chunk(self, data, start, stop, self._total)

    def _agree(self, outcome: int, left: int) -> tuple[int, bool]:
        """The size that all ranks take, and whether the chunk failed on any of them; here is the safe point."""
        size = self.controller.safe_point()
        worst, negative_size, most, negative_fewest = self.controller._agree((outcome, -size, left, -left))
        if worst == _GAVE_UP:
            self._restore()
            raise DistributedBatchError("another rank ran out of memory with the smallest chunk that is allowed there")
        if worst == _FINE and most != -negative_fewest:
            raise DistributedBatchError(
                f"the ranks have between {-negative_fewest} and {most} elements left of their batches, and would take "
                "different numbers of chunks: give all the same number, as DataLoader(drop_last=True) does"
            )
        return -negative_size, worst != _FINE
