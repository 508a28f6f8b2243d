"""Which exceptions are out-of-memory errors of a GPU; `dualgpuopt.memory.oom` has it by its public name."""

from __future__ import annotations

from typing import Any, Callable

_NAMES = ("OutOfMemoryError", "ResourceExhaustedError")  # PyTorch, CuPy; TensorFlow
_FRAMEWORKS = ("torch", "cupy", "cupy_backends", "jax", "jaxlib", "tensorflow")

Explain = Callable[[str], "list[Any]"]


def _framework(kind: type[BaseException]) -> str:
    return kind.__module__.partition(".")[0]


def is_named_so(error: BaseException) -> bool:
    """Whether a framework raised it by the name of the thing, whatever its text."""
    kinds = type(error).__mro__
    return any(kind.__name__ in _NAMES and _framework(kind) in _FRAMEWORKS for kind in kinds)


def _may_be_told_by_text(error: BaseException) -> bool:
    """Frameworks raise RuntimeErrors and errors of their own; a ValueError that quotes a log is another matter."""
    return isinstance(error, (RuntimeError, MemoryError)) or _framework(type(error)) in _FRAMEWORKS


def _fatal_backends(error: BaseException, text: str, explain: Explain) -> list[str | None]:
    if not _may_be_told_by_text(error):
        return []
    found = [each.backend for each in explain(text) if each.fatal]
    # CuPy's error is a MemoryError, and a plain one is the host's whatever its text.
    return ["host" for _ in found] if type(error) is MemoryError else found


def is_out_of_memory(error: BaseException, explain: Explain, *, host: bool) -> bool:
    if not isinstance(error, Exception):
        return False
    text = f"{type(error).__name__}: {error}"
    # What failed between processes has left the others waiting: nothing there can be tried again by one of them.
    if "nccl" in text.lower():
        return False
    named, fatal = is_named_so(error), _fatal_backends(error, text, explain)
    if fatal:
        return any(host or backend != "host" for backend in fatal)
    return named or (host and isinstance(error, MemoryError))
