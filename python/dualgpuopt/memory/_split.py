"""Takes a part of a batch, whatever the batch is made of."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping, Sequence, Sized
from typing import Any, Callable


def is_array(value: Any) -> bool:
    """Tensors and arrays of any framework, with at least one dimension to split."""
    shape = getattr(value, "shape", None)
    return shape is not None and hasattr(value, "__getitem__") and len(shape) > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, bytes, bytearray))


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not _is_text(value)


def _is_container(value: Any) -> bool:
    return is_array(value) or isinstance(value, Mapping) or _is_sequence(value)


def _are_fields(batch: Sequence[Any], fields: bool | None) -> bool:
    """Whether the members are columns of the batch (inputs and targets) rather than its elements."""
    if fields is not None:
        return fields
    if not any(_is_container(member) for member in batch):
        return False
    if isinstance(batch, tuple) and all(is_array(member) or isinstance(member, Mapping) for member in batch):
        return True
    if isinstance(batch, list) and not any(is_array(member) for member in batch):
        return False
    raise ValueError(
        f"a {type(batch).__name__} of {len(batch)} members that have parts themselves can be that many elements, or "
        "columns such as inputs and targets: say fields=True for columns, fields=False for elements"
    )


def _columns(batch: Any, fields: bool | None) -> Iterator[tuple[str, Any]]:
    """Every leaf that is split, with its place in the batch."""
    if isinstance(batch, Mapping):
        for key, value in batch.items():
            yield from ((f"[{key!r}]{place}", leaf) for place, leaf in _columns(value, False))
    elif not is_array(batch) and _is_sequence(batch) and _are_fields(batch, fields):
        for index, value in enumerate(batch):
            yield from ((f"[{index}]{place}", leaf) for place, leaf in _columns(value, False))
    elif is_array(batch) or _is_sequence(batch):
        yield "", batch


def _length(column: Any) -> int:
    return int(column.shape[0]) if is_array(column) else len(column)


def _refuse(batch: Any) -> None:
    if _is_container(batch):
        return
    if isinstance(batch, Iterator):
        raise TypeError(
            f"a {type(batch).__name__} cannot be split: what it has given once it does not give again, so that a chunk "
            "that ran out of memory would be lost; make a list of it first"
        )
    kind = type(batch).__name__
    hint = "it has no order" if isinstance(batch, Sized) and not _is_text(batch) else "it is no list, tensor or dict"
    raise TypeError(f"a {kind} cannot be split: {hint}")


def length_of(batch: Any, fields: bool | None = None) -> int:
    """How many elements a batch has: the length of its columns, which must be the same.

    Raises:
        TypeError: It cannot be split.
        ValueError: Its columns differ in length, or it can be meant in two ways.
    """
    _refuse(batch)
    lengths = {place or "the batch": _length(column) for place, column in _columns(batch, fields)}
    if not lengths:
        if isinstance(batch, Mapping) and batch:
            raise TypeError(f"nothing in this {type(batch).__name__} can be split: it has no list, tensor or array")
        return 0
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{place} has {length}" for place, length in lengths.items())
        raise ValueError(f"the columns of the batch differ in length: {told}")
    return next(iter(lengths.values()))


def _rebuild(batch: Sequence[Any], members: list[Any]) -> Any:
    if hasattr(batch, "_make"):  # a named tuple
        return batch._make(members)
    return tuple(members) if isinstance(batch, tuple) else members


def _rebuild_mapping(batch: Mapping[Any, Any], members: dict[Any, Any]) -> Any:
    if type(batch) is dict or not isinstance(batch, MutableMapping):
        return members
    made = copy.copy(batch)  # with what else it knows, as the encodings of tokenizers do
    made.update(members)
    return made


def part_of(batch: Any, start: int, stop: int, fields: bool | None = None) -> Any:
    """Elements `start` to `stop` in a batch of the same make; tensors and arrays are views where slicing makes views.

    Of a mapping that cannot be changed it is a dict. What has no parts, such as a number or a text in a dictionary,
    goes with every part.
    """
    take: Callable[[Any], Any] = lambda value: part_of(value, start, stop, False)  # noqa: E731
    if isinstance(batch, Mapping):
        return _rebuild_mapping(batch, {key: take(value) for key, value in batch.items()})
    if is_array(batch):
        return batch[start:stop]
    if not _is_sequence(batch):
        return batch
    if _are_fields(batch, fields):
        return _rebuild(batch, [take(member) for member in batch])
    return batch[start:stop]
