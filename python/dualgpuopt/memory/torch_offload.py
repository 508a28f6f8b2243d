"""PyTorch's tensors as objects that an `Offloader` moves: models, optimizers, and tensors of your own.

They are moved in place: parameters, buffers and state tensors stay the same Python objects, with their strides, their
version counters, `requires_grad` and hooks, so that a training that was offloaded and restored goes on as one that was
not, bit by bit. What shares a storage, such as tied weights and views, is moved once and shares it afterwards:
put it into one object, not into two.

Call safe points where no forward or backward pass runs. Between a forward pass and its backward the tensors of a graph
are in use: `TorchModule` refuses to move then. Other views of a moved storage, which are not among the object's own
tensors (what the application made itself), keep the old storage and its memory; so does a graph that is still referred
to. While a module is on the host its tensors are the host's: a forward pass with inputs on the GPU fails with PyTorch's
own words, and `state_dict` works. Put what needs it into `OffloadRegistration.use`.

PyTorch is never imported from here: whoever has tensors has done that.
"""

from __future__ import annotations

import itertools
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from ._torch_copies import copies_for, whole_name
from ._torch_storages import Storage, check, storages_on, swapped
from .offload import Offloadable

__all__ = ["TorchModule", "TorchOptimizer", "TorchTensors"]


class TorchTensors(Offloadable):
    """Tensors that are moved together.

    Args:
        tensors: The tensors, or a function that gives them afresh each time. Those that are on another device than the
            object's stay where they are.
        name: For records.
        gpu: The index of the device in the monitor; PyTorch may count differently (`CUDA_VISIBLE_DEVICES`).
        device: Where they are at home, such as "cuda:0"; None: where the first of them is.
        host: Where they go.
        priority: The higher, the longer they stay.
        pin: Whether the host's memory is pinned, which copies faster and cannot be swapped out; None: with CUDA.

    Raises:
        ValueError: A tensor cannot be moved in place: it is sparse, of a subclass, or part of a graph.

    Example:
        >>> def register(offloader, cache, torch):
        ...     return offloader.add(TorchTensors([cache.keys, cache.values], name="cache", gpu=0))
    """

    at_safe_point = True

    def __init__(
        self,
        tensors: Iterable[Any] | Callable[[], Iterable[Any]],
        *,
        name: str,
        gpu: int,
        device: Any = None,
        host: Any = "cpu",
        priority: float = 0.0,
        pin: bool | None = None,
    ) -> None:
        self.name, self.gpu, self.priority = name, gpu, priority
        kept = None if callable(tensors) else list(tensors)
        self._tensors: Callable[[], Iterable[Any]] = tensors if callable(tensors) else lambda: kept or ()
        self._host = host
        self._pin = pin
        self._home = device
        self._away: list[Storage] | None = None
        for tensor in self._tensors():
            check(tensor)

    def bytes_on_device(self) -> int:
        """The sizes of their storages on the device, each counted once."""
        return 0 if self._away is not None else sum(storage.size for storage in self._storages())

    def offload(self) -> None:
        """Copies them to the host, waits for the copies, and lets the device's storages go.

        Raises:
            RuntimeError: A graph is alive that has not been through its backward pass, or memory is short.
            ValueError: A tensor cannot be moved in place.
        """
        self.refuse_if_in_use()
        storages = self._storages()
        for storage in storages:
            storage.check()
        copies = copies_for(self._device(), self._pin)
        swapped(storages, copies.to_host([storage.flat() for storage in storages], self._host))
        self._away = storages

    def restore(self) -> None:
        """Copies them back to the device they came from; what shared a storage shares one again.

        Raises:
            RuntimeError: The device has no room; everything is on the host then.
        """
        if self._away is None:
            return
        flat = [storage.flat() for storage in self._away]
        swapped(self._away, copies_for(self._device(), self._pin).to_device(flat, self._device()))
        self._away = None

    def refuse_if_in_use(self) -> None:
        """Raises a RuntimeError if they cannot be moved now. These can: check what you know, and override it."""

    def _device(self) -> Any:
        if self._home is None:
            self._home = next((tensor.device for tensor in self._tensors()), self._host)
        self._home = whole_name(self._home)
        return self._home

    def _storages(self) -> list[Storage]:
        return storages_on(self._device(), self._tensors())


