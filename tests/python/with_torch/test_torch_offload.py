"""Models and optimizers on the host and back, with PyTorch; the CPU is both the device and the host."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from dualgpuopt.memory.metrics import MemoryUse, Reading
from dualgpuopt.memory.offload import HostRoom, Offloader
from dualgpuopt.memory.recovery import RecoveryRequest, RecoveryStrategy
from dualgpuopt.memory.torch_offload import TorchModule, TorchOptimizer, TorchTensors

GIB = 1 << 30


class TiedModel(torch.nn.Module):
    """An embedding whose weights are the output's, too, a buffer, and a part that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(11, 8)
        self.hidden = torch.nn.Linear(8, 8)
        self.norm = torch.nn.BatchNorm1d(8)
        self.output = torch.nn.Linear(8, 11, bias=False)
        self.output.weight = self.embedding.weight
        self.frozen = torch.nn.Linear(8, 8).requires_grad_(False)

    def forward(self, tokens: Any) -> Any:
        return self.output(self.norm(torch.tanh(self.hidden(self.frozen(self.embedding(tokens))))))


def request_for(size: int, time_left: float = 5.0) -> RecoveryRequest:
    memory = MemoryUse(23 * GIB, 24 * GIB, GIB, None, "with_reserved", 23 * GIB, 95.8)
    reading = Reading(0, 0.0, None, "driver", memory, "", None, ())
    return RecoveryRequest(RecoveryStrategy.OFFLOAD, 0, reading, 0, size, time_left, lambda: False)


def a_step(model: TiedModel, adam: Any, tokens: Any) -> float:
    loss = torch.nn.functional.cross_entropy(model(tokens), (tokens * 3) % 11)
    adam.zero_grad()
    loss.backward()
    adam.step()
    return float(loss)


def test_a_training_that_was_offloaded_goes_on_bit_by_bit() -> None:
    torch.manual_seed(1)
    untouched = TiedModel()
    model = copy.deepcopy(untouched)
    adams = [torch.optim.Adam(each.parameters(), lr=0.01, amsgrad=True) for each in (untouched, model)]
    batches = torch.randint(0, 11, (30, 16))
    offloader = Offloader(host_room=lambda: HostRoom(64 * GIB, "a large host"))
    parts = [TorchModule(model, gpu=0, device="cpu"), TorchOptimizer(adams[1], gpu=0, device="cpu")]
    registrations = [offloader.add(part, at_safe_point=False) for part in parts]
    losses = [[a_step(untouched, adams[0], batch) for batch in batches], []]
    for step, batch in enumerate(batches):
        losses[1].append(a_step(model, adams[1], batch))
        if step % 4 == 1:
            assert offloader(request_for(GIB)).detail.startswith("offloaded ")
            assert [each.residence for each in offloader.objects()] == ["offloaded", "offloaded"]
            for registration in registrations:
                with registration.use():
                    pass
    assert losses[0] == losses[1]
    for (name, one), other in zip(untouched.state_dict().items(), model.state_dict().values()):
        assert torch.equal(one, other), name
    for one, other in zip(adams[0].state.values(), adams[1].state.values()):
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_everything_stays_the_same_object() -> None:
    model = TiedModel()
    adam = torch.optim.Adam(model.parameters())
    a_step(model, adam, torch.arange(8))
    model.hidden.weight.data = model.hidden.weight.data.t()  # strides that are not the usual ones

    def facts() -> list[Any]:
        tensors = [*model.parameters(), *model.buffers(), *(each.grad for each in model.parameters())]
        kept = [each for each in tensors if each is not None]
        shapes = [(id(each), each.dtype, each.size(), each.stride(), each.storage_offset()) for each in kept]
        return [*shapes, *((each._version, each.requires_grad, each.is_leaf) for each in kept)]

    def places() -> list[int]:
        return [each.data_ptr() for each in model.parameters()]

    before, values, at_home = facts(), copy.deepcopy(model.state_dict()), places()
    part = TorchModule(model, gpu=0, device="cpu")
    part.offload()
    assert part.bytes_on_device() == 0
    assert facts() == before
    assert all(one != other for one, other in zip(places(), at_home)), "they are elsewhere"
    assert model.output.weight is model.embedding.weight
    part.restore()
    assert facts() == before
    assert part.bytes_on_device() > 0
    assert all(torch.equal(values[name], each) for name, each in model.state_dict().items())


def test_a_storage_is_counted_and_moved_once_with_all_its_views() -> None:
    whole = torch.arange(24, dtype=torch.float32)
    column, bits, other = whole.view(4, 6).t()[2:], whole.view(torch.int32), whole.detach()[3:5]
    part = TorchTensors([whole, column, bits, other, whole], name="views", gpu=0)
    assert part.bytes_on_device() == 24 * 4
    part.offload()
    whole[14] = -1.0
    assert (column[0, 2], other.tolist()) == (-1.0, [3.0, 4.0])
    part.restore()
    bits[3] = 0
    assert other[0] == 0.0
    assert column.is_contiguous() is False


