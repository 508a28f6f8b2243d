"""What models need, and where use is heading: estimates, memory profiles, and straight lines through the past.

A monitor's own `Forecast` is the better answer to when a GPU will be full: it knows steps and spikes and gives bounds.
What is here needs no monitor: any points will do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Union

from ._estimates import (
    DeviceNeed,
    FitLimits,
    LayerSplit,
    Limit,
    ModelEstimate,
    ProfileNeed,
    TrainingNeed,
    estimate,
)
from ._lines import Line, fit_line
from ._memory_profile import FEWEST_RECENT_POINTS, SMALLEST_BATCH, WINDOW_S, MemoryProfile, gpu_of
from ._profile_files import load_profiles, save_profiles
from ._profile_learning import LearnedSize, ProfileFit, ProfileLearner

__all__ = [
    "DEFAULT_PROFILES",
    "DeviceNeed",
    "FitLimits",
    "LayerSplit",
    "LearnedSize",
    "Limit",
    "Line",
    "MemoryProfile",
    "ModelEstimate",
    "OutOfMemoryPrediction",
    "Profile",
    "ProfileFit",
    "ProfileLearner",
    "ProfileNeed",
    "TrainingNeed",
    "estimate",
    "find_optimal_batch",
    "fit_line",
    "get_available_profiles",
    "get_profile",
    "load_profiles",
    "predict_memory_usage",
    "save_profiles",
    "will_run_out_of_memory",
]

logger = logging.getLogger("dualgpuopt.memory")

UsageHistory = Union[Mapping[int, Iterable[Any]], Iterable[Any]]

Profile = MemoryProfile


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
    of_gpu = [e for e in entries if getattr(e, "gpu_id", gpu_of(e)) in (None, gpu_id)]
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
