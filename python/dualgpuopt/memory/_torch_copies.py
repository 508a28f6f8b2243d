"""Copies between a device and the host that are over when they return."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any


def copies_for(device: Any, pin: bool | None) -> Copies:
    torch = sys.modules["torch"]
    on_cuda = str(device).startswith("cuda")
    pinned = on_cuda if pin is None else pin
    return CudaCopies(torch, device, pinned) if on_cuda else Copies(torch, pinned)


def whole_name(device: Any) -> Any:
    """A device as tensors name theirs: "cuda" is the current one."""
    torch = sys.modules["torch"]
    named = torch.device(device)
    return torch.device("cuda", torch.cuda.current_device()) if str(named) == "cuda" else named


class Copies:
    """On devices without streams: a copy is over when it returns."""

    def __init__(self, torch: Any, pin: bool) -> None:
        self._torch = torch
        self._pin = pin

    def to_host(self, flat: list[Any], host: Any) -> list[Any]:
        copies = [self._torch.empty(len(each), dtype=each.dtype, device=host, pin_memory=self._pin) for each in flat]
        self._copy(zip(copies, flat), flat)
        return copies

    def to_device(self, flat: list[Any], device: Any) -> list[Any]:
        copies = [self._torch.empty(len(each), dtype=each.dtype, device=device) for each in flat]
        self._copy(zip(copies, flat), copies)
        return copies

    def _copy(self, pairs: Iterable[tuple[Any, Any]], on_device: list[Any]) -> None:
        with self._torch.no_grad():
            for to, source in pairs:
                to.copy_(source)


class CudaCopies(Copies):
    """On a stream of their own, after everything that was queued on the device, and waited for.

    Everything, not the current stream alone: this may be another thread than the one that works with the tensors. The
    wait at the end is what makes it safe to give the memory back; `record_stream` says the same to the allocator.
    """

    def __init__(self, torch: Any, device: Any, pin: bool) -> None:
        super().__init__(torch, pin)
        self._device = device

    def _copy(self, pairs: Iterable[tuple[Any, Any]], on_device: list[Any]) -> None:
        cuda = self._torch.cuda
        cuda.synchronize(self._device)
        stream = cuda.Stream(self._device)
        with self._torch.no_grad(), cuda.stream(stream):
            for to, source in pairs:
                to.copy_(source, non_blocking=True)
            for each in on_device:
                each.record_stream(stream)
            done = stream.record_event()
        done.synchronize()
