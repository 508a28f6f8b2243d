"""Out-of-memory errors: what their text says, what is likely to help, and a hook that says it when one happens."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, TextIO

from . import _core, _oom_kinds

if TYPE_CHECKING:
    from types import TracebackType

    from .monitor import MemoryMonitor

__all__ = ["OomError", "OomProcess", "explain_oom", "explained", "install_oom_hook", "is_out_of_memory", "report_oom"]

_HISTORY_S = 60.0


class OomProcess(NamedTuple):
    """A process that the text of an error names.

    Attributes:
        pid: Of the process.
        used: Bytes that it holds on the GPU; None where the text has no size that a GPU could have.
        may_be_this: It may be the failing process itself, which in a container has another number.

    Example:
        >>> OomProcess(4711, 2 * 1024**3).used
        2147483648
    """

    pid: int
    used: int | None
    may_be_this: bool = False


class OomError(NamedTuple):
    """An out-of-memory error as a text tells it; what it does not say is None. Provisional: fields may be added.

    Attributes:
        source: The framework, as in "PyTorch".
        phase: "weights", "kv_cache", "compute", "startup" or "unknown".
        fatal: False where the program went on.
        line: Where it first stands, from 1.
        times: How often it was seen.
        gpu: Its index.
        requested: Bytes that were asked for.
        total: Bytes of the GPU.
        free: Bytes that were free.
        allocated: Bytes in use by the framework's tensors.
        reserved: Bytes that its allocator holds in all.
        unused: Bytes of these that no tensor uses.
        limit: Bytes that the framework allows itself.
        process: Bytes of the failing process with everything.
        elsewhere: Bytes held by others.
        others: Those that the text names.
        description: What happened, as a sentence.
        measures: What is likely to help, at most three.
        backend: Which memory, as in "cuda", "mps" or "host"; None where the text does not tell.
        application: The server in which the source failed, as in "vLLM".

    Example:
        >>> (error,) = explain_oom("CUDA out of memory. Tried to allocate 26.00 MiB (GPU 0; 1.00 GiB total capacity")
        >>> error.source, error.requested, error.free
        ('PyTorch', 27262976, None)
    """

    source: str
    phase: str
    fatal: bool
    line: int
    times: int
    gpu: int | None
    requested: int | None
    total: int | None
    free: int | None
    allocated: int | None
    reserved: int | None
    unused: int | None
    limit: int | None
    process: int | None
    elsewhere: int | None
    others: tuple[OomProcess, ...]
    description: str
    measures: tuple[str, ...]
    backend: str | None
    application: str | None


def _error(line: str) -> OomError:
    record: dict[str, Any] = json.loads(line)
    values: dict[str, Any] = {name: record.get(name, record.get(f"{name}_bytes")) for name in OomError._fields}
    values["others"] = tuple(
        OomProcess(other["pid"], other["used_bytes"], other["may_be_this"]) for other in record["others"]
    )
    values["measures"] = tuple(record["measures"])
    return OomError(**values)


def explain_oom(text: str | bytes) -> list[OomError]:
    """The out-of-memory errors in a text, the fatal ones first; PyTorch, JAX, TensorFlow, llama.cpp, vLLM and others.

    Args:
        text: An exception's message or a whole log. Broken characters do not matter.

    Returns:
        Empty when there is none that it knows.

    Raises:
        TypeError: This is no text, such as an exception: `explain_oom(str(error))`.

    Example:
        >>> [error.source for error in explain_oom("HIP out of memory. Tried to allocate 2.00 GiB")]
        ['PyTorch']
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        raise TypeError(f"explain_oom takes a text, and this is of type {type(text).__name__}: give it str(error)")
    return [_error(line) for line in _core.explain_oom(text.encode("utf-8", "replace").decode("utf-8"))]


def is_out_of_memory(error: BaseException, *, host: bool = False) -> bool:
    """Whether an exception says that a GPU ran out of memory, so that less work at a time is likely to fit.

    By its class (PyTorch, TensorFlow, CuPy) or, for RuntimeErrors and the frameworks' own errors, by its text, as
    `explain_oom` knows it: PyTorch back to 1.0, JAX, TensorFlow, CuPy, and CUDA itself. Errors of NCCL are none: there
    other ranks wait, and nothing can be tried again by one of them.

    Args:
        error: Any exception.
        host: The host's memory counts, too: `MemoryError`, and allocators of the CPU.

    Example:
        >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
        True
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(MemoryError(), host=True)
        (False, True)
    """
    return _oom_kinds.is_out_of_memory(error, explain_oom, host=host)


