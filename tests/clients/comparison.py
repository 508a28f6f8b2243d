"""Compares what a client shows with what it should show if gpumem is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Device name -> field -> value. A field may be a table again: the fields of a process, by PID.
Shown = Mapping[str, Mapping[str, Any]]

MISSING = "nothing"


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _order(name: str) -> tuple[int, str]:
    return len(name), name


def differences(client: str, shown: Shown, by_gpumem: Shown) -> list[str]:
    """One line for each field: client, device, field, both values."""
    complaints = []
    for device in sorted({*shown, *by_gpumem}, key=_order):
        left = dict(_flat(shown.get(device, {})))
        right = dict(_flat(by_gpumem.get(device, {})))
        for field in sorted({*left, *right}):
            ours, theirs = right.get(field, MISSING), left.get(field, MISSING)
            if ours != theirs:
                complaints.append(f"{device}: {field}: {client} shows {theirs!r}, by gpumem it is {ours!r}")
    return complaints
