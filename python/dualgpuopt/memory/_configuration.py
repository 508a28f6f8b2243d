"""The configuration of a monitor as TOML, which is how the core reads it (docs/configuration.md)."""

from __future__ import annotations

import os
from typing import Any

from .alerts import Thresholds
from .recovery import Ladder

PROCESS_INTERVAL_S = 5.0


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def to_toml(table: dict[str, Any], prefix: str = "") -> str:
    """Values first, then the tables inside."""
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{prefix}{key}]", to_toml(value, f"{prefix}{key}.")]
    return "\n".join(lines) + "\n"


def polling(interval: float, process_interval: float | None) -> dict[str, float]:
    pace = process_interval if process_interval is not None else max(interval, PROCESS_INTERVAL_S)
    return {"usual": interval, "shortest": interval, "longest": interval, "processes": pace}


def configuration(
    interval: float | None,
    process_interval: float | None,
    thresholds: Thresholds | None,
    ladder: Ladder | None,
    horizon: float | None,
) -> str:
    """What is None stays as the core has it."""
    tables: dict[str, Any] = {}
    if interval is not None:
        tables["polling"] = polling(interval, process_interval)
    elif process_interval is not None:
        tables["polling"] = {"processes": process_interval}
    if thresholds is not None:
        tables["thresholds"] = thresholds.as_config()
    if ladder is not None:
        tables["ladder"] = ladder.as_config()
    if horizon is not None:
        tables["forecast"] = {"horizon": horizon}
    return to_toml(tables)


def read_file(file: str | os.PathLike[str]) -> str:
    with open(file, encoding="utf-8") as stream:
        return stream.read()
