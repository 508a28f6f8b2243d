"""Profiles learned from what was seen; `dualgpuopt.memory.predictor` has this by its public names."""

from __future__ import annotations

from typing import NamedTuple

from . import _core
from ._memory_profile import GROWTH_RATE, RECOVERY_BUFFER, MemoryProfile


class LearnedSize(NamedTuple):
    """One number of a profile, as far as it is known.

    Attributes:
        bytes: The number.
        error: Its standard error in bytes; None while no observation is to spare.

    Example:
        >>> LearnedSize(1024, None).bytes
        1024
    """

    bytes: int
    error: float | None


class ProfileFit(NamedTuple):
    """The profile that fits what was observed best, and how sure it is. Provisional: fields may be added.

    Attributes:
        base: Of the loaded model; None while the observations cannot tell it, as the next two.
        per_batch: Of each sequence.
        per_token: Of each token.
        observations: How many there were.
        held: Of these, how many only showed what the allocator kept from before.
        settings: Different pairs of batch and tokens that count, outliers included.
        outliers: Settings that were left out.
        residual: Root mean square of what the fit misses at the others, in bytes.
        lacking: What to observe next; empty when all three numbers are known.

    Example:
        >>> learner = ProfileLearner()
        >>> learner.observe(0, 0, 7000)
        >>> learner.fit().base
        LearnedSize(bytes=7000, error=None)
        >>> learner.fit().lacking
        'only one batch and number of tokens was observed: observe others'
    """

    base: LearnedSize | None
    per_batch: LearnedSize | None
    per_token: LearnedSize | None
    observations: int
    held: int
    settings: int
    outliers: int
    residual: float
    lacking: str

    def profile(
        self, name: str, growth_rate: float = GROWTH_RATE, recovery_buffer: float = RECOVERY_BUFFER
    ) -> MemoryProfile:
        """The profile with these numbers.

        Args:
            name: Of the profile.
            growth_rate: As of `MemoryProfile`; it is not learned.
            recovery_buffer: As of `MemoryProfile`; it is not learned.

        Raises:
            ValueError: A number is not known yet; the message says what to observe.
        """
        if self.base is None or self.per_batch is None or self.per_token is None:
            raise ValueError(f"the profile is not known yet: {self.lacking}")
        sizes = (self.base.bytes, self.per_batch.bytes, self.per_token.bytes)
        return MemoryProfile(name, *sizes, growth_rate, recovery_buffer)


def _learned(size: tuple[int, float | None] | None) -> LearnedSize | None:
    return None if size is None else LearnedSize(*size)


class ProfileLearner:
    """Learns a profile from what was in use at some batch and number of tokens.

    Fits used = base + batch * per_batch + tokens * per_token by least squares with no number negative, and leaves out a
    few outliers. Of the load (batch 0, tokens 0) the least that was seen counts, of every other setting the most. A
    caching allocator keeps what a larger step took; an observation that shows only that is counted as held. So go from
    small to large, or observe the peak that the framework counts itself, as torch.cuda.max_memory_allocated().

    It remembers 1024 settings at most; of more, every second is forgotten. Any thread may use it.

    Args:
        jitter: Bytes by which use varies while nothing happens; 0 where the GPU has no other user.

    Example:
        >>> learner = ProfileLearner()
        >>> learner.observe(batch=0, tokens=0, used=7000)
        >>> learner.observe(batch=1, tokens=100, used=7350)
        >>> learner.observe(batch=4, tokens=100, used=7500)
        >>> learner.fit().profile("mine")
        MemoryProfile('mine', 7000, 50, 3, 1.05, 0.85)
    """

    def __init__(self, jitter: int = 0) -> None:
        if jitter < 0:
            raise ValueError(f"jitter: {jitter} is negative")
        self._learner = _core.ProfileLearner(jitter)

    def observe(self, batch: int, tokens: int, used: int) -> None:
        """Adds an observation.

        Args:
            batch: Sequences that were worked on; 0 with 0 tokens: the model was loaded and nothing done yet.
            tokens: Tokens in memory, of all sequences together.
            used: Bytes in use.

        Raises:
            ValueError: A number is negative, a count more than 2**30 or the bytes more than 2**50.
        """
        for name, value in (("batch", batch), ("tokens", tokens), ("used", used)):
            if not 0 <= value < 2**64:
                raise ValueError(f"{name}: {value} is {'negative' if value < 0 else 'too much'}")
        self._learner.add(batch, tokens, used)

    def fit(self) -> ProfileFit:
        """The best fit to all observations so far; some milliseconds at the most."""
        base, per_batch, per_token, *rest = self._learner.fit()
        return ProfileFit(_learned(base), _learned(per_batch), _learned(per_token), *rest)

    def reset(self) -> None:
        """Forgets everything, as for another model."""
        self._learner.reset()
