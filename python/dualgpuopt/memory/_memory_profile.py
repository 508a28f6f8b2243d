"""What a model needs, as a straight line; `dualgpuopt.memory.predictor` has it by its public name."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from . import _core
from ._estimates import Path, request_with
from ._lines import Points, fit_line

GROWTH_RATE = 1.05
RECOVERY_BUFFER = 0.85

HISTORY_LIMIT = 100
WINDOW_S = 300.0
FEWEST_POINTS = 5
FEWEST_RECENT_POINTS = 3

SMALLEST_BATCH = 1
SHORTEST_SEQUENCE = 128
ANY_SEQUENCE = 2048  # what the original says for a model whose tokens cost nothing


class _UsagePoint(tuple[float, float]):
    """A pair (time, bytes) like any other in the history, that also knows which device it is of."""

    gpu: int


def gpu_of(point: Any) -> int | None:
    return getattr(point, "gpu", None)


def _of_device(points: Iterable[tuple[float, float]], gpu: int | None) -> list[tuple[float, float]]:
    return [point for point in points if gpu_of(point) in (None, gpu)]


def _project(points: Points, now: float, horizon: float, growth_rate: float) -> int | None:
    if len(points) < FEWEST_POINTS:
        return None
    recent = [point for point in points if now - point[0] < WINDOW_S]
    if len(recent) < FEWEST_RECENT_POINTS:
        return None
    line = fit_line(recent)
    return int(max(0.0, line.at(now) + line.slope * horizon * growth_rate))


class MemoryProfile:
    """What a model needs: base + batch size * per batch + tokens * per token. One class for the old and the new API.

    Every attribute may be changed at any time; nothing is kept that was computed from it before.

    Args:
        name: What the profile is registered and found under.
        base_usage: Bytes of the loaded model.
        per_batch_usage: Bytes for each sequence of a batch.
        per_token_usage: Bytes for each token.
        growth_rate: Factor on the growth that `project_growth` expects, and on nothing else.
        recovery_buffer: Share of the memory to come down to in a recovery, for programs that read it; the package does
            not.

    Attributes:
        usage_history: Pairs of seconds since the epoch and bytes, oldest first: a plain list, to be read, appended to
            or replaced. `update_history` keeps the last 100.

    Example:
        >>> profile = MemoryProfile("tiny", base_usage=1000, per_batch_usage=100, per_token_usage=2)
        >>> profile.estimate_usage(batch_size=4, token_count=50)
        1500
        >>> profile.largest_batch(available=1500, tokens=50)
        4
        >>> profile.largest_batch(available=900, tokens=50) is None
        True
    """

    def __init__(
        self,
        name: str,
        base_usage: int,
        per_batch_usage: int,
        per_token_usage: int,
        growth_rate: float = GROWTH_RATE,
        recovery_buffer: float = RECOVERY_BUFFER,
    ) -> None:
        self.name = name
        self.base_usage = base_usage
        self.per_batch_usage = per_batch_usage
        self.per_token_usage = per_token_usage
        self.growth_rate = growth_rate
        self.recovery_buffer = recovery_buffer
        self.usage_history: list[tuple[float, float]] = []

    @classmethod
    def from_model(
        cls,
        model: Path | None = None,
        *,
        name: str = "",
        runtime: str = "llama.cpp",
        context_low: int = 0,
        growth_rate: float = GROWTH_RATE,
        recovery_buffer: float = RECOVERY_BUFFER,
        **options: Any,
    ) -> MemoryProfile:
        """The profile of a model that is not loaded yet: the straight line through what `estimate` says of it.

        Sizes are sums over the GPUs. A token is one of the context, which all sequences share, and costs its keys and
        values and what it adds to the compute buffer; a sequence costs its recurrent state and its windows; the base is
        weights, compute buffer and 300 MiB of context overhead a GPU. The line is exact at the contexts `context_low`
        and `context`; docs/profiles.md says how far it is off elsewhere.

        Args:
            model: As for `estimate`.
            name: Of the profile; empty: the model's, else its architecture.
            runtime: "llama.cpp" or "vllm".
            context_low: The shorter context of the line, in tokens; 0: half of `context`. It matters for models with
                sliding windows, whose need bends where the context exceeds the window.
            growth_rate: As of the profile.
            recovery_buffer: As of the profile.
            options: The other keywords of `estimate`, as hparams, context, parallel, gpus, kv_type_k.

        Raises:
            FileNotFoundError: There is no such model.
            ValueError: The file or an argument makes no sense; the message names it.
            TypeError: `estimate` has no such keyword.

        Example:
            >>> import json, tempfile
            >>> with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            ...     json.dump({"arch": "llama", "n_layer": 32, "n_embd": 4096, "n_head": 32, "n_head_kv": 8}, file)
            ...     file.flush()
            ...     profile = MemoryProfile.from_model(hparams=file.name, context=8192, name="mine")
            >>> profile.name, profile.per_token_usage
            ('mine', 132096)
        """
        request = request_with(model, options)
        answer, code, message = _core.profile_of_estimate(runtime, request, name, context_low)
        if answer is None:
            raise FileNotFoundError(message) if code == "not_found" else ValueError(message)
        name, base, per_batch, per_token, *_ = answer
        return cls(name, base, per_batch, per_token, growth_rate, recovery_buffer)

    def __repr__(self) -> str:
        sizes = f"{self.base_usage!r}, {self.per_batch_usage!r}, {self.per_token_usage!r}"
        return f"MemoryProfile({self.name!r}, {sizes}, {self.growth_rate!r}, {self.recovery_buffer!r})"

    # What fits ------------------------------------------------------------------------------------------------------

    def estimate_usage(self, batch_size: int, token_count: int, kv_cache_factor: float = 1.0) -> int:
        """The bytes that a load needs.

        Args:
            batch_size: Sequences at a time.
            token_count: Tokens in memory.
            kv_cache_factor: Factor on the tokens' part, for example 0.5 with a cache of half the precision.

        Returns:
            Bytes; whole if all sizes are whole.

        Example:
            >>> MemoryProfile("tiny", 1000, 100, 2).estimate_usage(1, 100, kv_cache_factor=0.5)
            1200
        """
        tokens = token_count * self.per_token_usage
        if kv_cache_factor != 1.0:
            tokens = type(tokens)(tokens * kv_cache_factor)  # whole bytes stay whole
        return self.base_usage + batch_size * self.per_batch_usage + tokens

    def max_batch_size(self, available_memory: int, token_count: int) -> int:
        """The largest batch, and 1 also where not even that fits: `largest_batch` says so.

        Args:
            available_memory: Bytes.
            token_count: Tokens in memory.

        Returns:
            At least 1; 1 if a batch costs nothing.
        """
        if self.per_batch_usage <= 0:
            return SMALLEST_BATCH
        left = available_memory - self.base_usage - token_count * self.per_token_usage
        return max(SMALLEST_BATCH, int(left / self.per_batch_usage))

    def max_sequence_length(self, available_memory: int, batch_size: int) -> int:
        """The most tokens, and 128 also where not even those fit: `longest_sequence` says so.

        Args:
            available_memory: Bytes.
            batch_size: Sequences at a time.

        Returns:
            At least 128; 2048 if a token costs nothing.
        """
        if self.per_token_usage <= 0:
            return ANY_SEQUENCE
        left = available_memory - self.base_usage - batch_size * self.per_batch_usage
        return max(SHORTEST_SEQUENCE, int(left / self.per_token_usage))

    def fits(self, available: int, batch: int, tokens: int, *, model_loaded: bool = False) -> bool:
        """Whether a load fits. Provisional.

        Args:
            available: Bytes.
            batch: Sequences at a time.
            tokens: Tokens in memory.
            model_loaded: The model is on the device already, so `available` is without it: leave its base out.

        Example:
            >>> profile = MemoryProfile("tiny", 1000, 100, 2)
            >>> profile.fits(500, 1, 50), profile.fits(500, 1, 50, model_loaded=True)
            (False, True)
        """
        return self._left(available, model_loaded) >= batch * self.per_batch_usage + tokens * self.per_token_usage

    def largest_batch(self, available: int, tokens: int, *, model_loaded: bool = False) -> int | None:
        """The largest batch that fits, or None if not even one sequence does. Provisional.

        Args:
            available: Bytes.
            tokens: Tokens in memory.
            model_loaded: As for `fits`.

        Raises:
            ValueError: A batch costs nothing in this profile, so memory does not limit it.
        """
        left = self._left(available, model_loaded) - tokens * self.per_token_usage
        return self._how_many(left, self.per_batch_usage, "per_batch_usage")

    def longest_sequence(self, available: int, batch: int, *, model_loaded: bool = False) -> int | None:
        """The most tokens that fit, or None if not even one does. Provisional.

        Args:
            available: Bytes.
            batch: Sequences at a time.
            model_loaded: As for `fits`.

        Raises:
            ValueError: A token costs nothing in this profile, so memory does not limit them.

        Example:
            >>> MemoryProfile("tiny", 1000, 100, 2).longest_sequence(available=1300, batch=2)
            50
        """
        left = self._left(available, model_loaded) - batch * self.per_batch_usage
        return self._how_many(left, self.per_token_usage, "per_token_usage")

    def _left(self, available: int, model_loaded: bool) -> int:
        return available if model_loaded else available - self.base_usage

    def _how_many(self, left: int, each: int, which: str) -> int | None:
        if each <= 0:
            raise ValueError(f"the profile {self.name} has no limit: its {which} is {each}")
        count = int(left // each)
        return count if count >= 1 else None

    # Where it is heading --------------------------------------------------------------------------------------------

    def update_history(self, memory_usage: int, gpu: int | None = None) -> None:
        """Adds what is in use now to `usage_history`, which keeps the last 100.

        Args:
            memory_usage: Bytes.
            gpu: The device that it was measured on, so that devices are not mixed up; None: not said.
        """
        point: tuple[float, float] = (time.time(), memory_usage)
        if gpu is not None:
            point = _UsagePoint(point)
            point.gpu = gpu
        self.usage_history.append(point)
        del self.usage_history[:-HISTORY_LIMIT]

    def project_growth(self, time_horizon: float = 60.0, gpu: int | None = None) -> int | None:
        """The bytes to expect `time_horizon` seconds from now.

        A least-squares line goes through the points of the last 300 s. The answer is where the line stands now, plus
        its growth until then times `growth_rate`; so a level use stays what it is, whatever the rate.

        Args:
            time_horizon: Seconds.
            gpu: The device in question; points that say no device count for each. None: of several devices, the one
                that will be in use most.

        Returns:
            Never under 0. None with fewer than 5 points, or with fewer than 3 younger than 300 s.

        Example:
            >>> profile = MemoryProfile("tiny", 0, 0, 0, growth_rate=1.0)
            >>> start = time.time() - 40
            >>> profile.usage_history = [(start + t, 1000 + 10 * t) for t in (0, 10, 20, 30, 40)]
            >>> round(profile.project_growth(60.0), -1)
            2000
        """
        points, now = list(self.usage_history), time.time()
        devices = {gpu_of(point) for point in points} - {None} if gpu is None else {gpu}
        projections = [
            _project(_of_device(points, device), now, time_horizon, self.growth_rate) for device in devices or {None}
        ]
        return max((projection for projection in projections if projection is not None), default=None)
