"""What an import costs beyond the standard library's modules that it uses: time, and resident memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent

LIST = """
import sys
before = set(sys.modules)
import {module}
pulled_in = [name for name in sys.modules if name not in before]
import json
print(json.dumps(pulled_in))
"""

# The standard library's modules first, as ours would import them; then ours, measured.
MEASURE = """
import importlib, json, time, warnings
warnings.simplefilter("ignore")
def resident():
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * {page}
for name in {standard!r}:
    importlib.import_module(name)
resident()
memory, begun = resident(), time.perf_counter()
import {module}
took = time.perf_counter() - begun
print(json.dumps([took * 1e3, (resident() - memory) / (1 << 20)]))
"""


class ImportCost(NamedTuple):
    """The least of many runs each."""

    milliseconds: float
    mebibytes: float


def in_fresh_interpreter(source: str, bytecode: str) -> list[float]:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = bytecode
    env["PYTHONPATH"] = os.pathsep.join([env.get("PYTHONPATH", ""), str(HERE)])
    command = [sys.executable, "-W", "ignore", "-c", source]
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
    found: list[float] = json.loads(done.stdout)
    return found


def is_ours(name: str, module: str) -> bool:
    return name.split(".")[0] == module.split(".")[0]


def measure(module: str, runs: int) -> ImportCost:
    """The cost of importing `module`, its bytecode being compiled already, as that of an installed package is."""
    with tempfile.TemporaryDirectory() as bytecode:
        pulled_in = [str(name) for name in in_fresh_interpreter(LIST.format(module=module), bytecode)]
        standard = [name for name in pulled_in if name.split(".")[0] in sys.stdlib_module_names]
        strangers = [name for name in pulled_in if name not in standard and not is_ours(name, module)]
        assert not strangers, f"{module} imports {strangers}"
        source = MEASURE.format(module=module, standard=standard, page=os.sysconf("SC_PAGE_SIZE"))
        in_fresh_interpreter(source, bytecode)
        costs = [in_fresh_interpreter(source, bytecode) for _ in range(runs)]
    return ImportCost(min(took for took, _ in costs), min(memory for _, memory in costs))
