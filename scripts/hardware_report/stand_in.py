"""The stage for machines without a GPU: the stand-in driver with one GPU on it, that this process can use."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SCENARIO = f"""
latency = "measured"

[[gpu]]
name = "Stand-in 24 GiB"
total = "24GiB"
reserved = "512MiB"

[[gpu.process]]
pid = {os.getpid()}
motion = [{{kind = "step", amount = 0}}]
"""


@dataclass(frozen=True)
class Stage:
    environment: dict[str, str]
    live: Path | None


@contextlib.contextmanager
def staged(driver: Path | None) -> Iterator[Stage]:
    """The machine as it is, or with the stand-in in that folder in the driver's place, for this process as well."""
    if driver is None:
        yield Stage(dict(os.environ), None)
        return
    if not (driver / "libnvidia-ml.so.1").exists():
        raise FileNotFoundError(f"no stand-in driver in {driver}; docs/nvml-stand-in.md says how to build one")
    with tempfile.TemporaryDirectory() as name:
        scenario, live = Path(name, "scenario.toml"), Path(name, "live.toml")
        scenario.write_text(SCENARIO)
        os.environ |= {"NVML_FAKE_SCENARIO": str(scenario), "NVML_FAKE_LIVE": str(live)}
        yield Stage(os.environ | {"LD_LIBRARY_PATH": str(driver)}, live)
