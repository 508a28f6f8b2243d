"""What the documents show runs: every block of Python, each in a fresh namespace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    "python/dualgpuopt/memory/README.md",
    "docs/migration.md",
    "docs/explain-oom.md",
    "docs/model-memory.md",
    "docs/profiles.md",
    "docs/recovery.md",
]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, int, str]]:
    found = []
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            found.append((name, text[: match.start()].count("\n") + 2, match.group(1)))
    return found


@pytest.mark.parametrize(("name", "line", "code"), blocks(), ids=lambda value: str(value)[-20:].replace("\n", " "))
def test_runs(name: str, line: int, code: str) -> None:
    exec(compile("\n" * (line - 1) + code, str(ROOT / name), "exec"), {"__name__": "example"})


def test_there_is_something_to_run() -> None:
    assert len(blocks()) >= 8
