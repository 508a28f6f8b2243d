"""The stub of the extension names what the extension has, argument by argument."""

from __future__ import annotations

import ast
from pathlib import Path

from nanobind.stubgen import StubGen

import dualgpuopt.memory
from dualgpuopt.memory import _core

Signatures = dict[str, list[str]]


def signatures(source: str) -> Signatures:
    """Name -> its arguments, for functions, and for methods, properties and attributes by `Class.name`."""
    found: Signatures = {}

    def is_setter(function: ast.FunctionDef) -> bool:
        return any(isinstance(one, ast.Attribute) and one.attr == "setter" for one in function.decorator_list)

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                collect(node.body, f"{node.name}.")
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[prefix + node.target.id] = ["self"]
            elif isinstance(node, ast.FunctionDef) and not is_setter(node):
                found[prefix + node.name] = [argument.arg for argument in node.args.args]

    collect(ast.parse(source).body, "")
    return found


def test_the_stub_is_that_of_the_extension() -> None:
    generator = StubGen(_core)
    generator.put(_core)
    generated = signatures(generator.get())
    written = signatures(Path(dualgpuopt.memory.__file__).with_name("_core.pyi").read_text())
    assert len(generated) > 30
    assert written == generated