def test_the_devices_storage_is_let_go() -> None:
    memory = numpy.zeros(64, dtype=numpy.float32)
    still_there = weakref.ref(memory)
    model = torch.nn.Linear(8, 8)
    model.weight.data = torch.from_numpy(memory).view(8, 8)
    del memory
    part = TorchModule(model, gpu=0)
    gc.collect()
    assert still_there() is not None
    part.offload()
    gc.collect()
    assert still_there() is None


def test_copies_and_pickles_of_a_module_know_nothing_of_it() -> None:
    model = TiedModel()
    part = TorchModule(model, gpu=0)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other(torch.arange(8))
    assert part.last_use is None


def test_a_module_whose_graph_waits_for_its_backward_is_not_moved() -> None:
    model = TiedModel()
    part = TorchModule(model, gpu=0)
    loss = model(torch.arange(8)).sum()
    with pytest.raises(RuntimeError, match="not yet differentiated"):
        part.offload()
    assert part.bytes_on_device() > 0
    loss.backward()
    part.offload()  # although the loss is still there
    part.restore()
    del loss
    result = model(torch.arange(8))
    del result
    part.offload()  # nobody waits for a backward pass
    with torch.no_grad():
        part.restore()
        kept = model(torch.arange(8))
    part.offload()
    assert kept is not None


@pytest.mark.parametrize("set_to_none", [True, False])
def test_clearing_gradients_is_no_backward_pass(set_to_none: bool) -> None:
    model = TiedModel()
    model(torch.arange(8)).sum().backward()
    part = TorchModule(model, gpu=0)
    loss = model(torch.arange(8)).sum()
    model.zero_grad(set_to_none=set_to_none)
    with pytest.raises(RuntimeError, match="not yet differentiated"):
        part.offload()
    loss.backward()
    part.offload()


def test_the_last_forward_pass_is_its_last_use() -> None:
    model = TiedModel()
    part = TorchModule(model, gpu=0)
    assert part.last_use is None
    model(torch.arange(8))
    assert part.last_use is not None


def test_gradients_may_stay() -> None:
    model = torch.nn.Linear(2, 2)
    model(torch.ones(1, 2)).sum().backward()
    assert model.weight.grad is not None
    place = model.weight.grad.data_ptr()
    TorchModule(model, gpu=0, grads=False).offload()
    assert model.weight.grad.data_ptr() == place


def test_what_cannot_be_moved_in_place_is_refused() -> None:
    part = torch.ones(2, requires_grad=True) * 2
    for tensor in (torch.eye(2).to_sparse(), part, torch.nn.parameter.UninitializedParameter()):
        with pytest.raises(ValueError, match="cannot be moved in place"):
            TorchTensors([tensor], name="no", gpu=0)


def test_a_copy_that_fails_leaves_everything_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model = TiedModel()
    part = TorchModule(model, gpu=0)
    places = [each.data_ptr() for each in model.parameters()]
    calls = iter(range(100))

    def empty(*args: Any, real: Any = torch.empty, **kwargs: Any) -> Any:
        if next(calls) == 2:
            raise RuntimeError("CUDA out of memory")
        return real(*args, **kwargs)

    monkeypatch.setattr(torch, "empty", empty)
    with pytest.raises(RuntimeError, match="out of memory"):
        part.offload()
    assert [each.data_ptr() for each in model.parameters()] == places
    part.offload()
    calls = iter(range(100))
    with pytest.raises(RuntimeError, match="out of memory"):
        part.restore()
    assert part.bytes_on_device() == 0
    assert all(one != other for one, other in zip((each.data_ptr() for each in model.parameters()), places))
    part.restore()


def test_tensors_on_other_devices_stay_there() -> None:
    tensors = [torch.empty(4, device="meta"), torch.ones(4)]
    part = TorchTensors(tensors, name="both", gpu=0, device="cpu")
    assert part.bytes_on_device() == 16
    part.offload()
    assert tensors[0].device.type == "meta"


dtypes = some.sampled_from([torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.bool, torch.complex64])
slices = some.lists(some.tuples(some.integers(0, 299), some.integers(1, 3)), max_size=4)


@settings(derandomize=True, deadline=None, database=None)
@given(dtype=dtypes, size=some.integers(1, 300), slices=slices, moves=some.lists(some.booleans(), max_size=6))
def test_any_tensors_come_back_as_they_were(dtype: Any, size: int, slices: Any, moves: list[bool]) -> None:
    base = (torch.arange(size) % 7 * 0.5).to(dtype)
    tensors = [base, *(base[start % size :: step] for start, step in slices)]
    if dtype is torch.float64:
        tensors.append(base.view(torch.int64)[size // 2 :])
    expected = [each.clone() for each in tensors]
    part = TorchTensors(tensors, name="any", gpu=0)
    for away in moves:
        if away and part.bytes_on_device() > 0:
            part.offload()
        elif not away:
            part.restore()
        assert all(torch.equal(one, other) for one, other in zip(tensors, expected))
        assert len({each.storage().data_ptr() for each in tensors}) == 1, "they still share their storage"
