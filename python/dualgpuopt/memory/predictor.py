"""What models need, and where use is heading: estimates, memory profiles, and straight lines through the past.

A monitor's own `Forecast` is the better answer to when a GPU will be full: it knows steps and spikes and gives bounds.
What is here needs no monitor: any points will do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Union

from ._estimates import DeviceNeed, ModelEstimate, estimate

__all__ = [
    "DEFAULT_PROFILES",
    "DeviceNeed",
    "Line",
    "MemoryProfile",
    "ModelEstimate",
    "OutOfMemoryPrediction",
    "estimate",
    "find_optimal_batch",
    "fit_line",
    "get_available_profiles",
    "get_profile",
    "predict_memory_usage",
    "will_run_out_of_memory",
]

logger = logging.getLogger("dualgpuopt.memory")

HISTORY_LIMIT = 100
WINDOW_S = 300.0
FEWEST_POINTS = 5
FEWEST_RECENT_POINTS = 3

SMALLEST_BATCH = 1
SHORTEST_SEQUENCE = 128
ANY_SEQUENCE = 2048  # what the original says for a model whose tokens cost nothing

Points = Sequence[tuple[float, float]]
UsageHistory = Union[Mapping[int, Iterable[Any]], Iterable[Any]]


class Line(NamedTuple):
    """The least-squares line through points of time and bytes.

    Attributes:
        time: Seconds, of the last of the points.
        value: The line's bytes there.
        slope: Bytes a second; 0 if all points are of one moment.
        explained: Share of the points' variance that lies on the line, 0 to 1; 0 if they do not vary.

    Example:
        >>> line = fit_line([(0.0, 100.0), (10.0, 200.0)])
        >>> line.slope, line.at(20.0)
        (10.0, 300.0)
    """

    time: float
    value: float
    slope: float
    explained: float

    def at(self, time: float) -> float:
        """The line's bytes at `time`, in the points' own seconds; may be negative."""
        return self.value + self.slope * (time - self.time)


def fit_line(points: Points) -> Line:
    """Puts a straight line through points.

    Args:
        points: Pairs of seconds and bytes, at least one, in any order.

    Returns:
        The line with the smallest sum of squared differences.

    Raises:
        ValueError: There are no points.

    Example:
        >>> fit_line([(0, 100), (1, 300), (2, 500)]).at(3)
        700.0
    """
    if not points:
        raise ValueError("a line needs at least one point")
    count, origin = len(points), points[-1][0]  # sums of seconds since the epoch would lose the last digits
    mean_t = sum(t - origin for t, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    # Points of one moment have no slope, but the mean's rounding would give them one.
    if all(t == origin for t, _ in points):
        return Line(origin, mean_y, 0.0, 0.0)
    tt = sum((t - origin - mean_t) ** 2 for t, _ in points)
    ty = sum((t - origin - mean_t) * (y - mean_y) for t, y in points)
    yy = sum((y - mean_y) ** 2 for _, y in points)
    slope = ty / tt
    return Line(origin, mean_y - slope * mean_t, slope, min(1.0, ty * ty / (tt * yy)) if yy else 0.0)


class _UsagePoint(tuple[float, float]):
    """A pair (time, bytes) like any other in the history, that also knows which device it is of."""

    gpu: int


def _gpu_of(point: Any) -> int | None:
    return getattr(point, "gpu", None)


def _of_device(points: Iterable[tuple[float, float]], gpu: int | None) -> list[tuple[float, float]]:
    return [point for point in points if _gpu_of(point) in (None, gpu)]


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
        growth_rate: float = 1.05,
        recovery_buffer: float = 0.85,
    ) -> None:
        self.name = name
        self.base_usage = base_usage
        self.per_batch_usage = per_batch_usage
        self.per_token_usage = per_token_usage
        self.growth_rate = growth_rate
        self.recovery_buffer = recovery_buffer
        self.usage_history: list[tuple[float, float]] = []

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
        devices = {_gpu_of(point) for point in points} - {None} if gpu is None else {gpu}
        projections = [
            _project(_of_device(points, device), now, time_horizon, self.growth_rate) for device in devices or {None}
        ]
        return max((projection for projection in projections if projection is not None), default=None)


def _default_profile(name: str, base_gib: int, batch_mib: int, token_kib: int) -> MemoryProfile:
    return MemoryProfile(name, base_gib * 1024**3, batch_mib * 1024**2, token_kib * 1024)


DEFAULT_PROFILES: dict[str, MemoryProfile] = {
    profile.name: profile
    for profile in (
        _default_profile("llama2-7b", 7, 50, 3),
        _default_profile("llama2-13b", 13, 100, 5),
        _default_profile("llama2-70b", 35, 350, 18),
        _default_profile("mistral-7b", 8, 55, 3),
        _default_profile("mixtral-8x7b", 25, 200, 12),
    )
}
"""The original's five profiles by name."""


def get_profile(name: str) -> MemoryProfile | None:
    """One of the default profiles, or None.

    Example:
        >>> get_profile("mistral-7b").base_usage // 1024**3
        8
    """
    return DEFAULT_PROFILES.get(name)


def get_available_profiles() -> list[str]:
    """The names of the default profiles.

    Example:
        >>> get_available_profiles()[0]
        'llama2-7b'
    """
    return list(DEFAULT_PROFILES)


