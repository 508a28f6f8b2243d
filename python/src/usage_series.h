// The newest points of one device's use, and the straight line through them.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>

namespace dualgpuopt::memory::python {

struct UsagePoint {
  double time_s = 0;
  double bytes = 0;
};

/// Keeps the newest `capacity` points. Not thread-safe: the GIL guards it.
class UsageSeries {
 public:
  explicit UsageSeries(std::size_t capacity) : capacity_(capacity) {}
  void append(double time_s, double bytes);
  void clear() { points_.clear(); }
  [[nodiscard]] const std::deque<UsagePoint>& points() const { return points_; }

  /// The use to expect `horizon_s` from now: where the least-squares line through the points of the last 300 s stands
  /// now, plus its growth until then times `growth_rate`; never under 0. Points of one moment show no growth. Empty
  /// with fewer than 5 points, or fewer than 3 of the last 300 s.
  [[nodiscard]] std::optional<double> project(double now_s, double horizon_s, double growth_rate) const;

 private:
  std::size_t capacity_;
  std::deque<UsagePoint> points_;
};

}  // namespace dualgpuopt::memory::python
