"""The examples in the docstrings run, and every public name has a docstring."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

PUBLIC = [
    "alerts",
    "compat",
    "metrics",
    "monitor",
    "offload",
    "oom",
    "predictor",
    "profiler",
    "recovery",
    "sources",
    "torch_offload",
]


# Where public names live that another module exports.
PRIVATE = [
    "_batch",
    "_caches",
    "_chunks",
    "_distributed",
    "_estimates",
    "_lines",
    "_memory_profile",
    "_offload_values",
    "_profile_files",
    "_profile_learning",
    "_profiling_session",
    "_shared_batch_size",
    "_training_state",
]


@pytest.mark.parametrize("name", ["", *(f".{module}" for module in PRIVATE + PUBLIC)])
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"dualgpuopt.memory{name}")
    failed, tried = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failed == 0
    assert tried > 0


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented_with_an_example(name: str) -> None:
    module = importlib.import_module(f"dualgpuopt.memory.{name}")
    named = [getattr(module, public) for public in module.__all__]
    ours = [each for each in named if inspect.isclass(each) or inspect.isfunction(each)]
    assert [each.__name__ for each in ours if ">>>" not in (each.__doc__ or "")] == []
