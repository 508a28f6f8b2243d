"""Profiles and projections against the formulas of the original's contract, in exact arithmetic."""

from __future__ import annotations

import pickle
import time
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dualgpuopt.memory import predictor
from dualgpuopt.memory.predictor import (
    DEFAULT_PROFILES,
    MemoryProfile,
    find_optimal_batch,
    fit_line,
    get_available_profiles,
    get_profile,
    predict_memory_usage,
    will_run_out_of_memory,
)

GIB = 1024**3
NOW = 1_700_000_000.0

repeatable = settings(derandomize=True, deadline=None, database=None)

amounts = st.integers(min_value=0, max_value=1 << 40)
prices = st.integers(min_value=1, max_value=1 << 32)
counts = st.integers(min_value=0, max_value=1 << 20)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The wall clock; its one element may be changed."""
    clock = [NOW]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    return clock


def profile_of(base: int = 0, batch: int = 0, token: int = 0, **settings: float) -> MemoryProfile:
    return MemoryProfile("p", base, batch, token, **settings)


# What fits ------------------------------------------------------------------------------------------------------------


@repeatable
@given(amounts, prices, prices, counts, counts)
def test_the_estimate_is_the_sum_of_its_parts(base: int, batch: int, token: int, n: int, tokens: int) -> None:
    estimate = profile_of(base, batch, token).estimate_usage(n, tokens)
    assert estimate == base + n * batch + tokens * token
    assert type(estimate) is int


@repeatable
@given(amounts, prices, counts, st.floats(min_value=0, max_value=4))
def test_the_cache_factor_is_on_the_tokens_only(base: int, token: int, tokens: int, factor: float) -> None:
    estimate = profile_of(base, 7, token).estimate_usage(3, tokens, kv_cache_factor=factor)
    assert type(estimate) is int
    assert estimate - base - 21 == int(tokens * token * factor)


def test_fractions_of_bytes_stay_fractions() -> None:
    assert profile_of(1.5, 2, 3).estimate_usage(1, 1) == 6.5  # type: ignore[arg-type]


def test_negative_counts_are_not_clamped() -> None:
    assert profile_of(100, 10, 1).estimate_usage(-2, -3) == 77


@repeatable
@given(amounts, amounts, prices, prices, counts)
def test_the_largest_batch_of_the_original(available: int, base: int, batch: int, token: int, tokens: int) -> None:
    expected = max(1, int((available - base - tokens * token) / batch))
    assert profile_of(base, batch, token).max_batch_size(available, tokens) == expected


@repeatable
@given(amounts, amounts, prices, prices, counts)
def test_the_longest_sequence_of_the_original(available: int, base: int, batch: int, token: int, n: int) -> None:
    expected = max(128, int((available - base - n * batch) / token))
    assert profile_of(base, batch, token).max_sequence_length(available, n) == expected


@pytest.mark.parametrize("price", [0, -5])
def test_what_costs_nothing_has_the_originals_answer(price: int) -> None:
    profile = profile_of(0, price, price)
    assert profile.max_batch_size(GIB, 10) == 1
    assert profile.max_sequence_length(GIB, 10) == 2048


@repeatable
@given(amounts, amounts, prices, prices, counts, st.booleans())
def test_the_largest_batch_fits_and_one_more_does_not(
    available: int, base: int, batch: int, token: int, tokens: int, loaded: bool
) -> None:
    profile = profile_of(base, batch, token)
    largest = profile.largest_batch(available, tokens, model_loaded=loaded)
    if largest is None:
        assert not profile.fits(available, 1, tokens, model_loaded=loaded)
    else:
        assert largest >= 1
        assert profile.fits(available, largest, tokens, model_loaded=loaded)
        assert not profile.fits(available, largest + 1, tokens, model_loaded=loaded)


@repeatable
@given(amounts, amounts, prices, prices, counts, st.booleans())
def test_the_longest_sequence_fits_and_one_more_does_not(
    available: int, base: int, batch: int, token: int, n: int, loaded: bool
) -> None:
    profile = profile_of(base, batch, token)
    longest = profile.longest_sequence(available, n, model_loaded=loaded)
    if longest is None:
        assert not profile.fits(available, n, 1, model_loaded=loaded)
    else:
        assert profile.fits(available, n, longest, model_loaded=loaded)
        assert not profile.fits(available, n, longest + 1, model_loaded=loaded)


@repeatable
@given(amounts, amounts, prices, prices, counts, counts)
def test_fitting_is_what_the_estimate_says(a: int, base: int, batch: int, token: int, n: int, tokens: int) -> None:
    profile = profile_of(base, batch, token)
    assert profile.fits(a, n, tokens) == (profile.estimate_usage(n, tokens) <= a)
    assert profile.fits(a, n, tokens, model_loaded=True) == (profile.estimate_usage(n, tokens) - base <= a)


def test_a_model_that_does_not_fit_is_said_to() -> None:
    profile = DEFAULT_PROFILES["llama2-70b"]
    assert profile.max_batch_size(8 * GIB, 128) == 1
    assert profile.max_sequence_length(8 * GIB, 1) == 128
    assert profile.largest_batch(8 * GIB, 128) is None
    assert profile.longest_sequence(8 * GIB, 1) is None


def test_what_memory_does_not_limit_is_an_error_with_its_reason() -> None:
    with pytest.raises(ValueError, match="p has no limit: its per_batch_usage is 0"):
        profile_of(0, 0, 1).largest_batch(GIB, 1)
    with pytest.raises(ValueError, match="p has no limit: its per_token_usage is 0"):
        profile_of(0, 1, 0).longest_sequence(GIB, 1)


def test_attribute_changes_apply_at_once() -> None:
    profile = profile_of(0, 100, 0)
    assert profile.max_batch_size(1000, 0) == 10
    profile.per_batch_usage = 200
    assert profile.max_batch_size(1000, 0) == 5
    profile.base_usage = 500
    assert profile.estimate_usage(1, 0) == 700


# Where it is heading --------------------------------------------------------------------------------------------------


def exact_projection(
    points: list[tuple[float, float]], now: float, horizon: float, growth_rate: float
) -> Fraction | None:
    """The contract, with fractions: the line's value now, plus its growth until the horizon times the rate."""
    recent = [(Fraction(t), Fraction(y)) for t, y in points if now - t < 300]
    if len(points) < 5 or len(recent) < 3:
        return None
    n, t_sum, y_sum = len(recent), sum((t for t, _ in recent), Fraction(0)), sum((y for _, y in recent), Fraction(0))
    divisor = n * sum(t * t for t, _ in recent) - t_sum**2
    if divisor == 0:  # no time passed: nothing is known to grow
        return y_sum / n
    slope = (n * sum(t * y for t, y in recent) - t_sum * y_sum) / divisor
    value = (y_sum - slope * t_sum) / n + slope * Fraction(now)
    return max(Fraction(0), value + slope * Fraction(horizon) * Fraction(growth_rate))


