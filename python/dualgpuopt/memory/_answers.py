"""What strategies answer; `dualgpuopt.memory.recovery` has it publicly."""

from __future__ import annotations

from typing import NamedTuple


class Candidate(NamedTuple):
    """One thing that a rung could choose, such as a process or a module.

    Attributes:
        what: Its name, as in "python, PID 4711, of alice".
        bytes: That choosing it would give back; None where that is not known.
        score: The highest is chosen first; None for one that may not be chosen.
        chosen: Whether it was.
        reason: Of its score, or why it may not be chosen.

    Example:
        >>> Candidate("encoder", 2**30, 1.0, True, "the least valuable").chosen
        True
    """

    what: str
    bytes: int | None
    score: float | None
    chosen: bool
    reason: str


class StrategyAnswer(NamedTuple):
    """What a strategy may answer instead of whether it succeeded. Provisional: fields may be added.

    True in a condition if it succeeded.

    Attributes:
        succeeded: Its own word; with measured verification only the driver's count decides.
        detail: One sentence for the record.
        candidates: What it could choose from, the best first.

    Example:
        >>> def drop_cache(request) -> StrategyAnswer:
        ...     return StrategyAnswer(True, "dropped it", (Candidate("cache", 2**30, 1.0, True, "old"),))
        >>> bool(StrategyAnswer(False, "nothing to give back"))
        False
    """

    succeeded: bool
    detail: str = ""
    candidates: tuple[Candidate, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.succeeded)
