"""The pieces that the report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Section:
    """`failures` says in sentences what did not agree; a section that could not run has none and says why."""

    title: str
    lines: Sequence[str]
    failures: Sequence[str] = ()


def not_run(title: str, reason: str) -> Section:
    return Section(title, [f"Not run: {reason}."])


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def mib(amount: int | None) -> str:
    return "n/a" if amount is None else f"{amount / MIB:,.1f} MiB"


def seconds(duration: float | None) -> str:
    return "none" if duration is None else f"{duration:.1f} s"