# Whole eighths of seconds are exact in a float, also after the epoch.
ages = st.integers(min_value=0, max_value=400 * 8).map(lambda eighths: eighths / 8)
histories = st.lists(st.tuples(ages, st.integers(min_value=0, max_value=80 * GIB)), max_size=100)


@repeatable
@given(histories, st.floats(min_value=0, max_value=600), st.floats(min_value=0.5, max_value=2))
def test_the_projection_is_the_contracts(
    ages_and_bytes: list[tuple[float, int]], horizon: float, growth_rate: float
) -> None:
    points: list[tuple[float, float]] = [(NOW - age, used) for age, used in sorted(ages_and_bytes, reverse=True)]
    profile = profile_of(growth_rate=growth_rate)
    profile.usage_history = points
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: NOW)
        projection = profile.project_growth(horizon)
    expected = exact_projection(points, NOW, horizon, growth_rate)
    assert (projection is None) == (expected is None)
    if projection is not None and expected is not None:
        assert type(projection) is int
        assert projection >= 0
        assert projection == pytest.approx(float(expected), rel=1e-9, abs=64)


def test_the_projection_starts_from_now_and_not_from_the_windows_start(now: list[float]) -> None:
    profile = profile_of(growth_rate=1.0)
    profile.usage_history = [(NOW - 180 + t, 4 * GIB + t * GIB / 60) for t in range(0, 181, 20)]
    assert profile.project_growth(60.0) == pytest.approx(8 * GIB, rel=1e-9)


def test_the_growth_rate_multiplies_the_growth_only(now: list[float]) -> None:
    profile = profile_of(growth_rate=1.5)
    profile.usage_history = [(NOW - age, 1000.0 - 10 * age) for age in (40, 30, 20, 10, 0)]
    assert profile.project_growth(20.0) == pytest.approx(1000 + 10 * 20 * 1.5, abs=1)
    profile.usage_history = [(NOW - age, 1000) for age in (40, 30, 20, 10, 0)]
    assert profile.project_growth(20.0) == 1000


def test_falling_use_never_projects_below_zero(now: list[float]) -> None:
    profile = profile_of()
    profile.usage_history = [(NOW - age, 10 * age) for age in (40, 30, 20, 10, 0)]
    assert profile.project_growth(60.0) == 0


def test_the_fewest_points(now: list[float]) -> None:
    profile = profile_of()
    for _ in range(4):
        profile.update_history(100)
    assert profile.project_growth() is None
    profile.update_history(100)
    assert profile.project_growth() == 100


