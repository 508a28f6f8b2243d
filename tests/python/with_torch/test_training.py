"""A training that runs out of memory somewhere ends as one that does not: the same losses, every sample once."""

from __future__ import annotations

import random
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from training import Memory, Model, batches, loss_of, out_of_memory, train_whole  # noqa: E402

from dualgpuopt.memory.oom import is_out_of_memory  # noqa: E402
from dualgpuopt.memory.recovery import Appended, BatchSizeController, Gradients, OptimizerState, clear_caches  # noqa: E402

STEPS, BATCH = 8, 32


class FailingAdam(torch.optim.Adam):
    """Its first step changes the first layer and then runs out of memory."""

    has_failed = False

    def step(self, closure: Any = None) -> Any:
        if self.has_failed:
            return super().step(closure)
        self.has_failed = True
        groups = self.param_groups
        self.param_groups = groups[:1]
        super().step(closure)
        self.param_groups = groups
        raise out_of_memory()


def optimizer_of(model: torch.nn.Module, kind: Any = torch.optim.Adam) -> Any:
    return kind([{"params": list(layer.parameters())} for layer in model.layers], lr=1e-2)


def train(
    memory: Memory, kind: Any = torch.optim.Adam, undo: bool = True, restart: bool = False, **settings: Any
) -> tuple[list[float], int, BatchSizeController]:
    """The loop with us: the losses, the samples seen, and the controller."""
    model = Model(memory)
    optimizer = optimizer_of(model, kind)
    controller = BatchSizeController(BATCH, **settings)
    losses, seen = [], 0
    for batch in batches(STEPS, BATCH):
        optimizer.zero_grad(set_to_none=True)
        parts: list[tuple[float, int]] = []
        takes_back = [Gradients(model), Appended(parts)] if undo else [Appended(parts)]
        for chunk in controller.split(batch, undo=takes_back, restart=restart):
            with chunk:
                inputs, targets = chunk.data
                loss = loss_of(model(inputs), targets) * chunk.weight
                loss.backward()
                parts.append((float(loss), chunk.size))
        seen += sum(size for _, size in parts)
        controller.retry(optimizer.step, undo=OptimizerState(optimizer))
        losses.append(sum(loss for loss, _ in parts))
    return losses, seen, controller


def reference() -> list[float]:
    model = Model(Memory())
    return train_whole(model, optimizer_of(model), batches(STEPS, BATCH))


def fitting(size: int) -> list[float]:
    """By hand: chunks of the size that fits, their gradients added up."""
    model = Model(Memory(holds=size))
    optimizer = optimizer_of(model)
    losses = []
    for inputs, targets in batches(STEPS, BATCH):
        optimizer.zero_grad()
        parts = [
            loss_of(model(inputs[at : at + size]), targets[at : at + size]) * size / BATCH
            for at in range(0, BATCH, size)
        ]
        sum(parts).backward()
        optimizer.step()
        losses.append(float(sum(parts)))
    return losses


def close(losses: list[float]) -> Any:
    return pytest.approx(losses, rel=1e-9, abs=1e-12)


def test_without_us_it_dies() -> None:
    model = Model(Memory(holds=10))
    with pytest.raises(RuntimeError) as raised:
        train_whole(model, optimizer_of(model), batches(STEPS, BATCH))
    assert is_out_of_memory(raised.value)


def test_with_us_it_ends_with_the_losses_of_a_batch_that_fits() -> None:
    losses, seen, controller = train(Memory(holds=10))
    assert seen == STEPS * BATCH
    assert controller.size == 8
    assert losses == close(reference())
    assert losses == close(fitting(8))
    assert losses[-1] < losses[0]


def test_at_the_floor_it_says_why() -> None:
    with pytest.raises(RuntimeError) as raised:
        train(Memory(holds=3), floor=4)
    assert any("gpumem: 4 of 32 elements ran out of memory" in note for note in raised.value.__notes__)


@pytest.mark.parametrize("place", range(5 * STEPS))  # of each step three forward and two backward
def test_an_error_at_any_place_of_forward_and_backward_changes_nothing(place: int) -> None:
    memory = Memory(fails_at=place)
    losses, seen, _ = train(memory, settle=0, hold=0, patience=1, retry=0)
    assert memory.failures == 1
    assert seen == STEPS * BATCH
    assert losses == close(reference())


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_errors_at_random_places_change_nothing(seed: int, restart: bool) -> None:
    memory = Memory(chance=random.Random(seed))
    losses, seen, _ = train(memory, restart=restart, settle=0, hold=0, patience=1, retry=0)
    assert memory.failures > 2
    assert seen == STEPS * BATCH
    assert losses == close(reference())


