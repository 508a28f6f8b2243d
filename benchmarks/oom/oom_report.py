#!/usr/bin/env python3
"""Compares `gpumem explain-oom` with the numbers in published out-of-memory messages.

Reads JSON Lines with one message each, as printed, beside the numbers in it (tried_mib, total_gib, gpu, phase, …).
Prints how many numbers were found, and each that was missed; with --disguised also how many when the messages come as
logs hold them: wrapped by terminals, behind the prefixes of loggers, in colours. The exit code is 1 if one is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Callable, Union

# "GB" is GiB in these messages.
UNITS = {"bytes": 1, "kib": 1 << 10, "kb": 1 << 10, "mib": 1 << 20, "mb": 1 << 20, "gib": 1 << 30, "gb": 1 << 30}
FIELDS = {
    "tried": "requested_bytes",
    "desired": "requested_bytes",
    "required": "requested_bytes",
    "requested": "requested_bytes",
    "limit": "limit_bytes",
    "needed": "cache_needed_bytes",
    "available": "free_bytes",
    "total": "total_bytes",
    "free": "free_bytes",
    "allocated": "allocated_bytes",
    "reserved": "reserved_bytes",
    "reserved_unallocated": "unused_bytes",
    "private_pools": "private_pools_bytes",
    "process": "process_bytes",
    "allowed": "limit_bytes",
    "max_allowed": "limit_bytes",
    "other": "elsewhere_bytes",
    "kv_available": "cache_left_bytes",
    "kv_needed": "cache_needed_bytes",
}
PLAIN = {
    "gpu": "gpu",
    "device": "gpu",
    "estimated_max_len": "estimated_context",
    "estimated_max_model_len": "estimated_context",
    "shape": "shape",
    "dtype": "dtype",
    "max_model_len": "context",
    "kv_capacity_tokens": "cache_tokens",
    "util": "utilization",
    "phase": "phase",
    "fatal": "fatal",
}
Wanted = Union[float, str, list[int]]
PHASES = {"fit": "startup", "kv": "kv_cache"}


def expected(record: dict[str, Any]) -> list[tuple[str, str, Wanted, float]]:
    """Key, our field, its value, and how far off rounding in the text may be."""
    wanted: list[tuple[str, str, Wanted, float]] = []
    for key, value in record.items():
        name, _, unit = key.rpartition("_")
        if unit in UNITS and name in FIELDS:
            wanted.append((key, FIELDS[name], value * UNITS[unit], 0.006 * UNITS[unit] if unit != "bytes" else 0.5))
        elif key in FIELDS and isinstance(value, str):
            amount, unit = value.split()
            size = UNITS[unit.lower()]
            wanted.append((key, FIELDS[key], float(amount) * size, 0.006 * size))
        elif key in PLAIN:
            wanted.append((key, PLAIN[key], PHASES.get(value, value) if isinstance(value, str) else value, 0.0))
    return wanted


def cut(text: str, width: int) -> str:
    """As a terminal wraps: in the middle of words and numbers."""
    return "\n".join(line[at : at + width] for line in text.splitlines() for at in range(0, max(len(line), 1), width))


def words(text: str, width: int) -> str:
    return "\n".join(textwrap.fill(line, width, break_long_words=False) for line in text.splitlines())


def behind(prefix: str, text: str) -> str:
    return "".join(f"{prefix}{line}\n" for line in text.splitlines())


VLLM = "(EngineCore_DP0 pid=123) ERROR 11-24 12:00:00 [core.py:123] "
JOURNALD = "Nov 24 12:00:00 host-1 server[4711]: "
KUBECTL = "2026-11-24T12:00:00.123456789Z stderr F "
LOGURU = "2026-11-24 12:00:00.123 | ERROR    | worker:run:12 - "
GLOG = "2026-11-24 12:00:00.123456: E tensorflow/core/framework/op_kernel.cc:1745] "
DISGUISES: dict[str, Callable[[str], str]] = {
    "as printed": lambda text: text,
    "cut at 80 columns": lambda text: cut(text, 80),
    "cut at 100 columns": lambda text: cut(text, 100),
    "cut at 120 columns": lambda text: cut(text, 120),
    "cut at 57 columns": lambda text: cut(text, 57),
    "wrapped at 80 columns": lambda text: words(text, 80),
    "wrapped at 120 columns": lambda text: words(text, 120),
    "behind vLLM's prefix": lambda text: behind(VLLM, text),
    "wrapped behind vLLM's prefix": lambda text: behind(VLLM, words(text, 80)),
    "cut behind vLLM's prefix": lambda text: behind(VLLM, cut(text, 80)),
    "vLLM's prefix, cut at 80": lambda text: cut(behind(VLLM, text), 80),
    "wrapped behind [rank0]:": lambda text: behind("[rank0]: ", words(text, 80)),
    "cut behind docker's": lambda text: behind("container_1  | ", cut(text, 80)),
    "cut behind journald's": lambda text: behind(JOURNALD, cut(text, 80)),
    "cut behind kubectl's": lambda text: behind(KUBECTL, cut(text, 80)),
    "cut behind loguru's": lambda text: behind(LOGURU, cut(text, 80)),
    "cut behind glog's": lambda text: behind(GLOG, cut(text, 120)),
    "coloured, wrapped, CRLF": lambda text: "".join(
        f"\x1b[31m{line}\x1b[0m\r\n" for line in words(text, 80).splitlines()
    ),
    "in a traceback": lambda text: (
        'Traceback (most recent call last):\n  File "train.py", line 7, in <module>\n    '
        f"return torch.nn.functional.linear(hidden_states, self.weight, self.bias)\n{text}\nstep 8 of 100 is over\n"
    ),
    "in JSON": lambda text: json.dumps({"log": text + "\n", "stream": "stderr"}),
}


def is_found(ours: Any, value: Wanted, tolerance: float) -> bool:
    if ours is None or isinstance(value, (str, list)):
        return bool(ours == value)
    return abs(float(ours) - float(value)) <= tolerance


def answers_to(field: str, answer: dict[str, Any], message: str) -> list[Any]:
    """The numbers that may be meant.

    Up to PyTorch 1.3 "cached" is what is reserved and not allocated, though the records file it as reserved. Without
    "this process has" a process stands in the list of those named.
    """
    if field == "reserved_bytes" and re.search(r"\bcached\b", message):
        return [answer["unused_bytes"]]
    if field == "process_bytes" and answer[field] is None:
        return [process["used_bytes"] for process in answer["others"]]
    return [answer.get(field)]


def explained(gpumem: str, log: str) -> list[dict[str, Any]]:
    command = [gpumem, "explain-oom", "--json", "-"]
    ran = subprocess.run(command, input=log.encode(), capture_output=True, check=False)
    return [json.loads(line) for line in ran.stdout.decode().splitlines()]


def compare(records: list[dict[str, Any]], gpumem: str, disguise: Callable[[str], str], is_listed: bool) -> list[int]:
    """[recognised, explained as one error, numbers found, numbers]."""
    recognised = single = right = numbers = 0
    for record in records:
        answers = explained(gpumem, disguise(record["message"]))
        recognised += bool(answers)
        single += len(answers) == 1
        if is_listed and len(answers) != 1:
            print(f"{record['id']} {record['framework']}: {len(answers)} errors found")
        for key, field, value, tolerance in expected(record):
            numbers += 1
            ours = [number for answer in answers for number in answers_to(field, answer, record["message"])]
            if any(is_found(number, value, tolerance) for number in ours):
                right += 1
            elif is_listed:
                print(f"{record['id']} {record['framework']}: {key} is {value}, found {ours}")
    return [recognised, single, right, numbers]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    parser.add_argument("--gpumem", default="build/release/gpumem")
    parser.add_argument("--disguised", action="store_true", help="also as logs hold them")
    parser.add_argument("--verbose", action="store_true", help="list what is missed in disguises too")
    options = parser.parse_args()
    records = [json.loads(line) for line in options.records.read_text().splitlines()]
    is_complete = True
    for name, disguise in DISGUISES.items():
        if name != "as printed" and not options.disguised:
            continue
        result = compare(records, options.gpumem, disguise, options.verbose or name == "as printed")
        recognised, single, right, numbers = result
        print(
            f"{name}: {recognised} of {len(records)} messages recognised, {single} as one error, "
            f"{right} of {numbers} numbers found"
        )
        is_complete &= recognised == len(records) and right == numbers
    return 0 if is_complete else 1


if __name__ == "__main__":
    sys.exit(main())
