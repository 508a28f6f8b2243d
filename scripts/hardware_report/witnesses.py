"""What others say of the same GPUs at the same time, value by value: nvidia-smi, and pynvml of nvidia-ml-py.

Memory may change between two looks. So gpumem looks before and after the witness, and a value of the witness agrees
when it is not outside of what the two looks say.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .gpumem import Device, Gpumem, look
from .markdown import MIB, Section, not_run, table

PYNVML_PROBE = Path(__file__).resolve().parents[2] / "tests" / "clients" / "pynvml_probe.py"
CLIENTS = Path(__file__).resolve().parents[2] / "build" / "clients" / "bin" / "python"

# UUID -> field -> number, and None where the witness has none.
Numbers = dict[str, dict[str, Any]]
Read = Callable[[Device], Any]


@dataclass(frozen=True)
class Value:
    """A field of the witness and where gpumem has it; `slack` is what rounding may make of it."""

    field: str
    read: Read
    slack: int = 0


class NotHere(Exception):
    """The witness cannot be asked; the text says why."""


def of_reading(key: str) -> Read:
    return lambda device: device.reading[key]


def used_with_reserve(device: Device) -> int | None:
    """`used` as the driver's first memory call has it since R510."""
    used, reserved = device.reading["used_bytes"], device.reading["reserved_bytes"]
    return None if used is None else used + (reserved or 0)


def _ask(command: list[str], environment: Mapping[str, str]) -> str:
    try:
        ran = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=120, check=False
        )
    except FileNotFoundError:
        raise NotHere(f"{command[0]} is not on this machine") from None
    if ran.returncode != 0:
        last = (ran.stderr.strip() or ran.stdout.strip() or "no output").splitlines()[-1]
        raise NotHere(f"{Path(command[0]).name} ended with {ran.returncode}: {last}")
    return ran.stdout