@pytest.mark.parametrize("place", [3, 4])
def test_without_undo_an_error_on_the_way_back_counts_gradients_twice(place: int) -> None:
    """What the test before would miss if nothing had to be put back."""
    losses, _, _ = train(Memory(fails_at=place), undo=False)
    assert losses != close(reference())


def test_an_error_in_the_middle_of_the_optimizers_step_changes_nothing() -> None:
    losses, seen, controller = train(Memory(holds=10), FailingAdam)
    assert (seen, controller.size) == (STEPS * BATCH, 8)
    assert losses == close(reference())


def test_the_state_of_a_running_optimizer_is_put_back() -> None:
    model = Model(Memory())
    optimizer = optimizer_of(model)
    train_whole(model, optimizer, batches(2, 4))
    undo = OptimizerState(optimizer)
    undo.save()
    before = [value.clone() for value in model.parameters()]
    steps = [{key: float(value.sum()) for key, value in state.items()} for state in optimizer.state.values()]
    optimizer.param_groups[0]["lr"] = 1.0
    train_whole(model, optimizer, batches(1, 4))
    undo.restore()
    assert all(torch.equal(value, kept) for value, kept in zip(model.parameters(), before))
    assert [{key: float(value.sum()) for key, value in state.items()} for state in optimizer.state.values()] == steps
    assert optimizer.param_groups[0]["lr"] == 1e-2


@pytest.mark.parametrize("place", range(1, 16))
def test_the_histories_of_lbfgs_are_put_back(place: int) -> None:
    """It appends to lists in its state, and takes from them, in the middle of a step."""
    assert lbfgs_losses(fails_at=place) == lbfgs_losses(fails_at=None)


def lbfgs_losses(fails_at: int | None) -> list[float]:
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.3, max_iter=5, history_size=3)
    inputs = torch.linspace(-1, 1, 32).reshape(8, 4)
    calls = 0

    def closure() -> Any:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise out_of_memory()
        optimizer.zero_grad()
        loss = ((model(inputs) - inputs.prod(1, keepdim=True)) ** 2).mean()
        loss.backward()
        return loss

    def step() -> Any:
        return optimizer.step(closure)

    controller = BatchSizeController(1)
    return [float(controller.retry(step, undo=OptimizerState(optimizer))) for _ in range(4)]


def test_running_means_are_put_back() -> None:
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
    controller = BatchSizeController(8)
    failures = 1
    for chunk in controller.split(torch.ones(8, 3), undo=Gradients(model)):
        with chunk:
            model(chunk.data).sum().backward()
            if failures:
                failures -= 1
                raise out_of_memory()
    assert int(model[0].num_batches_tracked) == 2, "two chunks of 4, and nothing of the one of 8"


def test_batches_of_a_data_loader_are_split_column_by_column() -> None:
    inputs = torch.arange(20.0).reshape(20, 1)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, inputs * 2), batch_size=8)
    controller = BatchSizeController(3)
    seen = []
    for batch in loader:
        assert isinstance(batch, list)
        for chunk in controller.split(batch, fields=True):
            with chunk:
                x, y = chunk.data
                assert torch.equal(x * 2, y)
                seen += x.flatten().tolist()
    assert seen == inputs.flatten().tolist()


def test_chunks_of_a_tensor_are_views() -> None:
    batch = torch.zeros(5, 2)
    for chunk in BatchSizeController(2).split({"x": batch, "scale": 2.0}):
        with chunk:
            chunk.data["x"] += chunk.data["scale"]
    assert torch.equal(batch, torch.full((5, 2), 2.0))


def test_clearing_caches_initialises_nothing() -> None:
    report = clear_caches()
    assert not torch.cuda.is_initialized()
    assert ("PyTorch", False, "no GPU is initialised") in report.actions


def test_activations_of_the_failed_attempt_are_let_go() -> None:
    import gc
    import weakref

    alive: list[Any] = []

    class Layer(torch.nn.Module):
        def forward(self, inputs: Any) -> Any:
            outputs = inputs * 2
            alive.append(weakref.ref(outputs))
            if len(inputs) > 2:
                raise out_of_memory()
            return outputs

    model, freed = Layer(), []
    controller = BatchSizeController(4, clear=lambda: freed.append(alive[-1]() is None))
    gc.disable()
    try:
        for chunk in controller.split(torch.ones(4, 1)):
            with chunk:
                model(chunk.data)
    finally:
        gc.enable()
    assert freed == [True]
