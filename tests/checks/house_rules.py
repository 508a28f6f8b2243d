#!/usr/bin/env python3
"""Keeps the house rules of docs/architecture.md: the arrows between modules, the mirror of sources and tests, and
one place that formats.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Each room, and the rooms that it may use directly or through others.
DIRECT = {
    "core": [],
    "metrics": ["core"],
    "processes": ["core"],
    "sources": ["metrics", "processes"],
    "alerts": ["metrics"],
    "predictor": ["metrics"],
    "models": ["core"],
    "oom": ["core"],
    "recovery": ["metrics", "processes"],
    "monitor": ["sources", "alerts", "predictor", "recovery"],
    "profiles": ["predictor", "models", "sources"],
    "job": ["monitor"],
    "daemon": ["monitor"],
    "cli": ["daemon", "monitor", "job", "models", "oom", "profiles"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"(?:dualgpuopt/memory/)?([a-z_]+)/', re.MULTILINE)


def reachable(room: str) -> set[str]:
    rooms = {room}
    for below in DIRECT[room]:
        rooms |= reachable(below)
    return rooms


def files_of(room: str) -> list[pathlib.Path]:
    folders = [ROOT / "src" / room, ROOT / "include/dualgpuopt/memory" / room]
    return sorted(f for folder in folders for f in folder.glob("*") if f.suffix in {".h", ".cpp"})


def arrow_complaints() -> list[str]:
    complaints = []
    for room in DIRECT:
        allowed = reachable(room)
        for file in files_of(room):
            for used in INCLUDE.findall(file.read_text()):
                if used in DIRECT and used not in allowed:
                    complaints.append(f"{file.relative_to(ROOT)} uses {used}, which {room} must not know")
    return complaints


def mirror_complaints() -> list[str]:
    complaints = []
    for room in DIRECT:
        sources = {f.stem for f in files_of(room) if f.suffix == ".cpp"}
        named = {f.stem for f in files_of(room)}
        tests = {f.name.removesuffix("_test.cpp") for f in (ROOT / "tests" / room).glob("*_test.cpp")}
        untested = sources - tests - SHOWN_END_TO_END.get(room, set())
        complaints += [f"src/{room}/{name}.cpp has no tests/{room}/{name}_test.cpp" for name in sorted(untested)]
        complaints += [f"tests/{room}/{name}_test.cpp tests no file of {room}" for name in sorted(tests - named)]
    return complaints


# What only a whole gpumem can show: tests/cli/end_to_end.py and tests/cli/run.py run it.
SHOWN_END_TO_END = {
    "cli": {"main", "app", "command", "status", "watch", "record", "replay", "check", "estimate", "estimate_table", "explain_oom", "recover", "run"},
    "job": {"job_signalling", "memory_watch", "supervisor", "terminal"},
}


# fmt's own would compile its machinery anew in every source.
OWN_FORMAT = re.compile(r"\bfmt::(format|print|to_string)\(")


def format_complaints() -> list[str]:
    users = [f for room in DIRECT for f in files_of(room) if OWN_FORMAT.search(f.read_text())]
    return [f"{file.relative_to(ROOT)} uses fmt's own formatting, not core/format.h" for file in users]


def self_test() -> None:
    """A check that cannot fail is none."""
    assert "monitor" not in reachable("alerts")
    assert "core" in reachable("cli")
    assert OWN_FORMAT.search("return fmt::format(text)") and not OWN_FORMAT.search("format_text(text)")
    assert INCLUDE.findall('#include "monitor/engine.h"\n#include "dualgpuopt/memory/core/error.h"\n') == ["monitor", "core"]


def main() -> int:
    self_test()
    complaints = arrow_complaints() + mirror_complaints() + format_complaints()
    for complaint in complaints:
        print(complaint)
    if not complaints:
        print(f"{sum(len(files_of(room)) for room in DIRECT)} files keep the house rules")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
