"""The original monitor's profiles: what the GPUs' past says by them, and what fits."""

from __future__ import annotations

import time

from . import _core
from ._legacy_driver import LegacyDriver, logger
from ._legacy_values import GPUMemoryStats
from .predictor import MemoryProfile

SERIES_LENGTH = 100


class LegacyProfiles(LegacyDriver):
    """Registers profiles, feeds the active one, and estimates by it."""

    def _set_up_profiles(self) -> None:
        self._profiles: dict[str, MemoryProfile] = {}
        self._active: MemoryProfile | None = None
        self._series: dict[int, _core.UsageSeries] = {}  # of the active profile, by device
        self._last_point: object = None  # that we added to its history

    def register_profile(self, profile: MemoryProfile) -> None:
        """Makes a profile known under its name; one of the same name is replaced.

        Args:
            profile: Of a model.
        """
        self._profiles[profile.name] = profile

    def set_active_profile(self, profile_name: str) -> bool:
        """Chooses the profile for estimates, which from now on learns what the GPUs use.

        Args:
            profile_name: Of a registered profile.

        Returns:
            Whether there is one of that name; if not, the old one stays.
        """
        profile = self._profiles.get(profile_name)
        if profile is None:
            logger.warning("Memory profile not found: %s", profile_name)
            return False
        if profile is not self._active:
            self._series = {}
        self._active = profile
        return True

    def _remember(self, stats: list[GPUMemoryStats]) -> None:
        profile = self._active
        if profile is None:
            return
        for each in stats:
            profile.update_history(each.used_memory, each.gpu_id)
            series = self._series.get(each.gpu_id)
            if series is None:
                series = self._series[each.gpu_id] = _core.UsageSeries(SERIES_LENGTH)
            series.append(time.monotonic(), each.used_memory)  # a wall clock can be set
        self._last_point = profile.usage_history[-1]

    def estimate_max_batch(self, gpu_id: int, token_count: int, profile_name: str | None = None) -> int:
        """The largest batch for nine tenths of what is free now.

        Args:
            gpu_id: The device's index.
            token_count: Tokens.
            profile_name: Of a registered profile; the active one if left out or not known.

        Returns:
            At least 1, also for a GPU that is not known.
        """
        profile = self._profiles.get(profile_name, self._active) if profile_name else self._active
        if profile_name and profile_name not in self._profiles:
            logger.warning("Memory profile not found: %s", profile_name)
        if profile is None:
            logger.warning("No memory profile available for batch size estimation")
            return 1
        memory = self._memory(gpu_id)
        return 1 if memory is None else profile.max_batch_size(int(memory[2] * 0.9), token_count)

    def estimate_safe_context_size(self, gpu_id: int, batch_size: int, buffer_percent: float = 10.0) -> int:
        """The longest context for what is free now, less a buffer, by the active profile.

        Args:
            gpu_id: The device's index.
            batch_size: Sequences.
            buffer_percent: Of what is free, kept free.

        Returns:
            Tokens; 2048 without a profile, or for a GPU that is not known.
        """
        if self._active is None:
            logger.warning("No active memory profile for context size estimation")
            return 2048
        memory = self._memory(gpu_id)
        if memory is None:
            return 2048
        return self._active.max_sequence_length(int(memory[2] * (1 - buffer_percent / 100)), batch_size)

    def project_memory_usage(self, gpu_id: int, seconds_ahead: float = 60.0) -> float | None:
        """How full a GPU will be, by the active profile's past of this GPU.

        Args:
            gpu_id: The device's index.
            seconds_ahead: From now.

        Returns:
            Percent of its total; None without a profile, a past, or the GPU.
        """
        profile = self._active
        if profile is None:
            return None
        memory = self._memory(gpu_id, quiet=True)
        if memory is None or memory[0] == 0:
            return None
        projected = None
        series = self._series.get(gpu_id)
        history = profile.usage_history
        if series is not None and history and history[-1] is self._last_point:  # nobody else has written to it
            projected = series.project(time.monotonic(), seconds_ahead, profile.growth_rate)
        if projected is None:
            projected = profile.project_growth(seconds_ahead, gpu_id)
        return None if projected is None else projected / memory[0] * 100
