"""The costs of the Python package, each beside its bound and a plain-Python reference measured in the same run.

Ends with 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from import_cost import measure

HERE = Path(__file__).parent
IMPORT_RUNS = 20
BOUNDS_US = {"get_memory_stats(0)": 1.0, "project_memory_usage(0)": 2.0, "get_all_stats()": 10.0}


class Figure(NamedTuple):
    """One measured thing; no bound: it is reported only."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    reference: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the reference's cost is ours."""
        return self.reference / self.value if self.reference is not None and self.value > 0 else None

    @property
    def kept(self) -> bool:
        too_much = self.at_most is not None and self.value > self.at_most
        too_little = self.at_least is not None and self.value < self.at_least
        return not (too_much or too_little)

    @property
    def bound(self) -> str:
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else "reported"

    def as_json(self) -> dict[str, Any]:
        return {**self._asdict(), "ratio": self.ratio, "kept": self.kept}


def from_script(name: str, *arguments: str) -> Any:
    command = [sys.executable, str(HERE / name), *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def imports() -> list[Figure]:
    figures = []
    reference = measure("reference", IMPORT_RUNS)
    for module in ("dualgpuopt.memory", "dualgpuopt.memory_monitor"):
        cost = measure(module, IMPORT_RUNS)
        figures += [
            Figure(f"import {module}", cost.milliseconds, "ms", at_most=15.0, reference=reference.milliseconds),
            Figure(f"import {module}, resident", cost.mebibytes, "MiB", at_most=5.0, reference=reference.mebibytes),
        ]
    return figures


def hot_calls() -> list[Figure]:
    times: dict[str, list[float]] = from_script("hot_calls.py")
    update = next(name for name in times if "update" in name)
    figures = [
        Figure(name, mine, "us", at_most=BOUNDS_US.get(name), reference=other)
        for name, (mine, other) in times.items()
        if name != update
    ]
    return [*figures, Figure(update, times[update][0], "us")]


def pace(seconds: float) -> list[Figure]:
    found = from_script("pace.py", str(max(20, int(seconds * 10))))
    figures = []
    for key, name in (("held", "while 2 s calls hold the interpreter"), ("slow", "while callbacks are slow")):
        figures += [
            Figure(f"intervals of 100 ms within 10 %, {name}", found[key]["even_percent"], "%", at_least=99.0),
            Figure(f"longest interval, {name}", found[key]["longest_ms"], "ms", at_most=200.0),
        ]
    return figures


def table(figures: list[Figure]) -> str:
    lines = [f"{'what':<68} {'measured':>14} {'bound':>9} {'reference':>10} {'ratio':>7}"]
    for figure in figures:
        reference = f"{figure.reference:.3g}" if figure.reference is not None else ""
        ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
        measured = f"{figure.value:.4g} {figure.unit}"
        missed = "" if figure.kept else "  MISSED"
        lines.append(f"{figure.what:<68} {measured:>14} {figure.bound:>9} {reference:>10} {ratio:>7}{missed}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/benchmark-python", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument(
        "--pace-seconds", type=float, default=30.0, help="how long each pace is observed (0: not at all)"
    )
    options = parser.parse_args()
    figures = [*imports(), *hot_calls(), *(pace(options.pace_seconds) if options.pace_seconds > 0 else [])]
    print(json.dumps([figure.as_json() for figure in figures]) if options.json else table(figures))
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
