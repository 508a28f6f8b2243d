"""What a chunk that is tried again has to find as it was; `dualgpuopt.memory.recovery` has it by its public names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class Undo(Protocol):
    """Something that a failed chunk may have changed. Both methods run on the thread of the loop.

    Example:
        >>> class Collected:
        ...     def __init__(self, results: list) -> None:
        ...         self.results, self.length = results, 0
        ...     def save(self) -> None:
        ...         self.length = len(self.results)
        ...     def restore(self) -> None:
        ...         del self.results[self.length:]
    """

    def save(self) -> None:
        """Remembers the state; called before a chunk begins."""

    def restore(self) -> None:
        """Brings the state back that was remembered last; called after a chunk has failed."""


class Appended:
    """Takes back what a failed chunk appended to a list.

    Example:
        >>> results = [1]
        >>> undo = Appended(results)
        >>> undo.save()
        >>> results.append(2)
        >>> undo.restore()
        >>> results
        [1]
    """

    def __init__(self, results: list[Any]) -> None:
        self._results = results
        self._length = len(results)

    def save(self) -> None:
        """As in `Undo`."""
        self._length = len(self._results)

    def restore(self) -> None:
        """As in `Undo`."""
        del self._results[self._length :]


def _kept(tensor: Any) -> Any:
    """A copy in the host's memory: the GPU's is what is short."""
    return tensor.detach().to("cpu", copy=True)


class _KeptTensor:
    """A tensor's copy, and where it belongs."""

    def __init__(self, tensor: Any) -> None:
        self.copy, self.device = _kept(tensor), tensor.device

    def anew(self) -> Any:
        return self.copy.to(self.device, copy=True)


def _kept_value(value: Any) -> Any:
    """Whatever tensors lie in it, at any depth; what holds them is rebuilt, since it may be changed in its place."""
    if hasattr(value, "detach"):
        return _KeptTensor(value)
    if isinstance(value, dict):
        return {key: _kept_value(each) for key, each in value.items()}
    return type(value)(map(_kept_value, value)) if type(value) in (list, tuple) else value


def _anew(kept: Any) -> Any:
    if isinstance(kept, _KeptTensor):
        return kept.anew()
    if isinstance(kept, dict):
        return {key: _anew(each) for key, each in kept.items()}
    return type(kept)(map(_anew, kept)) if type(kept) in (list, tuple) else kept


class Gradients:
    """The gradients that chunks add up, and a model's buffers such as running means; for PyTorch.

    The copy lies in the host's memory. Before the first chunk of a step, when gradients are None, it costs nothing;
    from the second on the gradients are copied once a chunk, unless the batch is split with `restart=True`.

    Args:
        model: A module, or its parameters.

    Example:
        >>> def train(controller, model, optimizer, inputs, targets, loss_of):
        ...     optimizer.zero_grad(set_to_none=True)
        ...     for chunk in controller.split((inputs, targets), undo=Gradients(model)):
        ...         with chunk:
        ...             x, y = chunk.data
        ...             (loss_of(model(x), y) * chunk.weight).backward()
        ...     controller.retry(optimizer.step, undo=OptimizerState(optimizer))
    """

    def __init__(self, model: Any) -> None:
        is_module = hasattr(model, "parameters")
        parameters: Iterable[Any] = model.parameters() if is_module else model
        self._parameters = list(parameters)
        self._buffers = list(model.buffers()) if is_module else []
        self._gradients: list[Any] = []
        self._kept_buffers: list[Any] = []

    def save(self) -> None:
        """As in `Undo`."""
        gradients = (parameter.grad for parameter in self._parameters)
        self._gradients = [None if gradient is None else _kept(gradient) for gradient in gradients]
        self._kept_buffers = [_kept(buffer) for buffer in self._buffers]

    def restore(self) -> None:
        """As in `Undo`. Writes into the gradients that are there, so that nothing has to be allocated."""
        for parameter, kept in zip(self._parameters, self._gradients):
            if kept is None:
                parameter.grad = None
            elif parameter.grad is None:
                parameter.grad = kept.to(parameter.device)
            else:
                parameter.grad.data.copy_(kept)
        for buffer, kept in zip(self._buffers, self._kept_buffers):
            buffer.data.copy_(kept)


class OptimizerState:
    """An optimizer's parameters and its own state, for a step that may fail halfway; for PyTorch.

    The copy lies in the host's memory and costs the transfer of the parameters and the state before each step. Without
    it a step that ran out of memory has changed some parameters and not others.

    Args:
        optimizer: With `param_groups` and `state`, as those of `torch.optim`.

    Example:
        >>> def step(controller, optimizer):
        ...     controller.retry(optimizer.step, undo=OptimizerState(optimizer))
    """

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer
        self._values: list[tuple[Any, Any]] = []
        self._state: dict[Any, dict[str, Any]] = {}
        self._options: list[dict[str, Any]] = []

    def save(self) -> None:
        """As in `Undo`."""
        groups = self._optimizer.param_groups
        self._values = [(parameter, _kept(parameter)) for group in groups for parameter in group["params"]]
        self._options = [{key: value for key, value in group.items() if key != "params"} for group in groups]
        self._state = {
            parameter: {key: _kept_value(value) for key, value in state.items()}
            for parameter, state in self._optimizer.state.items()
        }

    def restore(self) -> None:
        """As in `Undo`."""
        for parameter, kept in self._values:
            parameter.data.copy_(kept)
        for group, options in zip(self._optimizer.param_groups, self._options):
            group.update(options)
        for parameter in list(self._optimizer.state):
            if parameter in self._state:
                self._restore_state(self._optimizer.state[parameter], self._state[parameter])
            else:  # made by the step that failed
                del self._optimizer.state[parameter]

    @staticmethod
    def _restore_state(state: dict[str, Any], kept: dict[str, Any]) -> None:
        for key in set(state) - set(kept):
            del state[key]
        for key, value in kept.items():
            there: Any = state.get(key)
            if isinstance(value, _KeptTensor) and getattr(there, "shape", None) == value.copy.shape:
                there.data.copy_(value.copy)
            else:
                state[key] = _anew(value)
