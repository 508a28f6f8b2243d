#!/usr/bin/env python3
"""The documents are true: every ```cpp block is compiled and run, every `$ gpumem …` line of a ```console block is run.

A ```cpp block with a main() is a program. Links between the documents lead somewhere. A console line may end in
`# exits 2` when it is meant to fail.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def documents() -> list[pathlib.Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[pathlib.Path, int, str]]:
    found = []
    for document in documents():
        text = document.read_text()
        for match in BLOCK.finditer(text):
            if match.group(1) == language:
                found.append((document, text.count("\n", 0, match.start()) + 1, match.group(2)))
    return found


def run_program(code: str, options: argparse.Namespace, folder: pathlib.Path) -> str:
    (folder / "snippet.cpp").write_text(code)
    build = [options.compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", "snippet.cpp",
             options.library, "-pthread", "-ldl", "-o", "snippet"]
    built = subprocess.run(build, cwd=folder, capture_output=True, text=True)
    if built.returncode:
        return built.stderr
    ran = subprocess.run(["./snippet"], cwd=folder, capture_output=True, text=True, timeout=60)
    return f"exit code {ran.returncode}: {ran.stderr}" if ran.returncode else ""


def run_console_line(line: str, options: argparse.Namespace, folder: pathlib.Path) -> str:
    expected = 0
    if wanted := re.search(r"# exits (\d+)$", line):
        expected = int(wanted.group(1))
    environment = {**os.environ, "PATH": f"{pathlib.Path(options.gpumem).parent}:{os.environ['PATH']}"}
    ran = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    return "" if ran.returncode == expected else f"exit code {ran.returncode}: {ran.stderr or ran.stdout}"


def console_lines() -> list[tuple[pathlib.Path, int, str]]:
    lines = []
    for document, start, block in blocks("console"):
        for offset, line in enumerate(block.splitlines()):
            if line.startswith("$ gpumem"):
                lines.append((document, start + 1 + offset, line.removeprefix("$ ")))
    return lines


def broken_links() -> list[str]:
    complaints = []
    for document in documents():
        for target in LINK.findall(document.read_text()):
            if not (document.parent / target).exists():
                complaints.append(f"{document.relative_to(ROOT)}: the link to {target} leads nowhere")
    return complaints


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("gpumem", "compiler", "library"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    complaints = broken_links()
    programs = blocks("cpp")
    consoles = console_lines()
    with tempfile.TemporaryDirectory() as folder:
        for document, line, code in programs:
            if problem := run_program(code, options, pathlib.Path(folder)):
                complaints.append(f"{document.relative_to(ROOT)}:{line}: {problem}")
        for document, line, command in consoles:
            if problem := run_console_line(command, options, pathlib.Path(folder)):
                complaints.append(f"{document.relative_to(ROOT)}:{line}: {command}: {problem}")
    print("\n".join(complaints) or f"{len(programs)} programs and {len(consoles)} command lines of the documents work")
    return 1 if complaints or not programs or not consoles else 0


if __name__ == "__main__":
    sys.exit(main())
