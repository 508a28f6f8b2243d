#!/usr/bin/env python3
"""Compares `gpumem explain-oom` with the numbers in published out-of-memory messages.

Reads JSON Lines with one message each, as printed, beside the numbers in it (tried_mib, total_gib, gpu, phase, …).
Prints how many numbers were found, and each that was missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

UNITS = {"bytes": 1, "mib": 1 << 20, "gib": 1 << 30}
FIELDS = {
    "tried": "requested_bytes",
    "desired": "requested_bytes",
    "required": "requested_bytes",
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
    "max_model_len": "context",
    "kv_capacity_tokens": "cache_tokens",
    "util": "utilization",
    "phase": "phase",
    "fatal": "fatal",
}
PHASES = {"fit": "startup", "kv": "kv_cache"}


def expected(record: dict[str, Any]) -> list[tuple[str, str, float | str, float]]:
    """Key, our field, its value, and how far off rounding in the text may be."""
    wanted: list[tuple[str, str, float | str, float]] = []
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


def is_found(ours: Any, value: float | str, tolerance: float) -> bool:
    if ours is None or isinstance(value, str):
        return bool(ours == value)
    return abs(float(ours) - float(value)) <= tolerance


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    parser.add_argument("--gpumem", default="build/release/gpumem")
    options = parser.parse_args()
    recognised = messages = right = numbers = 0
    for line in options.records.read_text().splitlines():
        record = json.loads(line)
        command = [options.gpumem, "explain-oom", "--json", "-"]
        ran = subprocess.run(command, input=record["message"], capture_output=True, text=True, check=False)
        answers = [json.loads(answer) for answer in ran.stdout.splitlines()]
        messages += 1
        recognised += bool(answers)
        if not answers:
            print(f"{record['id']} {record['framework']}: not recognised")
        for key, field, value, tolerance in expected(record):
            numbers += 1
            if any(is_found(answer[field], value, tolerance) for answer in answers):
                right += 1
            elif answers:
                print(f"{record['id']} {record['framework']}: {key} is {value}, found {answers[0][field]}")
    print(f"{recognised} of {messages} messages recognised, {right} of {numbers} numbers found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