def _whole(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None


# nvidia-smi -------------------------------------------------------------------------------------------------------

SMI_FIELDS = ("memory.total", "memory.reserved", "memory.used", "memory.free")
SMI_VALUES = [
    Value("memory.total", of_reading("total_bytes"), MIB),
    Value("memory.reserved", of_reading("reserved_bytes"), MIB),
    Value("memory.used", of_reading("used_bytes"), MIB),
    Value("memory.free", of_reading("free_bytes"), MIB),
]


def _smi_rows(what: str, environment: Mapping[str, str]) -> list[list[str]]:
    text = _ask(["nvidia-smi", what, "--format=csv,noheader,nounits"], environment)
    return [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]


def ask_nvidia_smi(environment: Mapping[str, str]) -> Numbers:
    numbers: Numbers = {}
    for uuid, *cells in _smi_rows("--query-gpu=uuid," + ",".join(SMI_FIELDS), environment):
        amounts = [_whole(cell) for cell in cells]
        numbers[uuid] = {
            field: None if amount is None else amount * MIB
            for field, amount in zip(SMI_FIELDS, amounts, strict=True)
        }
        numbers[uuid]["processes"] = {}
    for uuid, pid, used in _smi_rows("--query-compute-apps=gpu_uuid,pid,used_memory", environment):
        amount = _whole(used)
        if uuid in numbers:
            numbers[uuid]["processes"][int(pid)] = None if amount is None else amount * MIB
    return numbers


# pynvml -----------------------------------------------------------------------------------------------------------

PYNVML_VALUES = [
    Value("memory.total", of_reading("total_bytes")),
    Value("memory.used", used_with_reserve),
    Value("memory.free", of_reading("free_bytes")),
    Value("memory_v2.total", of_reading("total_bytes")),
    Value("memory_v2.reserved", of_reading("reserved_bytes")),
    Value("memory_v2.used", of_reading("used_bytes")),
    Value("memory_v2.free", of_reading("free_bytes")),
]


def _python_with_pynvml(environment: Mapping[str, str]) -> str:
    for python in (sys.executable, str(CLIENTS)):
        try:
            _ask([python, "-c", "import pynvml"], environment)
        except NotHere:
            continue
        return python
    raise NotHere("no Python here can import pynvml; scripts/install-clients installs one that can")


def _memory_of(answer: Mapping[str, Any], call: str) -> dict[str, Any]:
    seen = answer.get(call)
    return {f"{call}.{key}": amount for key, amount in seen.items()} if isinstance(seen, dict) else {}


def _largest(lists: Mapping[str, Any]) -> dict[int, int | None]:
    """A process may be in several lists: then the larger number is its use."""
    found: dict[int, int | None] = {}
    for entries in lists.values():
        for entry in entries if isinstance(entries, list) else []:
            amounts = [amount for amount in (found.get(entry["pid"]), entry["used"]) if amount is not None]
            found[entry["pid"]] = max(amounts, default=None)
    return found


def ask_pynvml(environment: Mapping[str, str]) -> Numbers:
    answers = json.loads(_ask([_python_with_pynvml(environment), str(PYNVML_PROBE)], environment))
    return {
        uuid: {
            **_memory_of(answer, "memory"),
            **_memory_of(answer, "memory_v2"),
            "processes": _largest(answer["lists"]),
        }
        for uuid, answer in answers.items()
        if "lists" in answer
    }


# The comparison ---------------------------------------------------------------------------------------------------


def _verdict(said: int | None, before: int | None, after: int | None, slack: int) -> str:
    if said is None or before is None or after is None:
        return "equal" if said in (before, after) else "differs"
    if said in (before, after):
        return "equal"
    low, high = min(before, after), max(before, after)
    if low - slack < said < high + slack:
        return "equal but for rounding" if before == after else "between both looks"
    return "differs"


def _shown(amount: int | None) -> str:
    return "none" if amount is None else f"{amount:,}"


def _compare(uuid: str, values: list[Value], said: Mapping[str, Any], before: Device, after: Device) -> list[list[str]]:
    rows = []
    for value in values:
        if value.field not in said:
            continue
        theirs, ours, later = said[value.field], value.read(before), value.read(after)
        verdict = _verdict(theirs, ours, later, value.slack)
        rows.append([uuid, value.field, _shown(theirs), _shown(ours), verdict])
    return rows


def _compare_processes(
    uuid: str, said: Mapping[int, int | None], before: Device, after: Device, slack: int
) -> list[list[str]]:
    first, second = before.processes(), after.processes()
    rows = []
    for pid, theirs in sorted(said.items()):
        if pid not in first and pid not in second:
            rows.append([uuid, f"process {pid}", _shown(theirs), "not listed", "differs"])
            continue
        ours, later = first.get(pid, second.get(pid)), second.get(pid, first.get(pid))
        rows.append([uuid, f"process {pid}", _shown(theirs), _shown(ours), _verdict(theirs, ours, later, slack)])
    return rows


def compare(title: str, gpumem: Gpumem, ask: Callable[[Mapping[str, str]], Numbers], values: list[Value]) -> Section:
    try:
        before = look(gpumem)
        said = ask(gpumem.environment)
        after = look(gpumem)
    except (NotHere, RuntimeError) as error:
        return not_run(title, str(error))
    shared = [uuid for uuid in said if uuid in before and uuid in after]
    rows = []
    for uuid in shared:
        rows += _compare(uuid, values, said[uuid], before[uuid], after[uuid])
        slack = max(value.slack for value in values)
        rows += _compare_processes(uuid, said[uuid]["processes"], before[uuid], after[uuid], slack)
    differing = [row for row in rows if row[-1] == "differs"]
    lines = [f"{len(rows)} values of {len(shared)} devices, {len(differing)} of them differ. Bytes.", ""]
    lines += table(["device", "value", "witness", "gpumem", "verdict"], rows)
    failures = [f"{title}: {row[1]} of {row[0]} is {row[2]}, gpumem says {row[3]}" for row in differing]
    failures += [f"{title}: gpumem does not show {uuid}" for uuid in said if uuid not in shared]
    return Section(title, lines, failures if shared else [*failures, f"{title}: no device in common"])


def comparisons(gpumem: Gpumem) -> list[Section]:
    return [
        compare("Against nvidia-smi", gpumem, ask_nvidia_smi, SMI_VALUES),
        compare("Against pynvml", gpumem, ask_pynvml, PYNVML_VALUES),
    ]
