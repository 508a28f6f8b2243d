"""What the cases of the contract share."""

from __future__ import annotations

import warnings
from types import ModuleType

import pytest
from script_runner import ScriptRunner


@pytest.fixture(scope="session")
def run_script(tmp_path_factory: pytest.TempPathFactory) -> ScriptRunner:
    """Each script has an interpreter of its own, for the monitor is one for the whole process."""
    return ScriptRunner(lambda: tmp_path_factory.mktemp("script"))


@pytest.fixture(scope="session")
def legacy() -> ModuleType:
    """The module in this interpreter: for values that need no GPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import dualgpuopt.memory_monitor as module
    return module
