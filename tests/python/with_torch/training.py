"""A small training on the CPU, with a stand-in for a GPU's memory: places that raise PyTorch's out-of-memory error."""

from __future__ import annotations

import random
from typing import Any

import torch

OOM = torch.cuda.OutOfMemoryError if hasattr(torch.cuda, "OutOfMemoryError") else RuntimeError
TEXT = "CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 23.65 GiB total capacity; 20.00 GiB already allocated)"


def out_of_memory() -> Exception:
    return OOM(TEXT)


class Memory:
    """Is asked at every place that would allocate; fails above `holds` elements, once at one place, or by chance."""

    def __init__(
        self, holds: int | None = None, fails_at: int | None = None, chance: random.Random | None = None
    ) -> None:
        self.chance = chance
        self.holds = holds
        self.fails_at = fails_at
        self.asked = 0
        self.failures = 0

    def allocate(self, elements: int) -> None:
        self.asked += 1
        is_unlucky = elements > 1 and self.chance is not None and self.chance.random() < 0.15
        if is_unlucky or self.asked - 1 == self.fails_at or (self.holds is not None and elements > self.holds):
            self.failures += 1
            raise out_of_memory()


class Place(torch.autograd.Function):
    """Allocates on the way forward and on the way back."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, memory: Memory) -> torch.Tensor:
        memory.allocate(len(inputs))
        ctx.memory = memory
        return inputs.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        ctx.memory.allocate(len(gradient))
        return gradient.clone(), None


class Model(torch.nn.Module):
    """Three layers with places between them, in double precision."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.memory = memory
        self.layers = torch.nn.ModuleList([torch.nn.Linear(6, 12), torch.nn.Linear(12, 12), torch.nn.Linear(12, 1)])
        self.double()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = Place.apply(inputs, self.memory)
        for layer in self.layers[:-1]:
            hidden = Place.apply(torch.tanh(layer(hidden)), self.memory)
        return self.layers[-1](hidden)


def batches(count: int, size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(11)
    made = []
    for _ in range(count):
        inputs = torch.randn(size, 6, dtype=torch.float64, generator=generator)
        made.append((inputs, inputs.sum(dim=1, keepdim=True).sin()))
    return made


def loss_of(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.mse_loss(outputs, targets)


def train_whole(model: torch.nn.Module, optimizer: torch.optim.Optimizer, data: Any) -> list[float]:
    """The loop as it is without us."""
    losses = []
    for inputs, targets in data:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return losses
