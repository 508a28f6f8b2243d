"""Puts the explanation of an out-of-memory error into the error itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .oom import explained

if TYPE_CHECKING:
    from .monitor import MemoryMonitor


class _Explanation(Exception):
    """Shows a note where exceptions have none, before Python 3.11."""


def explain_in(error: BaseException, what: str, monitor: MemoryMonitor | None) -> None:
    """Adds to an error, in its notes, what happened here and what is known of it."""
    text = explained(f"{type(error).__name__}: {error}", monitor)
    note = f"gpumem: {what}" + (f"\n{text}" if text else "")
    if hasattr(error, "add_note"):
        error.add_note(note)
        return
    error.__notes__ = [*getattr(error, "__notes__", []), note]
    if error.__cause__ is None:
        error.__cause__ = _Explanation(note)
