"""One rank of a job of two, for test_ranks.py: ranks.py CASE RANK FILE prints what happened as a line of JSON."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as distributed
from training import Memory, Model, batches, loss_of

from dualgpuopt.memory.recovery import (
    Appended,
    BatchSizeController,
    DistributedBatchError,
    Gradients,
    average_gradients,
    each_alone,
    torch_agreement,
)

STEPS, BATCH = 6, 16


def train(rank: int, wrap: bool) -> dict[str, Any]:
    """Each rank has half of a batch of 32; the second one has room for 5 elements only."""
    model = Model(Memory(holds=None if rank == 0 else 5))
    runner = torch.nn.parallel.DistributedDataParallel(model, broadcast_buffers=False) if wrap else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    controller = BatchSizeController(BATCH, agree=torch_agreement(timeout=60))
    losses, chunks, seen = [], [], 0
    for inputs, targets in batches(STEPS, 2 * BATCH):
        optimizer.zero_grad(set_to_none=True)
        mine = slice(rank * BATCH, (rank + 1) * BATCH)
        done: list[int] = []
        parts: list[float] = []
        undo = [Gradients(model), Appended(done), Appended(parts)]
        for chunk in controller.split((inputs[mine], targets[mine]), undo=undo):
            with chunk:
                if wrap:
                    with runner.no_sync():
                        loss = loss_of(runner(chunk.data[0]), chunk.data[1]) * chunk.weight
                        loss.backward()
                else:
                    loss = loss_of(model(chunk.data[0]), chunk.data[1]) * chunk.weight
                    loss.backward()
                done.append(chunk.size)
                parts.append(float(loss))
        average_gradients(model.parameters())
        optimizer.step()
        total = torch.tensor([sum(parts)], dtype=torch.float64)
        distributed.all_reduce(total)
        losses.append(float(total) / 2)
        chunks.append(len(done))
        seen += sum(done)
    return {"losses": losses, "chunks": chunks, "seen": seen, "failures": model.memory.failures}


def complaint_of(call: Any) -> dict[str, Any]:
    try:
        call()
    except DistributedBatchError as error:
        return {"complaint": str(error)}
    except RuntimeError as error:
        return {"error": str(error), "notes": error.__notes__}
    return {}


def go_through(controller: BatchSizeController, length: int, holds: int) -> None:
    for chunk in controller.split(list(range(length)), undo=()):
        with chunk:
            Memory(holds=holds).allocate(chunk.size)


def alone(rank: int) -> dict[str, Any]:
    controller = BatchSizeController(8, agree=each_alone)
    go_through(controller, 8, 8 if rank == 0 else 2)
    return {"size": controller.size}


CASES: dict[str, Any] = {
    "plain": lambda rank: train(rank, wrap=False),
    "wrapped": lambda rank: train(rank, wrap=True),
    "refused": lambda rank: complaint_of(lambda: BatchSizeController(4).split([1, 2])),
    "unequal": lambda rank: complaint_of(
        lambda: go_through(BatchSizeController(4, agree=torch_agreement(60)), 7 + rank, 9)
    ),
    "floor": lambda rank: complaint_of(
        lambda: go_through(BatchSizeController(4, floor=2, agree=torch_agreement(60)), 8, 9 if rank == 0 else 1)
    ),
    "alone": alone,
}


def main() -> None:
    case, rank, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    distributed.init_process_group(
        "gloo", init_method=f"file://{file}", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    print(json.dumps(CASES[case](rank)))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
