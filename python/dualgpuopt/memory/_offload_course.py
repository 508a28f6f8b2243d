"""One call of the offloading rung: what it has got so far, and what it will say."""

from __future__ import annotations

from typing import Any

from . import _core
from .recovery import Candidate, StrategyAnswer


class Course:
    def __init__(self, bytes_to_free: int) -> None:
        self.left = bytes_to_free
        self.failed: dict[int, str] = {}
        self.obstacle: str | None = None
        self._wanted = bytes_to_free
        self._moved: set[int] = set()
        self._candidates: dict[int, Candidate] = {}
        self._sentences: list[str] = []

    def on_choice(self, ranked: list[int], candidates: list[tuple[Any, ...]]) -> None:
        """The newest choice: what is said of an object when it was first seen, or chosen later."""
        for number, raw in zip(ranked, candidates):
            candidate = Candidate(*raw)
            if number not in self._candidates or candidate.chosen:
                self._candidates[number] = candidate

    def on_offloaded(self, number: int, name: str, size: int) -> None:
        self.left = max(0, self.left - size)
        self._moved.add(number)
        self._sentences.append(f"offloaded {name} ({_core.format_bytes(size)})")

    def on_failed(self, number: int, name: str, why: str) -> None:
        self.failed[number] = why
        self._sentences.append(f"{name} could not be offloaded: {why}")

    def answer(self) -> StrategyAnswer:
        sentences = [*self._sentences, *([self.obstacle] if self.obstacle else [])]
        nothing = "there is nothing to offload" if self._wanted else "nothing to free"
        candidates = tuple(self._judged(number, each) for number, each in self._candidates.items())
        return StrategyAnswer(self.left == 0, "; ".join(sentences) or nothing, candidates)

    def _judged(self, number: int, candidate: Candidate) -> Candidate:
        if number in self.failed:
            return candidate._replace(chosen=True, reason=f"{candidate.reason}; it failed: {self.failed[number]}")
        return candidate._replace(chosen=number in self._moved)
