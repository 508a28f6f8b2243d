"""The examples in the docstrings run, and every public name has a docstring."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

MODULES = ["alerts", "compat", "metrics", "monitor", "predictor", "profiler", "recovery", "sources"]


@pytest.mark.parametrize("name", ["", *(f".{module}" for module in MODULES)])
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"dualgpuopt.memory{name}")
    failed, tried = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failed == 0
    assert tried > 0 or name == ".sources"


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_documented(name: str) -> None:
    module = importlib.import_module(f"dualgpuopt.memory.{name}")
    undocumented = [
        public
        for public in module.__all__
        if (inspect.isclass(found := getattr(module, public)) or inspect.isfunction(found)) and not found.__doc__
    ]
    assert undocumented == []
