"""Reads the text of nvtop's screen (3.0.1, without plots)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

NAME = re.compile(r"\bDevice (\d+) +\[(.*?)\]")
MEMORY = re.compile(r"\bMEM\[[| ]*([^\]| ]+)\]")
# PID, user, device, type, use of the GPU, memory in MiB and in percent, …
ROW = re.compile(r"^\s*(\d+)\s+\S+\s+(\d+)\s+(Compute|Graphic|Both)\s.*?(\d+)MiB")
UNIT = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
AMOUNT = re.compile(r"(\d+\.\d{3})(Ki|Mi|Gi|Ti|)")


def amount(text: str) -> int:
    """Bytes of a text such as 4.125Gi."""
    found = AMOUNT.fullmatch(text)
    if not found:
        raise ValueError(f"cannot read {text!r} as an amount of nvtop")
    return round(float(found.group(1)) * UNIT[found.group(2)])


def memory(text: str) -> dict[str, int] | None:
    if text == "N/A":
        return None
    used, total = text.split("/")
    return {"used": amount(used), "total": amount(total)}


def _devices(lines: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and memory bars come in the same order, line by line and from left to right."""
    text = "\n".join(lines)
    bars = MEMORY.findall(text)
    for (index, name), bar in zip(NAME.findall(text), bars, strict=False):
        yield f"index {index}", {"name": name, "memory": memory(bar), "processes": {}}


def devices(lines: Sequence[str]) -> dict[str, Any]:
    """By index; the rows of a process that computes and draws are two."""
    shown = dict(_devices(lines))
    for line in lines:
        if row := ROW.match(line):
            pid, index, kind, mebibytes = row.groups()
            shown[f"index {index}"]["processes"][f"{pid} {kind}"] = int(mebibytes)
    return shown


def rows(shown: dict[str, Any]) -> int:
    return sum(len(device["processes"]) for device in shown.values())