def test_points_of_300_seconds_ago_do_not_count(now: list[float]) -> None:
    profile = profile_of()
    old = [(NOW - 300.0, 5), (NOW - 301.0, 5), (NOW - 302.0, 5)]
    profile.usage_history = [*old, (NOW - 1, 100), (NOW, 100)]
    assert profile.project_growth() is None
    profile.usage_history = [*old, (NOW - 299.9, 100), (NOW - 1, 100), (NOW, 100)]
    assert profile.project_growth() == 100


def test_points_of_one_moment_project_their_mean(now: list[float]) -> None:
    profile = profile_of()
    profile.usage_history = [(NOW - 0.1, used) for used in (1, 2, 3, 4, 5 * GIB)]
    assert profile.project_growth() == (10 + 5 * GIB) // 5


def test_the_history_is_a_plain_list_that_keeps_the_last_100(now: list[float]) -> None:
    profile = profile_of()
    mine = profile.usage_history
    for number in range(150):
        now[0] = NOW + number
        profile.update_history(number)
    assert type(profile.usage_history) is list
    assert profile.usage_history is mine
    assert profile.usage_history == [(NOW + number, number) for number in range(50, 150)]


def test_changes_of_the_history_apply_at_once(now: list[float]) -> None:
    profile = profile_of()
    for _ in range(5):
        profile.update_history(100)
    profile.usage_history.append((NOW, 700))
    assert profile.project_growth() == 200
    profile.usage_history = [(NOW - age, 7) for age in range(5)]
    assert profile.project_growth() == 7
    profile.usage_history.clear()
    assert profile.project_growth() is None


def test_devices_are_not_mixed_up(now: list[float]) -> None:
    profile = profile_of(growth_rate=1.0)
    for second in range(11):
        now[0] = NOW + second
        profile.update_history(1000 + 10 * second, gpu=0)
        profile.update_history(5000 - 100 * second, gpu=1)
    assert profile.project_growth(10.0, gpu=0) == pytest.approx(1200, abs=1)
    assert profile.project_growth(10.0, gpu=1) == pytest.approx(3000, abs=1)
    assert profile.project_growth(10.0) == profile.project_growth(10.0, gpu=1)  # the one in use most
    assert profile.project_growth(10.0, gpu=2) is None
    assert [(t, used) for t, used in profile.usage_history][-1] == (NOW + 10, 4000)


def test_points_without_a_device_count_for_each(now: list[float]) -> None:
    profile = profile_of()
    profile.usage_history = [(NOW - age, 50) for age in range(3)]
    profile.update_history(50, gpu=0)
    assert profile.project_growth(gpu=0) is None
    profile.update_history(50, gpu=0)
    assert profile.project_growth(gpu=0) == 50
    assert profile.project_growth(gpu=1) is None


def test_a_profile_can_be_pickled_with_its_history(now: list[float]) -> None:
    profile = MemoryProfile("mine", 1, 2, 3, growth_rate=1.2, recovery_buffer=0.5)
    for number in range(10):
        profile.update_history(number, gpu=number % 2)
    copy = pickle.loads(pickle.dumps(profile))
    assert vars(copy) == vars(profile)
    assert copy.project_growth(gpu=1) == profile.project_growth(gpu=1) is not None


# The profiles that come with it ---------------------------------------------------------------------------------------


def test_the_default_profiles() -> None:
    sizes = [
        (p.name, p.base_usage / GIB, p.per_batch_usage / 1024**2, p.per_token_usage / 1024)
        for p in DEFAULT_PROFILES.values()
    ]
    assert sizes == [
        ("llama2-7b", 7, 50, 3),
        ("llama2-13b", 13, 100, 5),
        ("llama2-70b", 35, 350, 18),
        ("mistral-7b", 8, 55, 3),
        ("mixtral-8x7b", 25, 200, 12),
    ]
    assert {(p.growth_rate, p.recovery_buffer) for p in DEFAULT_PROFILES.values()} == {(1.05, 0.85)}


def test_profiles_are_found_by_name() -> None:
    assert get_available_profiles() == list(DEFAULT_PROFILES)
    assert get_profile("llama2-13b") is DEFAULT_PROFILES["llama2-13b"]
    assert get_profile("no-such-model") is None


@repeatable
@given(amounts, amounts, prices, prices, st.lists(counts, min_size=1, max_size=8), st.sampled_from([0.5, 0.9, 1.0]))
def test_the_optimal_batch_has_the_most_tokens_of_those_that_fit(
    available: int, base: int, batch: int, token: int, lengths: list[int], buffer: float
) -> None:
    profile = profile_of(base, batch, token)
    usable = int(available * buffer)
    tokens_in_work = [
        n * length
        for length in lengths
        if (n := int(max(1, (usable - base - length * token) / batch))) and base + n * batch + length * token <= usable
    ]
    chosen, length = find_optimal_batch(available, profile, lengths, memory_buffer=buffer)
    assert length in lengths
    if tokens_in_work:
        assert profile.fits(usable, chosen, length)
        assert chosen * length == max(tokens_in_work)
    else:
        assert (chosen, length) == (1, min(lengths))


