"""The extension's own arithmetic, against the formula in plain Python."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgpuopt.memory import _core

NOW = 1_800_000_000.0

points = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 80 << 30)), min_size=0, max_size=100, unique_by=lambda point: point[0]
)


def reference(data: list[tuple[int, int]], horizon: int, growth_rate: float) -> Fraction | None:
    """Ages in seconds before now; exact."""
    recent = [(Fraction(-age), Fraction(used)) for age, used in data if age < 300]
    if len(data) < 5 or len(recent) < 3:
        return None
    mean_t = sum((t for t, _ in recent), Fraction()) / len(recent)
    mean_y = sum((y for _, y in recent), Fraction()) / len(recent)
    spread = sum(((t - mean_t) ** 2 for t, _ in recent), Fraction())
    slope = sum(((t - mean_t) * (y - mean_y) for t, y in recent), Fraction()) / spread
    return max(Fraction(), mean_y - slope * mean_t + slope * horizon * Fraction(growth_rate))


@given(points, st.integers(0, 600), st.sampled_from([1.0, 1.05, 2.0]))
def test_the_projection_is_that_of_the_formula(data: list[tuple[int, int]], horizon: int, growth_rate: float) -> None:
    series = _core.UsageSeries(100)
    for age, used in data:
        series.append(NOW - age, used)
    expected = reference(data, horizon, growth_rate)
    projected = series.project(NOW, horizon, growth_rate)
    if expected is None:
        assert projected is None
    else:
        assert projected == pytest.approx(float(expected), rel=1e-9, abs=2)


def test_keeps_the_newest_points() -> None:
    series = _core.UsageSeries(3)
    for i in range(5):
        series.append(float(i), 10.0 * i)
    assert series.points() == [(2.0, 20.0), (3.0, 30.0), (4.0, 40.0)]
    series.clear()
    assert len(series) == 0


def test_points_of_one_moment_show_no_growth() -> None:
    series = _core.UsageSeries(100)
    for used in range(6):
        series.append(NOW, used * 100)
    assert series.project(NOW, 60.0, 1.0) == 250


def test_a_level_use_stays_what_it_is() -> None:
    series = _core.UsageSeries(100)
    for second in range(50):
        series.append(NOW - 299 + second, 8_000_000_000)
    assert series.project(NOW, 60.0, 1.05) == 8_000_000_000


def test_amounts_are_shown_as_the_command_shows_them() -> None:
    assert _core.format_bytes(3 << 30) == "3.0 GiB"
