"""The order of things on a CUDA device, shown by stand-ins that keep a log: no GPU and no PyTorch is needed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from dualgpuopt.memory import _torch_copies


class Tensor:
    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name, self.dtype = log, name, "float32"

    def __len__(self) -> int:
        return 4

    def copy_(self, source: Tensor, non_blocking: bool = False) -> None:
        self.log.append(f"copy {source.name} to {self.name}{' later' if non_blocking else ''}")

    def record_stream(self, stream: Stream) -> None:
        self.log.append(f"{self.name} is used by {stream.name}")


class Stream:
    def __init__(self, log: list[str], name: str = "the side stream") -> None:
        self.log, self.name = log, name

    def record_event(self) -> Stream:
        self.log.append("event")
        return Stream(self.log, "the event")

    def synchronize(self) -> None:
        self.log.append(f"wait for {self.name}")


class Torch(ModuleType):
    """As much of PyTorch as copies need."""

    def __init__(self) -> None:
        super().__init__("torch")
        self.log: list[str] = []
        self.cuda = self

    def empty(self, size: int, dtype: str, device: str, pin_memory: bool = False) -> Tensor:
        self.log.append(f"allocate on {device}{' pinned' if pin_memory else ''}")
        return Tensor(self.log, device)

    def synchronize(self, device: str) -> None:
        self.log.append(f"wait for {device}")

    def Stream(self, device: str) -> Stream:
        return Stream(self.log)

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        self.log.append("begin side stream")
        yield
        self.log.append("end side stream")

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        yield

    def device(self, *parts: Any) -> str:
        return ":".join(map(str, parts))

    def current_device(self) -> int:
        return 1


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Torch:
    stand_in = Torch()
    monkeypatch.setitem(sys.modules, "torch", stand_in)
    return stand_in


def test_to_the_host_waits_for_the_device_before_and_for_the_copy_after(torch: Torch) -> None:
    _torch_copies.copies_for("cuda:0", None).to_host([Tensor(torch.log, "weights")], "cpu")
    assert torch.log == [
        "allocate on cpu pinned",
        "wait for cuda:0",
        "begin side stream",
        "copy weights to cpu later",
        "weights is used by the side stream",
        "event",
        "end side stream",
        "wait for the event",
    ]


def test_to_the_device_the_new_memory_is_known_to_be_used(torch: Torch) -> None:
    _torch_copies.copies_for("cuda:0", None).to_device([Tensor(torch.log, "copy")], "cuda:0")
    assert torch.log[0] == "allocate on cuda:0"
    assert "cuda:0 is used by the side stream" in torch.log
    assert torch.log[-1] == "wait for the event"


def test_other_devices_know_no_streams_and_pin_on_request(torch: Torch) -> None:
    _torch_copies.copies_for("cpu", None).to_host([Tensor(torch.log, "weights")], "cpu")
    assert torch.log == ["allocate on cpu", "copy weights to cpu"]
    _torch_copies.copies_for("cpu", True).to_host([Tensor(torch.log, "weights")], "cpu")
    assert torch.log[2] == "allocate on cpu pinned"


def test_a_device_has_its_whole_name(torch: Torch) -> None:
    assert _torch_copies.whole_name("cuda") == "cuda:1"
    assert _torch_copies.whole_name("cuda:0") == "cuda:0"
