"""Batches of every make, taken apart: every element once, in order, whatever fails on the way."""

from __future__ import annotations

from collections import OrderedDict, UserDict, defaultdict, namedtuple
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgpuopt.memory import _split
from dualgpuopt.memory.recovery import Appended, BatchSizeController

Pair = namedtuple("Pair", "inputs targets")
OOM = "CUDA out of memory. Tried to allocate 2.00 GiB"


def parts(batch: Any, at: int, fields: bool | None = None) -> tuple[Any, Any]:
    length = _split.length_of(batch, fields)
    return _split.part_of(batch, 0, at, fields), _split.part_of(batch, at, length, fields)


def test_sequences_are_cut() -> None:
    assert parts([1, 2, 3], 1) == ([1], [2, 3])
    assert parts((1, 2, 3), 2) == ((1, 2), (3,))
    assert parts(range(5), 2) == (range(2), range(2, 5))
    assert parts(["ab", "cd"], 1) == (["ab"], ["cd"])
    assert parts([{"x": [1]}, {"x": [2]}], 1) == ([{"x": [1]}], [{"x": [2]}])
    assert parts([[1, 2, 3], [4]], 1) == ([[1, 2, 3]], [[4]])


def test_arrays_are_cut_along_the_first_dimension_without_a_copy() -> None:
    array = np.arange(12).reshape(4, 3)
    first, second = parts(array, 1)
    assert first.shape == (1, 3)
    assert np.shares_memory(second, array)
    assert second.tolist() == [[3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_dictionaries_are_cut_column_by_column_at_any_depth() -> None:
    batch = {"ids": np.arange(4), "more": {"text": list("abcd"), "scale": 0.5}, "name": "train", "nothing": None}
    first, second = parts(batch, 3)
    assert (first["ids"].tolist(), first["more"]) == ([0, 1, 2], {"text": ["a", "b", "c"], "scale": 0.5})
    assert (second["ids"].tolist(), second["more"]) == ([3], {"text": ["d"], "scale": 0.5})
    assert (second["name"], second["nothing"]) == ("train", None)
    for kind in (OrderedDict, UserDict):
        assert parts(kind(a=[1, 2]), 1) == ({"a": [1]}, {"a": [2]})


class Encoding(UserDict):  # type: ignore[type-arg]
    """As tokenizers make them: a mapping that knows more."""

    lengths = (3,)

    def __getattr__(self, name: str) -> Any:
        return self.__dict__["data"][name]


def test_mappings_stay_what_they_are() -> None:
    batch = Encoding(input_ids=[1, 2, 3])
    batch.lengths = (1, 1, 1)
    part = _split.part_of(batch, 1, 3)
    assert (type(part), part.input_ids, part.lengths) == (Encoding, [2, 3], (1, 1, 1))
    assert batch.input_ids == [1, 2, 3]
    counted = _split.part_of(defaultdict(list, a=[1, 2]), 0, 1)
    assert (counted["a"], counted["b"]) == ([1], [])
    assert _split.part_of(MappingProxyType({"a": [1, 2]}), 0, 1) == {"a": [1]}


def test_tuples_of_arrays_are_columns() -> None:
    first, second = parts((np.arange(4), {"label": np.arange(4)}), 3)
    assert (first[0].tolist(), second[1]["label"].tolist()) == ([0, 1, 2], [3])
    named, _ = parts(Pair(np.arange(4), np.arange(4)), 1)
    assert named.targets.tolist() == [0]


def test_what_could_be_meant_in_two_ways_is_asked_for() -> None:
    loaded = [np.arange(8), np.arange(8)]  # as DataLoader collates (inputs, targets)
    with pytest.raises(ValueError, match="say fields=True for columns, fields=False for elements"):
        _split.length_of(loaded)
    assert _split.length_of(loaded, fields=True) == 8
    assert _split.length_of(loaded, fields=False) == 2
    assert [column.tolist() for column in parts(loaded, 2, fields=True)[0]] == [[0, 1], [0, 1]]
    with pytest.raises(ValueError, match="a tuple of 2 members"):
        _split.length_of((["a", "b"], [0, 1]))


def test_columns_of_different_length_are_named() -> None:
    with pytest.raises(ValueError, match=r"\['a'\] has 3, \['b'\]\['c'\] has 2"):
        _split.length_of({"a": [1, 2, 3], "b": {"c": [1, 2]}})


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        ((each for each in [1, 2]), "a generator cannot be split: what it has given once it does not give again"),
        (iter([1]), "make a list of it first"),
        ({1, 2}, "it has no order"),
        ("text", "a str cannot be split"),
        (np.float64(1), "cannot be split"),
        (7, "a int cannot be split: it is no list, tensor or dict"),
        ({"a": 1}, "nothing in this dict can be split"),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_reason(batch: Any, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        BatchSizeController(4).split(batch)


def test_an_empty_batch_has_no_chunks() -> None:
    for batch in ([], {}, np.zeros((0, 3)), {"a": []}):
        assert list(BatchSizeController(4).split(batch)) == []


def nested() -> st.SearchStrategy[Any]:
    """Batches of `length` numbered elements in dictionaries of dictionaries."""
    columns = st.sampled_from(["list", "tuple", "array"])
    shapes = st.recursive(
        columns, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1), max_leaves=6
    )
    return st.tuples(shapes, st.integers(0, 40))


def build(shape: Any, length: int) -> Any:
    if isinstance(shape, dict):
        return {key: build(inner, length) for key, inner in shape.items()}
    numbers = list(range(length))
    return {"list": numbers, "tuple": tuple(numbers), "array": np.array(numbers)}[shape]


def leaves(batch: Any) -> list[list[int]]:
    if isinstance(batch, dict):
        return [leaf for value in batch.values() for leaf in leaves(value)]
    return [[int(number) for number in batch]]


@given(nested(), st.integers(1, 50), st.integers(1, 5), st.lists(st.booleans(), max_size=60), st.booleans())
def test_every_element_once_and_in_order_for_any_pattern_of_failures(
    made: tuple[Any, int], ceiling: int, floor: int, failures: list[bool], restart: bool
) -> None:
    shape, length = made
    floor = min(floor, ceiling)
    controller = BatchSizeController(ceiling, floor=floor, patience=1, hold=0, settle=0, clear=list)
    pattern = iter(failures)
    seen: list[Any] = []
    weights: list[float] = []
    last = []
    undo = [Appended(seen), Appended(weights), Appended(last)]
    for chunk in controller.split(build(shape, length), undo=undo, restart=restart):
        with chunk:
            assert floor <= controller.size <= ceiling
            assert 1 <= chunk.size <= controller.size
            seen.append(leaves(chunk.data))
            weights.append(chunk.weight)
            last.append(chunk.is_last)
            if next(pattern, False) and chunk.size > floor:
                raise RuntimeError(OOM)
    for column in range(len(leaves(build(shape, length)))):
        assert [number for part in seen for number in part[column]] == list(range(length))
    assert last == [False] * (len(last) - 1) + [True] * (length > 0)
    assert sum(weights) == pytest.approx(1.0 if length else 0.0)


@given(st.integers(1, 64), st.integers(1, 64))
def test_the_floor_is_where_it_gives_up_and_what_was_done_stays_done(length: int, fits: int) -> None:
    controller = BatchSizeController(64, floor=4, clear=list)
    done: list[int] = []
    smallest = 65
    try:
        for chunk in controller.split(list(range(length))):
            with chunk:
                if chunk.size > fits:
                    smallest = min(smallest, chunk.size)
                    raise RuntimeError(OOM)
                done += chunk.data
    except RuntimeError:
        assert fits < 4
        assert smallest <= 4
    assert done == list(range(len(done)))
    assert len(done) == length or fits < 4