def test_no_lengths_to_choose_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="token_lengths is empty"):
        find_optimal_batch(GIB, profile_of(), [])


def test_of_equal_choices_the_longest_sequence_wins() -> None:
    assert find_optimal_batch(40, profile_of(0, 10, 0), [1, 2, 4], memory_buffer=1.0) == (4, 4)
    assert find_optimal_batch(12, profile_of(0, 4, 2), [2, 4], memory_buffer=1.0) == (1, 4)


def test_what_does_not_fit_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert find_optimal_batch(100, profile_of(1000, 1, 1), [64, 32]) == (1, 32)
    assert "p does not fit into 90 bytes" in caplog.text


# Lines through any past -----------------------------------------------------------------------------------------------


def test_a_line_needs_a_point() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        fit_line([])


@repeatable
@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.sets(st.integers(0, 10_000), min_size=2, max_size=30))
def test_points_on_a_line_give_that_line(slope: int, start: int, times: set[int]) -> None:
    line = fit_line([(NOW + t, start + slope * t) for t in times])
    assert line.slope == pytest.approx(slope, abs=1e-6)
    assert line.at(NOW) == pytest.approx(start, abs=1e-2)
    assert line.explained == (pytest.approx(1.0) if slope else 0.0)


@repeatable
@given(st.integers(1, 60), st.integers(1, 40))
def test_a_staircase_of_n_steps_is_explained_by_1_minus_1_over_n_plus_1_squared(steps: int, width: int) -> None:
    points = [(float(t), float(t // width)) for t in range((steps + 1) * width)]
    assume(len(points) > 2)
    n = Fraction(len(points))
    levels = Fraction(steps + 1)
    expected = (1 - 1 / levels**2) / (1 - 1 / n**2)  # for many points the second factor is 1
    assert fit_line(points).explained == pytest.approx(float(expected))


def stats(gpu_id: int, timestamp: float, used_memory: int) -> Any:
    return SimpleNamespace(gpu_id=gpu_id, timestamp=timestamp, used_memory=used_memory)


GROWING = [(10.0, 100), (11.0, 200), (12.0, 300)]


@pytest.mark.parametrize(
    "history",
    [
        GROWING,
        {0: GROWING, 1: [(10.0, 5)]},
        {0: iter(GROWING)},
        [stats(0, t, used) for t, used in GROWING] + [stats(1, 12.5, 9000)],
        [(-1000.0, 50_000), *GROWING],  # older than the window
        list(reversed(GROWING)),
    ],
)
def test_histories_of_every_shape(history: Any) -> None:
    assert predict_memory_usage(history, 0, 5.0) == 800


def test_a_profiles_history_can_be_predicted_from(now: list[float]) -> None:
    profile = profile_of()
    for second in range(3):
        now[0] = NOW + second
        profile.update_history(100 * second, gpu=0)
        profile.update_history(5, gpu=1)
    assert predict_memory_usage(profile.usage_history, 0, 2.0) == 400
    assert predict_memory_usage(profile.usage_history, 1, 2.0) == 5


def test_too_short_a_history_predicts_nothing() -> None:
    assert predict_memory_usage(GROWING[:2], 0, 5.0) is None
    assert predict_memory_usage({}, 0, 5.0) is None
    unknown = will_run_out_of_memory(GROWING[:2], 0, 1000)
    assert (unknown.will_oom, unknown.time_to_oom_seconds) == (None, None)
    assert unknown.reason == "GPU 0 has 2 points; a line needs 3"


@pytest.mark.parametrize(
    ("points", "total", "horizon", "expected"),
    [
        (GROWING, 1000, 60.0, (True, 7.0)),
        (GROWING, 1000, 7.0, (True, 7.0)),
        (GROWING, 1000, 6.9, (False, 7.0)),
        (GROWING, 300, 60.0, (True, 0.0)),
        (GROWING[:1], 100, 60.0, (True, 0.0)),
        ([(10, 7), (11, 7), (12, 7)], 1000, 60.0, (False, None)),
        ([(10, 9), (11, 8), (12, 7)], 1000, 60.0, (False, None)),
        ([(10, 9), (10, 8), (10, 7)], 1000, 60.0, (False, None)),
    ],
)
def test_when_memory_runs_out(points: Any, total: int, horizon: float, expected: tuple[bool, float | None]) -> None:
    answer = will_run_out_of_memory(points, 0, total, horizon)
    assert (answer.will_oom, answer.time_to_oom_seconds) == expected
    assert answer.reason == ""


def test_what_is_exported_is_there() -> None:
    assert all(hasattr(predictor, name) for name in predictor.__all__)
