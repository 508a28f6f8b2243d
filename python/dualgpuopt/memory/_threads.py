"""The threads on which the package runs code of the application, and the queues of the core that they serve.

No thread of the core ever enters Python: it asks through an exchange, and a thread of Python's own answers. None of
these threads keeps a monitor alive; each ends when its monitor is closed.
"""

from __future__ import annotations

import logging
import reprlib
import threading
import time
import weakref
from typing import Any, Callable

from . import _core, _values
from ._answers import Candidate
from .recovery import RecoveryRequest, RecoveryStrategy, StrategyAnswer
from .sources import CannotRead, MemorySource

logger = logging.getLogger("dualgpuopt.memory")

FindCallback = Callable[[RecoveryStrategy], Any]

LONG_S = 3600.0  # closing wakes whoever waits


_spawned: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def spawn(name: str, run: Callable[..., None], *args: Any) -> threading.Thread:
    thread = threading.Thread(target=run, args=args, name=name, daemon=True)
    _spawned.add(thread)
    thread.start()
    return thread


def come_to_an_end(patience_s: float) -> None:
    """At the interpreter's end, when all monitors are closed: nobody may be torn off in the middle of the extension.

    Whoever runs code of the application by then is left behind: the interpreter can stop that anywhere.
    """
    deadline = time.monotonic() + patience_s
    for thread in list(_spawned):
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
    _core.wait_until_all_are_back(max(0.0, deadline - time.monotonic()))


def describe(error: BaseException) -> str:
    """Why a call of the application failed, in one line."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def serve_source(exchange: _core.Exchange, source: MemorySource) -> None:
    while not exchange.closed:
        enquiry = exchange.next(LONG_S)
        if enquiry is not None:
            _answer_for_source(enquiry, source)
    _close(source)


def _close(source: MemorySource) -> None:
    """Sources may have a `close()`, called when the driver is released, and at the end."""
    close = getattr(source, "close", None)
    if close is not None:
        close()


def _answer_for_source(enquiry: _core.Enquiry, source: MemorySource) -> None:
    kind, *arguments = enquiry.question
    try:
        if kind == "read":
            enquiry.answer_reading(tuple(source.read(*arguments)))
        elif kind == "enumerate":
            enquiry.answer_devices([tuple(device) for device in source.devices()])
        else:
            _close(source)
            enquiry.answer_devices([])
    except CannotRead as error:
        enquiry.fail(str(error))
    except BaseException as error:  # whatever the application's code does, the core gets an answer
        enquiry.fail(f"the source {source.name} failed: {describe(error)}")


def serve_recoveries(
    exchange: _core.Exchange, find: weakref.WeakMethod[FindCallback], now: Callable[[], float]
) -> None:
    while not exchange.closed:
        enquiry = exchange.next(LONG_S)
        if enquiry is not None:
            _recover(enquiry, find, now)


def _recover(enquiry: _core.Enquiry, find: weakref.WeakMethod[FindCallback], now: Callable[[], float]) -> None:
    _, name, gpu, reading, target, to_free, deadline = enquiry.question
    strategy = RecoveryStrategy[name.upper()]
    find_callback = find()
    callback = find_callback(strategy) if find_callback else None
    if callback is None:
        enquiry.fail("nothing is registered any more")
        return
    try:
        time_left = deadline - now()
    except RuntimeError:  # closed in between
        enquiry.fail("the monitor was closed")
        return
    request = RecoveryRequest(
        strategy,
        gpu,
        _values.reading(reading),
        target,
        to_free,
        time_left,
        lambda: bool(enquiry.stop_requested),
    )
    try:
        enquiry.answer_strategy(*_said(callback(request)))
    except BaseException as error:  # a rung that fails is a record, not the end of the thread
        logger.error("Strategy %s failed: %s", name, describe(error))
        enquiry.fail(describe(error))


def _said(answer: Any) -> StrategyAnswer:
    """Whether it succeeded, or a tuple like a StrategyAnswer; a TypeError says what was answered instead."""
    try:
        said = StrategyAnswer(*answer) if isinstance(answer, tuple) else StrategyAnswer(answer)
        candidates = tuple(Candidate(*each) for each in said.candidates)
        return StrategyAnswer(bool(said.succeeded), str(said.detail), candidates)
    except Exception as error:
        expected = "a bool, or a StrategyAnswer(succeeded, detail, candidates)"
        raise TypeError(f"the strategy answered {reprlib.repr(answer)}, not {expected}: {error}") from error


def serve_events(native: _core.Monitor, deliver: weakref.WeakMethod[Callable[[list[Any]], None]]) -> None:
    while not native.closed:
        try:
            events = native.take_events(LONG_S)
        except RuntimeError:  # closed in between
            return
        deliver_now = deliver()
        if deliver_now is None:
            return
        deliver_now(events)
        del deliver_now