class TorchModule(TorchTensors):
    """A module: its parameters, buffers and, unless they are to stay, gradients.

    Forward passes are noted, by a hook on the module: that is its last use, and while a graph of one is alive that has
    not been through its backward pass, the module is not moved. The same where something else holds its gradient
    accumulators, as `DistributedDataParallel` does after a forward pass.

    Args:
        module: On its device.
        gpu: The index of the device in the monitor.
        name: For records; None: the class's.
        device: Where it is at home; None: where its first parameter is.
        host: Where it goes.
        priority: The higher, the longer it stays.
        pin: Whether the host's memory is pinned; None: with CUDA.
        grads: Whether gradients are moved, too.

    Example:
        >>> def register(offloader, encoder):
        ...     return offloader.add(TorchModule(encoder, gpu=0, priority=1.0))
    """

    def __init__(
        self,
        module: Any,
        *,
        gpu: int,
        name: str | None = None,
        device: Any = None,
        host: Any = "cpu",
        priority: float = 0.0,
        pin: bool | None = None,
        grads: bool = True,
    ) -> None:
        self._module = module
        self._grads = grads
        self._gradients_before: list[tuple[int, int] | None] | None = None
        super().__init__(
            self._all, name=name or type(module).__name__, gpu=gpu, device=device, host=host, priority=priority, pin=pin
        )
        module.register_forward_pre_hook(_ForwardNote(self))

    def refuse_if_in_use(self) -> None:
        """Raises a RuntimeError while a graph of the last forward pass waits for its backward."""
        if self._gradients_before is None or self._was_differentiated():
            return
        if any(_is_in_a_graph(parameter) for parameter in self._module.parameters()):
            raise RuntimeError("a graph is alive that was not yet differentiated: call safe points between the steps")

    def _all(self) -> Iterator[Any]:
        parameters = list(self._module.parameters())
        gradients = [parameter.grad for parameter in parameters if self._grads and parameter.grad is not None]
        return itertools.chain(parameters, self._module.buffers(), gradients)

    def _was_differentiated(self) -> bool:
        """Whether gradients have changed since the forward pass otherwise than by being cleared or set to zero."""
        pairs = zip(self._module.parameters(), self._gradients_before or [], self._gradients())
        return any(now is not None and now != before and bool(parameter.grad.any()) for parameter, before, now in pairs)

    def _gradients(self) -> list[tuple[int, int] | None]:
        """Changes with every backward pass that reaches the module, and when gradients are cleared."""
        grads = (parameter.grad for parameter in self._module.parameters())
        return [None if grad is None else (id(grad), grad._version) for grad in grads]

    def note_forward(self) -> None:
        """A forward pass begins; the hook on the module says so."""
        self.last_use = time.monotonic()
        self._gradients_before = self._gradients()


class TorchOptimizer(TorchTensors):
    """An optimizer's state: momenta, variances, master copies, as far as they are on the device.

    The state is looked at when it is moved, so it may come into being later. A step while it is on the host fails with
    PyTorch's own words.

    Args:
        optimizer: As `torch.optim` has them: its `state` is a dictionary of dictionaries.
        gpu: The index of the device in the monitor.
        device: Where the state is at home: the parameters' device.
        name: For records; None: the class's.
        host: Where it goes.
        priority: The higher, the longer it stays.
        pin: Whether the host's memory is pinned; None: with CUDA.

    Example:
        >>> def register(offloader, adam):
        ...     return offloader.add(TorchOptimizer(adam, gpu=0, device="cuda:0"))
    """

    def __init__(
        self,
        optimizer: Any,
        *,
        gpu: int,
        device: Any,
        name: str | None = None,
        host: Any = "cpu",
        priority: float = 0.0,
        pin: bool | None = None,
    ) -> None:
        named = name or type(optimizer).__name__
        super().__init__(
            lambda: _tensors_in(optimizer.state),
            name=named,
            gpu=gpu,
            device=device,
            host=host,
            priority=priority,
            pin=pin,
        )


class _ForwardNote:
    """The hook on a module. It keeps nothing alive, and copies and pickled modules get one that notes nothing."""

    def __init__(self, part: TorchModule | None = None) -> None:
        self._find: Callable[[], TorchModule | None] = weakref.ref(part) if part is not None else _nobody

    def __call__(self, module: Any, inputs: Any) -> None:
        part = self._find()
        if part is not None:
            part.note_forward()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_ForwardNote, ())


def _nobody() -> None:
    return None


def _tensors_in(values: Any) -> Iterator[Any]:
    """Every tensor in nested dictionaries and lists; keys, which are parameters, left out."""
    if hasattr(values, "storage_offset"):
        yield values
    elif isinstance(values, dict):
        yield from itertools.chain.from_iterable(map(_tensors_in, values.values()))
    elif isinstance(values, (list, tuple)):
        yield from itertools.chain.from_iterable(map(_tensors_in, values))


def _is_in_a_graph(parameter: Any) -> bool:
    """Whether somebody keeps its gradient accumulator, which otherwise only lives as long as this looks at it."""
    if not parameter.requires_grad:
        return False
    mark = object()
    _accumulator(parameter).metadata["dualgpuopt"] = mark
    return _accumulator(parameter).metadata.get("dualgpuopt") is mark


def _accumulator(parameter: Any) -> Any:
    import torch  # is there: it made the parameter

    with torch.enable_grad():
        return parameter.view_as(parameter).grad_fn.next_functions[0][0]
