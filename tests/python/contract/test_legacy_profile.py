"""MemoryProfile: its estimates and its projection. No GPU is needed."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import pytest

GIB = 1 << 30


@pytest.fixture
def profile(legacy: ModuleType) -> Any:
    return legacy.MemoryProfile("mine", 1_000, 100, 10)


def fill(profile: Any, minutes: list[float], used: list[float]) -> None:
    """A history that ends now, of bytes used so many minutes ago."""
    now = time.time()
    profile.usage_history[:] = [(now - ago * 60, int(bytes_)) for ago, bytes_ in zip(minutes, used)]


def test_a_profile_has_what_it_was_given(legacy: ModuleType) -> None:
    profile = legacy.MemoryProfile("mine", 1, 2, 3, 1.1, 0.7)
    assert (profile.name, profile.base_usage, profile.per_batch_usage, profile.per_token_usage) == ("mine", 1, 2, 3)
    assert (profile.growth_rate, profile.recovery_buffer, profile.usage_history) == (1.1, 0.7, [])


def test_a_profile_has_defaults(profile: Any) -> None:
    assert (profile.growth_rate, profile.recovery_buffer) == (1.05, 0.85)


def test_an_estimate_is_exact_and_not_clamped(profile: Any) -> None:
    assert (profile.estimate_usage(3, 5), type(profile.estimate_usage(3, 5))) == (1_350, int)
    assert profile.estimate_usage(-20, 0) == -1_000
    assert profile.estimate_usage(1.5, 0) == 1_150.0


@pytest.mark.parametrize(("available", "tokens", "batch"), [(2_000, 10, 9), (1_999, 10, 8), (1_000, 0, 1), (-5, 3, 1)])
def test_the_largest_batch(profile: Any, available: int, tokens: int, batch: int) -> None:
    assert profile.max_batch_size(available, tokens) == batch


@pytest.mark.parametrize(
    ("available", "batch", "tokens"), [(5_000, 2, 380), (2_490, 1, 139), (2_000, 1, 128), (0, 1, 128)]
)
def test_the_longest_sequence(profile: Any, available: int, batch: int, tokens: int) -> None:
    assert profile.max_sequence_length(available, batch) == tokens


@pytest.mark.parametrize("nothing", [0, -1])
def test_where_nothing_is_needed_the_answers_are_fixed(profile: Any, nothing: int) -> None:
    profile.per_batch_usage = profile.per_token_usage = nothing
    assert profile.max_batch_size(1 << 40, 1) == 1
    assert profile.max_sequence_length(1 << 40, 1) == 2048


def test_a_changed_attribute_counts_at_once(profile: Any) -> None:
    before = (profile.estimate_usage(1, 1), profile.max_batch_size(5_000, 1), profile.max_sequence_length(5_000, 1))
    profile.base_usage, profile.per_batch_usage, profile.per_token_usage = 2_000, 200, 20
    after = (profile.estimate_usage(1, 1), profile.max_batch_size(5_000, 1), profile.max_sequence_length(5_000, 1))
    assert (before, after) == ((1_110, 39, 390), (2_220, 14, 140))


def test_history_keeps_the_last_hundred(profile: Any) -> None:
    before = time.time()
    for used in range(130):
        profile.update_history(used)
    assert [used for _, used in profile.usage_history] == list(range(30, 130))
    assert all(before <= stamp <= time.time() for stamp, _ in profile.usage_history)


def test_history_has_wall_time(profile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1234.5)
    profile.update_history(7)
    assert profile.usage_history == [(1234.5, 7)]


def test_four_points_are_too_few_to_project(profile: Any) -> None:
    fill(profile, [3, 2, 1, 0], [1, 2, 3, 4])
    assert profile.project_growth() is None
    fill(profile, [4, 3, 2, 1, 0], [GIB, GIB, GIB, GIB, GIB])
    assert profile.project_growth() is not None


def test_two_young_points_are_too_few_to_project(profile: Any) -> None:
    fill(profile, [20, 19, 18, 1, 0], [GIB] * 5)
    assert profile.project_growth() is None
    fill(profile, [20, 19, 2, 1, 0], [GIB] * 5)
    assert profile.project_growth() is not None


def test_the_projection_is_from_now(legacy: ModuleType) -> None:
    """4 to 7 GiB in three minutes: in another minute it is 8, where the original said 5."""
    profile = legacy.MemoryProfile("mine", 0, 1, 1, growth_rate=1.0)
    fill(profile, [3, 2.25, 1.5, 0.75, 0], [4 * GIB, 4.75 * GIB, 5.5 * GIB, 6.25 * GIB, 7 * GIB])
    assert profile.project_growth() == pytest.approx(8 * GIB, rel=1e-3)
    assert profile.project_growth(time_horizon=120.0) == pytest.approx(9 * GIB, rel=1e-3)
    assert profile.project_growth(0.0) == pytest.approx(7 * GIB, rel=1e-3)
    assert type(profile.project_growth()) is int


def test_the_growth_rate_multiplies_the_growth(legacy: ModuleType) -> None:
    profile = legacy.MemoryProfile("mine", 0, 1, 1)
    fill(profile, [3, 2.25, 1.5, 0.75, 0], [4 * GIB, 4.75 * GIB, 5.5 * GIB, 6.25 * GIB, 7 * GIB])
    assert profile.project_growth() == pytest.approx(8.05 * GIB, rel=1e-3)
    profile.growth_rate = 2.0
    assert profile.project_growth() == pytest.approx(9 * GIB, rel=1e-3)


def test_the_projection_is_a_least_squares_fit(legacy: ModuleType) -> None:
    """Of 0, 0, 3, 0, 0 GiB a minute apart the line is flat at 0.6; of the old points nothing is seen."""
    profile = legacy.MemoryProfile("mine", 0, 1, 1, growth_rate=1.0)
    fill(profile, [30, 20, 10, 4, 3, 2, 1, 0], [50 * GIB, 60 * GIB, 70 * GIB, 0, 0, 3 * GIB, 0, 0])
    assert profile.project_growth() == pytest.approx(0.6 * GIB, rel=1e-3)


def test_history_can_be_filled_from_outside(legacy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = legacy.MemoryProfile("mine", 0, 1, 1, growth_rate=1.0)
    for second in range(0, 50, 10):
        monkeypatch.setattr(time, "time", lambda second=second: 1_000.0 + second)
        profile.update_history((second + 1) * 1_000)
    assert profile.project_growth(10.0) == pytest.approx(51_000, rel=1e-3)
    profile.usage_history = [(1_040.0, 5)] * 4
    assert profile.project_growth(10.0) is None
