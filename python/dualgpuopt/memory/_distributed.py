"""Batches of jobs with several ranks, which must all take the same chunks; public in `dualgpuopt.memory.recovery`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Callable

Agree = Callable[[Sequence[int]], Sequence[int]]
"""Gives the largest of each number over all ranks. Called by every rank at every safe point."""


class DistributedBatchError(RuntimeError):
    """A batch cannot be split on this rank alone, or another rank cannot go on; the text says which and what to do.

    Example:
        >>> raise DistributedBatchError("this job has 4 ranks")
        Traceback (most recent call last):
        ...
        dualgpuopt.memory._distributed.DistributedBatchError: this job has 4 ranks
    """


def each_alone(numbers: Sequence[int]) -> Sequence[int]:
    """For jobs whose ranks never wait for one another while they work on a batch, as in independent inference.

    Example:
        >>> each_alone([1, 2])
        [1, 2]
    """
    return numbers


def _torch_distributed() -> Any:
    """If the application has initialised it."""
    module: Any = sys.modules.get("torch.distributed")
    is_there = module is not None and module.is_available() and module.is_initialized()
    return module if is_there else None


def world_size() -> int:
    """How many ranks this job has by what the application has initialised; 1 if nothing."""
    distributed = _torch_distributed()
    return 1 if distributed is None else int(distributed.get_world_size())


def require_alone() -> None:
    """Raises DistributedBatchError where a rank that splits its batch would leave others waiting."""
    ranks = world_size()
    if ranks > 1:
        raise DistributedBatchError(
            f"this job has {ranks} ranks (torch.distributed), and one that splits its batch leaves the others waiting "
            "in their next collective: give the controller agree=torch_agreement() and keep collectives out of the "
            "chunks (docs/recovery.md), or agree=each_alone if no rank waits for another within a batch"
        )


def torch_agreement(timeout: float = 300.0, ranks: Sequence[int] | None = None) -> Agree:
    """Lets the ranks of a job agree on chunks, through a group of their own that needs no GPU memory (gloo).

    Called by every rank, like `torch.distributed.new_group`. Then every rank must go through the same batches with the
    same number of elements, and its chunks must contain no collective: work within `no_sync()` of
    DistributedDataParallel and call `average_gradients` after the loop. FullyShardedDataParallel and other models that
    communicate in their forward pass cannot be split like this.

    Args:
        timeout: Seconds that a rank waits for the others before it fails.
        ranks: Those that work on the same batches; all if left out.

    Raises:
        DistributedBatchError: torch.distributed is not initialised.

    Example:
        >>> torch_agreement()
        Traceback (most recent call last):
        ...
        dualgpuopt.memory._distributed.DistributedBatchError: call torch.distributed.init_process_group() first
    """
    distributed = _torch_distributed()
    if distributed is None:
        raise DistributedBatchError("call torch.distributed.init_process_group() first")
    torch = sys.modules["torch"]
    group = distributed.new_group(ranks, timeout=timedelta(seconds=timeout), backend="gloo")

    def agree(numbers: Sequence[int]) -> Sequence[int]:
        tensor = torch.tensor(list(numbers), dtype=torch.int64)
        distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX, group=group)
        return [int(number) for number in tensor.tolist()]

    return agree


def average_gradients(parameters: Iterable[Any], group: Any = None) -> None:
    """The mean of each gradient over all ranks, after a step whose chunks did not communicate; for PyTorch.

    Called by every rank with the same parameters; needs the job's own backend, as DistributedDataParallel does. One
    without a gradient on this rank takes part with zeros.

    Args:
        parameters: As in `model.parameters()`.
        group: Of torch.distributed; None: all ranks.

    Raises:
        DistributedBatchError: torch.distributed is not initialised.

    Example:
        >>> average_gradients([])
        Traceback (most recent call last):
        ...
        dualgpuopt.memory._distributed.DistributedBatchError: call torch.distributed.init_process_group() first
    """
    distributed = _torch_distributed()
    if distributed is None:
        raise DistributedBatchError("call torch.distributed.init_process_group() first")
    ranks = distributed.get_world_size(group)
    torch = sys.modules["torch"]
    for parameter in parameters:
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        distributed.all_reduce(parameter.grad.data, group=group)
        parameter.grad.data.div_(ranks)
