"""Trains from a DataLoader with batches that do not fit: the same losses as with a larger GPU. Without PyTorch it ends.

The limit is simulated, so that it runs anywhere: a layer raises PyTorch's out-of-memory error above --holds samples.

python torch_smaller_batches.py [--source sim:demo] [--holds 12] [--epochs 2]
"""

from __future__ import annotations

import argparse
from typing import Any

from dualgpuopt.memory import BatchSizeController, MemoryMonitor, RecoveryStrategy, clear_caches
from dualgpuopt.memory.recovery import Gradients, OptimizerState

BATCH = 64


def make_model(torch: Any, holds: int) -> Any:
    """A small model that has room for so many samples at once."""

    class Limit(torch.nn.Module):  # type: ignore[misc]
        def forward(self, inputs: Any) -> Any:
            if len(inputs) > holds:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB (simulated)")
            return inputs

    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(16, 64), Limit(), torch.nn.Tanh(), torch.nn.Linear(64, 1))


def make_loader(torch: Any) -> Any:
    """200 samples, the last batch smaller than the others."""
    inputs = torch.randn(200, 16, generator=torch.Generator().manual_seed(2))
    targets = inputs.sum(dim=1, keepdim=True).sin()
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, targets), batch_size=BATCH)


def train(torch: Any, controller: BatchSizeController, holds: int, epochs: int) -> list[float]:
    """The mean loss of each epoch. Each step is that of the whole batch, however it is split."""
    model, loader, losses = make_model(torch, holds), make_loader(torch), []
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        total = 0.0
        for batch in loader:
            optimizer.zero_grad(set_to_none=True)
            for chunk in controller.split(batch, fields=True, undo=Gradients(model)):
                with chunk:
                    inputs, targets = chunk.data
                    loss = torch.nn.functional.mse_loss(model(inputs), targets) * chunk.weight
                    loss.backward()
                    total += float(loss) * chunk.total
            controller.retry(optimizer.step, undo=OptimizerState(optimizer))
        losses.append(total / len(loader.dataset))
    return losses


def main() -> None:
    """Trains with too little room and with enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="auto", help="as gpumem --source")
    parser.add_argument("--holds", type=int, default=12, help="samples that there is room for")
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: nothing to train")
        return
    with MemoryMonitor(options.source) as monitor:
        controller = BatchSizeController(BATCH)
        controller.watch(monitor)
        monitor.register_strategy(RecoveryStrategy.CLEAR_CACHE, clear_caches)
        small = train(torch, controller, options.holds, options.epochs)
        large = train(torch, BatchSizeController(BATCH), BATCH, options.epochs)
        print(f"{monitor.wait_for_snapshot().provenance} GPUs, a simulated limit of {options.holds} samples")
    for epoch, (loss, wanted) in enumerate(zip(small, large)):
        print(f"epoch {epoch}: loss {loss:.6f} in chunks of {controller.size} at last, {wanted:.6f} in whole batches")


if __name__ == "__main__":
    main()