def find_optimal_batch(
    available_memory: int, profile: MemoryProfile, token_lengths: Iterable[int], memory_buffer: float = 0.9
) -> tuple[int, int]:
    """The batch size and sequence length that keep the most tokens in work at a time.

    Args:
        available_memory: Bytes.
        profile: What the model needs.
        token_lengths: The lengths to choose from.
        memory_buffer: Share of the available memory to use.

    Returns:
        (batch, length) with the largest product; of equals the longest. If none fits, 1 and the shortest length, and a
        warning is logged; `MemoryProfile.fits` asks beforehand.

    Raises:
        ValueError: There are no lengths.

    Example:
        >>> find_optimal_batch(2000, MemoryProfile("tiny", 1000, 100, 2), [50, 200], memory_buffer=1.0)
        (6, 200)
    """
    lengths = sorted(token_lengths)
    if not lengths:
        raise ValueError("token_lengths is empty: there is nothing to choose from")
    usable = int(available_memory * memory_buffer)
    pairs = [(profile.max_batch_size(usable, length), length) for length in lengths]
    fitting = [(batch, length) for batch, length in pairs if profile.fits(usable, batch, length)]
    if not fitting:
        logger.warning("Profile %s does not fit into %d bytes, not even with batch 1", profile.name, usable)
        return SMALLEST_BATCH, lengths[0]
    return max(fitting, key=lambda pair: (pair[0] * pair[1], pair[1]))


class OutOfMemoryPrediction(NamedTuple):
    """Whether a device will be full in time, as a straight line through its past says.

    Attributes:
        will_oom: None: it cannot be said.
        time_to_oom_seconds: Seconds from the newest point until nothing is free; None: none foreseen, or not known.
        reason: Why it cannot be said; else empty.

    Example:
        >>> OutOfMemoryPrediction(True, 12.5).will_oom
        True
    """

    will_oom: bool | None
    time_to_oom_seconds: float | None
    reason: str = ""


def _point(entry: Any) -> tuple[float, float]:
    return (entry[0], entry[1]) if isinstance(entry, tuple) else (entry.timestamp, entry.used_memory)


def _points_of(history: UsageHistory, gpu_id: int) -> list[tuple[float, float]]:
    """What the history says of that device within the last 300 s before its newest point, oldest first."""
    entries = history.get(gpu_id, ()) if isinstance(history, Mapping) else history
    of_gpu = [e for e in entries if getattr(e, "gpu_id", _gpu_of(e)) in (None, gpu_id)]
    points = sorted(_point(entry) for entry in of_gpu)
    return [point for point in points if points[-1][0] - point[0] < WINDOW_S]


def predict_memory_usage(history: UsageHistory, gpu_id: int, t: float) -> int | None:
    """The bytes to expect `t` seconds after the newest point, by the line through the 300 s before it.

    Args:
        history: Pairs of seconds and bytes, or `GPUMemoryStats`, of any devices; or a dictionary of such by device. The
            seconds may be of any clock.
        gpu_id: The device. A pair that says no device counts for each.
        t: Seconds.

    Returns:
        Never under 0; None with fewer than 3 points.

    Example:
        >>> predict_memory_usage({0: [(0, 100), (1, 200), (2, 300)]}, 0, 5)
        800
        >>> predict_memory_usage({0: [(0, 100)]}, 0, 5) is None
        True
    """
    points = _points_of(history, gpu_id)
    if len(points) < FEWEST_RECENT_POINTS:
        return None
    line = fit_line(points)
    return int(max(0.0, line.at(points[-1][0] + t)))


def will_run_out_of_memory(
    history: UsageHistory, gpu_id: int, total_memory: float, time_horizon: float = 60.0
) -> OutOfMemoryPrediction:
    """Whether the line through the last 300 s of a device reaches its total within the horizon.

    Args:
        history: As for `predict_memory_usage`.
        gpu_id: The device.
        total_memory: Its bytes.
        time_horizon: Seconds after the newest point.

    Example:
        >>> growing = {0: [(0, 100), (1, 200), (2, 300)]}
        >>> will_run_out_of_memory(growing, 0, total_memory=1000)
        OutOfMemoryPrediction(will_oom=True, time_to_oom_seconds=7.0, reason='')
        >>> will_run_out_of_memory(growing, 0, total_memory=1000, time_horizon=5).will_oom
        False
        >>> will_run_out_of_memory(growing, 1, total_memory=1000).reason
        'GPU 1 has 0 points; a line needs 3'
    """
    points = _points_of(history, gpu_id)
    if points and points[-1][1] >= total_memory:
        return OutOfMemoryPrediction(True, 0.0)
    if len(points) < FEWEST_RECENT_POINTS:
        reason = f"GPU {gpu_id} has {len(points)} points; a line needs {FEWEST_RECENT_POINTS}"
        return OutOfMemoryPrediction(None, None, reason)
    line = fit_line(points)
    if line.slope <= 0:
        return OutOfMemoryPrediction(False, None)
    seconds = max(0.0, (total_memory - line.at(points[-1][0])) / line.slope)
    return OutOfMemoryPrediction(seconds <= time_horizon, seconds)