def _lines_of_gpu(monitor: MemoryMonitor, gpu: int) -> Iterator[str]:
    """What the monitor knows of the GPU: its use of late, and who holds it."""
    device = monitor.snapshot().find(gpu)
    if device is None:
        return
    summary = monitor.summary(gpu, _HISTORY_S)
    if summary is not None:
        low, high = _core.format_bytes(summary.min), _core.format_bytes(summary.max)
        yield f"  GPU {gpu} in the last minute: {low} to {high} in use"
    if device.processes is not None:
        for process in device.processes.entries:
            used = "an unknown amount" if process.used is None else _core.format_bytes(process.used)
            yield f"  process {process.pid} ({process.name or 'not visible from here'}) holds {used}"


def explained(text: str, monitor: MemoryMonitor | None = None) -> str:
    """The explanation as lines of text; empty when the text has no out-of-memory error.

    Args:
        text: An exception's message or a whole log.
        monitor: Adds what it knows of the GPU: its processes, and its use in the last minute.

    Example:
        >>> print(explained("CUDA error: out of memory"))
        CUDA ran out of memory on a GPU that the text does not name
          - gpumem status shows which processes hold the GPU.
    """
    lines: list[str] = []
    for error in explain_oom(text):
        lines.append(error.description)
        lines += [f"  - {measure}" for measure in error.measures]
        if monitor is not None and error.gpu is not None:
            with contextlib.suppress(Exception):  # a monitor that is closed must not hide the error
                lines += _lines_of_gpu(monitor, error.gpu)
    return "\n".join(lines)


def report_oom(error: BaseException, monitor: MemoryMonitor | None = None, file: TextIO | None = None) -> bool:
    """Prints the explanation of an exception, if it is an out-of-memory error.

    Args:
        error: Any exception.
        monitor: As in `explained`.
        file: Standard error if left out.

    Returns:
        Whether it was one.

    Example:
        >>> report_oom(ValueError("no"))
        False
    """
    text = explained("".join(traceback.format_exception_only(type(error), error)), monitor)
    if text:
        print(f"gpumem: {text}", file=file or sys.stderr)
    return bool(text)


def _observe_torch(monitor: MemoryMonitor | None) -> None:
    """PyTorch calls back at the moment of the error, before anybody catches it; only where it was imported already."""
    torch = sys.modules.get("torch")
    attach = getattr(getattr(torch, "_C", None), "_cuda_attach_out_of_memory_observer", None)
    if attach is None:
        return

    def observe(device: int, requested: int, total: int, free: int) -> None:
        asked, whole, left = (_core.format_bytes(amount) for amount in (requested, total, free))
        print(f"gpumem: PyTorch asked for {asked} on GPU {device}, and {left} of {whole} were free", file=sys.stderr)
        if monitor is not None:
            with contextlib.suppress(Exception):
                print("\n".join(_lines_of_gpu(monitor, device)), file=sys.stderr)

    attach(observe)


def _first_oom(error: BaseException) -> BaseException:
    """Of an error and those that it was raised from, or while they were handled: what ran out of memory."""
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        if is_out_of_memory(at, host=True):
            return at
        seen.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return error


def install_oom_hook(monitor: MemoryMonitor | None = None) -> Callable[[], None]:
    """Explains out-of-memory errors that end the program or a thread, after the traceback, on standard error.

    Also those that another error was raised from, which ends it.

    Where `torch` is imported already, its own errors are told of at the moment they happen too, also if they are caught
    later; PyTorch knows no way to end that.

    Args:
        monitor: As in `explained`.

    Returns:
        A function that puts the former hooks back.

    Example:
        >>> remove = install_oom_hook()
        >>> remove()
    """
    former, former_in_threads = sys.excepthook, threading.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        former(kind, error, trace)
        report_oom(_first_oom(error), monitor)

    def hook_in_threads(arguments: threading.ExceptHookArgs) -> None:
        former_in_threads(arguments)
        if arguments.exc_value is not None:
            report_oom(_first_oom(arguments.exc_value), monitor)

    def remove() -> None:
        if sys.excepthook is hook:
            sys.excepthook = former
        if threading.excepthook is hook_in_threads:
            threading.excepthook = former_in_threads

    sys.excepthook, threading.excepthook = hook, hook_in_threads
    _observe_torch(monitor)
    return remove
