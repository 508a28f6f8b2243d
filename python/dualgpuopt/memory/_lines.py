"""Straight lines through points; `dualgpuopt.memory.predictor` has them by their public names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Points = Sequence[tuple[float, float]]


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
