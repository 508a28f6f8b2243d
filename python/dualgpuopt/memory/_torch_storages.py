"""The storages behind tensors: each once, with all the tensors that share it, and exchanged under them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Storage:
    """One storage and the tensors of an object that lie in it."""

    def __init__(self, size: int) -> None:
        self.size = size  # bytes
        self.tensors: list[Any] = []

    def check(self) -> None:
        for tensor in self.tensors:
            check(tensor)

    def flat(self) -> Any:
        """All of its elements in a row, as those of the smallest type that lies in it: nobody can see the rest."""
        tensor = min(self.tensors, key=lambda each: each.element_size()).detach()
        return tensor.as_strided((self.size // tensor.element_size(),), (1,), 0)

    def exchange(self, flat: Any) -> list[tuple[Any, Any]]:
        """Puts its tensors into the storage of `flat`, which holds a copy of it.

        Returns:
            The tensors with their old data.
        """
        before = [(tensor, tensor.data) for tensor in self.tensors]
        try:
            for tensor in self.tensors:
                tensor.data = _view(flat, tensor)
        except BaseException:
            put_back(before)
            raise
        return before


def check(tensor: Any) -> None:
    """Whether it can be moved in place."""
    kind = type(tensor)
    if not kind.__module__.startswith("torch") or kind.__name__ not in ("Tensor", "Parameter", "Buffer"):
        raise ValueError(f"a {kind.__name__} cannot be moved in place")
    if str(tensor.layout) != "torch.strided":
        raise ValueError(f"a tensor of the layout {tensor.layout} cannot be moved in place")
    if tensor.grad_fn is not None:
        raise ValueError("a tensor that is part of a graph cannot be moved in place")


def storages_on(device: Any, tensors: Iterable[Any]) -> list[Storage]:
    """Those of the tensors that are on the device."""
    found: dict[int, Storage] = {}
    seen: set[int] = set()
    for tensor in tensors:
        if id(tensor) in seen or str(tensor.device) != str(device):
            continue
        seen.add(id(tensor))
        raw = tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage()
        if raw.nbytes() > 0:
            found.setdefault(raw.data_ptr(), Storage(raw.nbytes())).tensors.append(tensor)
    return list(found.values())


def swapped(storages: list[Storage], copies: list[Any]) -> None:
    """Exchanges all or none."""
    before: list[tuple[Any, Any]] = []
    try:
        for storage, copy in zip(storages, copies):
            before += storage.exchange(copy)
    except BaseException:
        put_back(before)
        raise


def put_back(before: list[tuple[Any, Any]]) -> None:
    for tensor, data in before:
        tensor.data = data


def _view(flat: Any, tensor: Any) -> Any:
    """The same elements of `flat` as `tensor` has of its own storage."""
    whole = flat.detach() if flat.dtype == tensor.dtype else _as_type(flat.detach(), tensor)
    return whole.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())


def _as_type(flat: Any, tensor: Any) -> Any:
    ratio = tensor.element_size() // flat.element_size()
    return flat[: len(flat) // ratio * ratio].view(tensor.dtype)
